// Secrets that a build may not have: those of credentials and hooks stand in the same namespace, and a repository's own pipeline could name them.
import type { Ref } from '../../ports/objects.ts';
import { InvalidTaskRun } from '../../ports/runner.ts';

/** Names of the Secrets in a namespace that are tidemill's to use, and nobody's to mount. */
export type ReservedSecrets = (namespace: string) => Promise<ReadonlySet<string>>;

/** Where Kubernetes takes the name of a Secret: in an env, an envFrom, a volume, a projected source, a workspace. */
const REFERENCES = new Set(['secretKeyRef', 'secretRef', 'secret']);
/** Deeper than any Task goes. */
const MAX_DEPTH = 20;

export interface Looks {
  reserved: ReservedSecrets;
  /** The spec of a StepAction of the namespace; undefined: there is none. */
  stepAction: (ref: Ref) => Promise<object | undefined>;
}

interface StepRef {
  ref?: { name?: unknown; resolver?: unknown };
}

/** Throws InvalidTaskRun for a Secret that is reserved, for a name that only Tekton would know, and for a StepAction that only Tekton would fetch. */
export async function checkSecrets(spec: object & { taskSpec?: object }, namespace: string, { reserved, stepAction }: Looks): Promise<void> {
  const named = [...secretsNamed(spec, 'spec', 0), ...(await secretsOfSteps(spec.taskSpec ?? {}, namespace, stepAction))];
  if (named.length === 0) return;
  const own = await reserved(namespace);
  for (const { name, path } of named) {
    if (name.includes('$('))
      throw new InvalidTaskRun(`${path}: the name of a Secret is written out in a cluster, so that it can be checked; "${name}" holds a variable`);
    if (own.has(name))
      throw new InvalidTaskRun(`${path}: the Secret "${name}" belongs to a Credential or a Hook of tidemill, which no build may see; use one of its own`);
  }
}

/** What the StepActions name that the steps refer to. */
async function secretsOfSteps(taskSpec: { steps?: unknown }, namespace: string, stepAction: Looks['stepAction']): Promise<Named[]> {
  const steps = Array.isArray(taskSpec.steps) ? (taskSpec.steps as StepRef[]) : [];
  const named = steps.map(async ({ ref }, index): Promise<Named[]> => {
    const path = `spec.taskSpec.steps[${index}].ref`;
    if (ref?.resolver !== undefined)
      throw new InvalidTaskRun(`${path}.resolver: nobody can say which Secrets a StepAction from elsewhere names; apply it to ${namespace}, and name it`);
    if (typeof ref?.name !== 'string') return [];
    const action = await stepAction({ namespace, name: ref.name });
    return action ? [...secretsNamed(action, `${path}: StepAction ${ref.name}: spec`, 0)] : [];
  });
  return (await Promise.all(named)).flat();
}

interface Named {
  name: string;
  path: string;
}

function* secretsNamed(value: unknown, path: string, depth: number): Generator<Named> {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return;
  for (const [key, part] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`;
    if (REFERENCES.has(key) && typeof part === 'object' && part !== null) {
      const { name, secretName } = part as { name?: unknown; secretName?: unknown };
      for (const one of [name, secretName]) if (typeof one === 'string') yield { name: one, path: at };
    }
    yield* secretsNamed(part, at, depth + 1);
  }
}
