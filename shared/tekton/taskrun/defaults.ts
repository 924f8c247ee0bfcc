// What a TaskRun of an execution is run with where its Task does not say otherwise: as nobody in particular, without any right.
import type { TaskRunSpec, TaskSpec } from '../../objects/taskrun.ts';

export interface TaskRunDefaults {
  serviceAccountName: string;
  /** User and group of steps, and group of their volumes. */
  runAs: number;
}

export const TASK_RUN_DEFAULTS: TaskRunDefaults = { serviceAccountName: 'tidemill-build', runAs: 65_532 };

/** Where a user without a home of its own can write, and finds the same in every step of a TaskRun. */
const HOME = '/tekton/home';

interface Env {
  name: string;
}

interface Container {
  env?: Env[];
  securityContext?: { capabilities?: { drop?: string[] } };
}

export function withDefaults(spec: TaskRunSpec, { serviceAccountName, runAs }: TaskRunDefaults): TaskRunSpec {
  const { podTemplate } = spec as { podTemplate?: { securityContext?: object } };
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: runAs,
    runAsGroup: runAs,
    fsGroup: runAs,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  };
  return {
    serviceAccountName,
    ...spec,
    podTemplate: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...podTemplate,
      securityContext: { ...securityContext, ...podTemplate?.securityContext },
    },
    ...(spec.taskSpec && { taskSpec: withTaskDefaults(spec.taskSpec) }),
  };
}

function withTaskDefaults(task: TaskSpec): TaskSpec {
  const { stepTemplate = {}, sidecars } = task as { stepTemplate?: Container; sidecars?: Container[] };
  const env = stepTemplate.env ?? [];
  return {
    ...task,
    stepTemplate: { ...withoutRights(stepTemplate), env: env.some((each) => each.name === 'HOME') ? env : [...env, { name: 'HOME', value: HOME }] },
    ...(Array.isArray(sidecars) && { sidecars: sidecars.map(withoutRights) }),
  };
}

/** A step's own securityContext is laid over the template's by Tekton, field by field. */
function withoutRights<C extends Container>(container: C): C {
  const { securityContext } = container;
  return { ...container, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...securityContext } };
}
