// Steps of our own as containers of our image, alone with the token that they show at the edge `bytes`: nothing that a Task says reaches into them.
import type { TaskSpec } from '../../objects/taskrun.ts';
import { InvalidTaskRun } from '../../ports/runner.ts';
import { mergeTemplate } from '../../runner/task/merge.ts';
import type { Container, Step, Task, WorkspaceBinding } from '../../runner/task/spec.ts';
import { STEP_ENV, TOKEN_AUDIENCE, TOKEN_FILE, TOKEN_FOLDER, TOKEN_SECONDS } from '../../steps/step-environment.ts';
import { isOwnStep } from './images.ts';

export interface OwnSteps {
  image: string;
  /** Base URL of the edge `bytes`, as pods reach it. */
  bytesUrl: string;
  /** Starts our program in that image; its arguments follow. Default: /usr/bin/node /app/step.mjs. */
  command?: string[];
}

/** Volumes of ours begin like this; the rest of the name cannot be known when a Task is written, so that no param can spell it. */
export const OWN_VOLUMES = 'tidemill-step-';

const COMMAND = ['/usr/bin/node', '/app/step.mjs'];

/** What a Task may say of a step of ours; anything else could make our program do as the Task wants, with our token. */
const ALLOWED = new Set(['name', 'displayName', 'image', 'args', 'timeout', 'onError', 'when']);

/** Folders that our image needs as they are. Any other place in it is free for a workspace. */
const IMAGE_FOLDERS = /^\/*(?:(?:app|bin|dev|etc|lib|lib64|proc|root|run|sbin|sys|tekton|tmp|usr|var)(?:\/|$)|$)/;

/** `unguessable`: part of our volumes' names, hexadecimal. Throws InvalidTaskRun where the Task reaches for what is ours. */
export function withOwnSteps(task: TaskSpec, bindings: readonly { name: string }[], own: OwnSteps | undefined, unguessable: string): TaskSpec {
  if (!task.steps.some(isOwnStep)) return task;
  if (!own)
    throw new InvalidTaskRun(
      `spec.taskSpec.steps[${task.steps.findIndex(isOwnStep)}].image: ${task.steps.find(isOwnStep)!.image}: works in an execution of tidemill only, not in a TaskRun by hand`,
    );
  checkOthers(task);
  const { stepTemplate, ...rest } = task as TaskSpec & { stepTemplate?: Container };
  const steps = task.steps.map((step, index) =>
    isOwnStep(step) ? ownStep(step, index, task, bindings, own, unguessable) : (mergeTemplate(stepTemplate, step as Step) as TaskSpec['steps'][number]),
  );
  return { ...rest, steps, volumes: [...(task.volumes ?? []), ...ownVolumes(unguessable)] };
}

function ownStep(
  step: TaskSpec['steps'][number],
  index: number,
  task: TaskSpec,
  bindings: readonly { name: string }[],
  own: OwnSteps,
  unguessable: string,
): TaskSpec['steps'][number] {
  const other = Object.keys(step).find((field) => !ALLOWED.has(field));
  if (other) throw new InvalidTaskRun(`spec.taskSpec.steps[${index}].${other}: cannot be given to a step of tidemill's own; it takes args`);
  return {
    ...step,
    image: own.image,
    command: own.command ?? COMMAND,
    workingDir: '/',
    env: [
      { name: STEP_ENV.bytesUrl, value: own.bytesUrl.replace(/\/$/, '') },
      { name: STEP_ENV.tokenFile, value: TOKEN_FILE },
      { name: STEP_ENV.workspaces, value: JSON.stringify(workspacePaths(task, bindings)) },
      { name: STEP_ENV.results, value: JSON.stringify(Object.fromEntries((task.results ?? []).map(({ name }) => [name, `/tekton/results/${name}`]))) },
      { name: 'HOME', value: '/tmp' },
    ],
    volumeMounts: [
      { name: `${OWN_VOLUMES}token-${unguessable}`, mountPath: TOKEN_FOLDER, readOnly: true },
      { name: `${OWN_VOLUMES}tmp-${unguessable}`, mountPath: '/tmp' },
    ],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true, capabilities: { drop: ['ALL'] } },
  };
}

function ownVolumes(unguessable: string): { name: string }[] {
  const token = { serviceAccountToken: { path: 'token', audience: TOKEN_AUDIENCE, expirationSeconds: TOKEN_SECONDS } };
  const volumes = [
    { name: `${OWN_VOLUMES}token-${unguessable}`, projected: { defaultMode: 0o440, sources: [token] } },
    { name: `${OWN_VOLUMES}tmp-${unguessable}`, emptyDir: {} },
  ];
  return volumes;
}

/** Of the workspaces that every step sees: one that some step asked for by name is seen by those alone that did. */
function workspacePaths(task: TaskSpec, bindings: readonly { name: string }[]): Record<string, string> {
  const { steps, sidecars = [], workspaces = [] } = task as unknown as Task;
  const asked = new Set([...steps, ...sidecars].flatMap((each) => each.workspaces ?? []).map((usage) => usage.name));
  const bound = new Set(bindings.map((binding) => binding.name));
  const names = new Set([...workspaces, ...(bindings as WorkspaceBinding[])].map((each) => each.name));
  return Object.fromEntries(
    [...names]
      .filter((name) => !asked.has(name))
      .map((name) => [name, bound.has(name) ? workspaces.find((each) => each.name === name)?.mountPath || `/workspace/${name}` : '']),
  );
}

/** What stands beside steps of ours in one pod. */
function checkOthers(task: TaskSpec): void {
  const { steps, sidecars = [], stepTemplate, volumes = [], workspaces = [] } = task as unknown as Task;
  if (stepTemplate && steps.some((step) => step.ref)) {
    const why = 'a Task with steps of tidemill’s own cannot have both a stepTemplate and steps with ref; put its fields into the steps and StepActions';
    throw new InvalidTaskRun(`spec.taskSpec.stepTemplate: ${why}`);
  }
  const containers = [...steps.map((each, i) => [each, `steps[${i}]`] as const), ...sidecars.map((each, i) => [each, `sidecars[${i}]`] as const)];
  for (const [container, where] of [...containers, ...(stepTemplate ? [[stepTemplate, 'stepTemplate'] as const] : [])]) {
    const taken = container.volumeMounts?.find((mount) => mount.name?.startsWith(OWN_VOLUMES));
    if (taken) throw new InvalidTaskRun(`spec.taskSpec.${where}.volumeMounts: volumes named ${OWN_VOLUMES}… are tidemill's own`);
  }
  for (const [index, volume] of volumes.entries()) {
    if (volume.name?.startsWith(OWN_VOLUMES))
      throw new InvalidTaskRun(`spec.taskSpec.volumes[${index}].name: names that begin with ${OWN_VOLUMES} are tidemill's own`);
    const { projected } = volume as { projected?: { sources?: { serviceAccountToken?: unknown }[] } };
    if (projected?.sources?.some((source) => source.serviceAccountToken))
      throw new InvalidTaskRun(`spec.taskSpec.volumes[${index}].projected: a build has no service account token`);
  }
  for (const [index, { mountPath }] of workspaces.entries())
    if (mountPath && (mountPath.includes('$(') || mountPath.includes('..') || IMAGE_FOLDERS.test(mountPath)))
      throw new InvalidTaskRun(
        `spec.taskSpec.workspaces[${index}].mountPath: ${mountPath} would cover what the steps of tidemill's own need; choose a folder below /workspace`,
      );
}
