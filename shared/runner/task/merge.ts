// stepTemplate: what all steps have in common, with each step's own fields winning.
import type { Container, Step } from './spec.ts';

/** env merges by name, volumeMounts by mountPath, securityContext and computeResources by field; everything else is the step's where it has it. */
export function mergeTemplate(template: Container | undefined, step: Step): Step {
  if (!template) return step;
  const merged: Step = { ...template, ...withoutEmpty(step) };
  const env = mergeBy('name', template.env, step.env);
  const mounts = mergeBy('mountPath', template.volumeMounts, step.volumeMounts);
  if (env) merged.env = env;
  if (mounts) merged.volumeMounts = mounts;
  if (template.securityContext && step.securityContext) merged.securityContext = { ...template.securityContext, ...step.securityContext };
  if (template.computeResources && step.computeResources) {
    merged.computeResources = {
      limits: { ...template.computeResources.limits, ...step.computeResources.limits },
      requests: { ...template.computeResources.requests, ...step.computeResources.requests },
    };
  }
  return merged;
}

/** An empty list or text is as good as none to Tekton, and leaves the template's in place. */
function withoutEmpty(step: Step): Partial<Step> {
  return Object.fromEntries(Object.entries(step).filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0)));
}

/** The step's own come first: Kubernetes expands a variable only from those before it. */
function mergeBy<K extends string, T extends Record<K, string>>(key: K, base: readonly T[] | undefined, own: readonly T[] | undefined): T[] | undefined {
  if (!base || !own) return (base ?? own) && [...(base ?? own)!];
  const names = new Set(own.map((item) => item[key]));
  return [...own, ...base.filter((item) => !names.has(item[key]))];
}
