// The variables of a run beside its params, in the order in which Tekton applies them: what one pass brings in, a later one may replace.
import { hash } from '../../events/ids.ts';
import type { Step, Task, WorkspaceBinding } from './spec.ts';
import { stepName } from './spec.ts';
import { type Replacements, onlyStrings, spellings } from './substitute.ts';

/** Where a step finds what the runner provides. In a container these are Tekton's own paths. */
export interface Places {
  results: string;
  steps: string;
  credentials: string;
  /** Folder of a workspace; `mountPath` is where the declaration or the step wants it. */
  workspace(name: string, mountPath: string): string;
}

export const TEKTON_PLACES: Places = {
  results: '/tekton/results',
  steps: '/tekton/steps',
  credentials: '/tekton/creds',
  workspace: (_name, mountPath) => mountPath,
};

export interface RunContext {
  taskRun: string;
  task: string;
  namespace: string;
  uid: string;
  retryCount: number;
}

export function contextReplacements(context: RunContext): Replacements {
  return onlyStrings(
    new Map([
      ['context.taskRun.name', context.taskRun],
      ['context.taskRun.namespace', context.namespace],
      ['context.taskRun.uid', context.uid],
      ['context.task.name', context.task],
      ['context.task.retry-count', String(context.retryCount)],
    ]),
  );
}

/** $(results.<name>.path), $(steps.<name>.exitCode.path), $(workspaces.…), $(credentials.path): the same for all steps of a Task. */
export function placeReplacements(task: Task, bindings: readonly WorkspaceBinding[], places: Places): Replacements[] {
  const results = new Map<string, string>();
  for (const { name } of task.results ?? []) for (const spelling of spellings('results', name)) results.set(`${spelling}.path`, `${places.results}/${name}`);
  const exitCodes = new Map(
    task.steps.map((step, index) => [`steps.step-${stepName(step, index)}.exitCode.path`, `${places.steps}/step-${stepName(step, index)}/exitCode`]),
  );
  const workspaces = new Map<string, string>();
  for (const { name, mountPath, bound, claim } of declared(task, bindings)) {
    workspaces.set(`workspaces.${name}.bound`, String(bound));
    workspaces.set(`workspaces.${name}.path`, bound ? places.workspace(name, mountPath) : '');
    if (bound) workspaces.set(`workspaces.${name}.volume`, volumeName(name));
    workspaces.set(`workspaces.${name}.claim`, claim);
  }
  return [results, exitCodes, workspaces, new Map([['credentials.path', places.credentials]])].map(onlyStrings);
}

/** What only this step's own fields may name: $(step.results.<name>.path), and the path of a workspace that it mounts elsewhere. */
export function stepReplacements(step: Pick<Step, 'name' | 'results' | 'workspaces'>, index: number, places: Places): Replacements {
  const own = new Map<string, string>();
  for (const { name } of step.results ?? []) {
    for (const spelling of spellings('step.results', name)) own.set(`${spelling}.path`, `${places.steps}/step-${stepName(step, index)}/results/${name}`);
  }
  for (const usage of step.workspaces ?? []) if (usage.mountPath) own.set(`workspaces.${usage.name}.path`, places.workspace(usage.name, usage.mountPath));
  return onlyStrings(own);
}

export interface DeclaredWorkspace {
  name: string;
  mountPath: string;
  readOnly: boolean;
  optional: boolean;
  bound: boolean;
  /** Name of the persistent volume claim it is bound to, or ''. */
  claim: string;
}

/** The Task's workspaces, and those that the run binds without the Task having declared them. */
export function declared(task: Task, bindings: readonly WorkspaceBinding[]): DeclaredWorkspace[] {
  const names = new Set((task.workspaces ?? []).map((workspace) => workspace.name));
  const all = [...(task.workspaces ?? []), ...bindings.filter((binding) => !names.has(binding.name)).map(({ name }) => ({ name }))];
  return all.map((workspace: NonNullable<Task['workspaces']>[number]) => {
    const binding = bindings.find((each) => each.name === workspace.name);
    return {
      name: workspace.name,
      mountPath: workspace.mountPath || `/workspace/${workspace.name}`,
      readOnly: workspace.readOnly ?? false,
      optional: workspace.optional ?? false,
      bound: binding !== undefined,
      claim: binding?.persistentVolumeClaim?.claimName ?? '',
    };
  });
}

export function volumeName(workspace: string): string {
  return `ws-${hash(workspace).slice(0, 5)}`;
}
