// What the engine can run: every field that it does not know, or cannot honour here, is refused by its name.
import type { Isolation } from '../isolation/isolation.ts';
import { STEP_IMAGE } from '../builtin.ts';
import { InvalidTaskRun } from '../../ports/runner.ts';
import { parseDuration } from './duration.ts';
import { type Fields, NEEDS_IMAGES, SPEC, STEP_ACTION, TASK } from './fields.ts';
import { paramType } from './params.ts';
import type { Param, ResultSpec, RunSpec, Step, StepAction, Task } from './spec.ts';
import { checkVariables } from './variable-check.ts';

/** Throws InvalidTaskRun naming the first field that is wrong, unknown or not supported. */
export function checkRunSpec(spec: unknown): asserts spec is RunSpec {
  walk(spec, SPEC, 'spec');
  const run = spec as RunSpec;
  if (run.timeout !== undefined && parseDuration(run.timeout) === undefined)
    refuse('spec.timeout', `"${run.timeout}" is no duration such as 90s, 10m or 1h30m`);
  if (run.retries !== undefined && (!Number.isInteger(run.retries) || run.retries < 0)) refuse('spec.retries', 'must be a whole number, 0 or more');
  unique(run.params ?? [], 'spec.params');
  unique(run.workspaces ?? [], 'spec.workspaces');
  for (const [index, { name }] of (run.workspaces ?? []).entries()) checkWorkspaceName(name, `spec.workspaces[${index}].name`);
  for (const [index, binding] of (run.workspaces ?? []).entries()) {
    const kinds = Object.keys(binding).filter((key) => key !== 'name' && key !== 'subPath');
    if (kinds.length !== 1)
      refuse(`spec.workspaces[${index}]`, 'must have exactly one of emptyDir, persistentVolumeClaim, volumeClaimTemplate, secret, configMap');
  }
}

/** Throws InvalidTaskRun. `where`: how messages name the Task. */
export function checkTask(task: unknown, where: string, given: readonly Param[]): asserts task is Task {
  walk(task, TASK, where);
  const checked = task as Task;
  if (!checked.steps?.length) refuse(`${where}.steps`, 'there must be at least one step');
  for (const list of ['params', 'results', 'workspaces', 'volumes', 'sidecars'] as const) unique(checked[list] ?? [], `${where}.${list}`);
  checked.params?.forEach((param, index) => {
    const given = param.type ?? 'string';
    if (param.default !== undefined && param.type && kindOf(param.default) !== given)
      refuse(`${where}.params[${index}].default`, `is ${kindOf(param.default)}, but the type is ${given}`);
  });
  unique(
    checked.steps.filter((step) => step.name),
    `${where}.steps`,
  );
  checked.steps.forEach((step, index) => checkStep({ ...(step.ref ? {} : checked.stepTemplate), ...step }, `${where}.steps[${index}]`));
  checked.sidecars?.forEach((sidecar, index) => {
    if (sidecar.script && sidecar.command?.length) refuse(`${where}.sidecars[${index}].script`, 'cannot be used with command');
  });
  const names = new Set((checked.workspaces ?? []).map((workspace) => workspace.name));
  for (const [list, users] of [
    ['steps', checked.steps],
    ['sidecars', checked.sidecars ?? []],
  ] as const) {
    users.forEach((user, index) => {
      const unknown = (user.workspaces ?? []).find((usage) => !names.has(usage.name));
      if (unknown) refuse(`${where}.${list}[${index}].workspaces`, `the Task declares no workspace "${unknown.name}"`);
    });
  }
  checkNames(checked, where);
  checkVariables(checked, where, given);
}

const RESULT_NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Names that become files, folders and variables. */
function checkNames(task: Task, where: string): void {
  for (const [index, param] of (task.params ?? []).entries()) {
    const at = `${where}.params[${index}]`;
    const isObject = paramType(param) === 'object';
    if (!(isObject ? /^[_a-zA-Z][\w-]*$/ : /^[_a-zA-Z][\w.-]*$/).test(param.name))
      refuse(`${at}.name`, `"${param.name}" may hold letters, digits, "-", "_"${isObject ? '' : ' and "."'}, and must begin with a letter or "_"`);
    if (isObject && !param.properties) refuse(`${at}.properties`, 'is missing: an object declares its keys');
  }
  checkResults(task.results ?? [], `${where}.results`);
  for (const [index, step] of task.steps.entries()) checkResults(step.results ?? [], `${where}.steps[${index}].results`);
  for (const list of ['volumes', 'sidecars'] as const) {
    for (const [index, { name }] of (task[list] ?? []).entries())
      // With a variable in it, it is looked at when that is replaced.
      if (!name?.includes('$(')) checkLabel(name, `${where}.${list}[${index}].name`);
  }
  for (const [index, { name }] of (task.workspaces ?? []).entries()) checkWorkspaceName(name, `${where}.workspaces[${index}].name`);
}

function checkResults(results: readonly ResultSpec[], where: string): void {
  for (const [index, { name, type, properties }] of results.entries()) {
    if (!RESULT_NAME.test(name))
      refuse(`${where}[${index}].name`, `"${name}" may hold letters, digits, "-", "_" and ".", and must begin and end with a letter or digit`);
    if (type === 'object' && !properties) refuse(`${where}[${index}].properties`, 'is missing: an object declares its keys');
  }
}

/** The name of a volume or sidecar whose variables are replaced: it becomes part of paths. Throws InvalidTaskRun. */
export function checkLabel(name: string | undefined, where: string): void {
  if (!LABEL.test(name ?? '')) refuse(where, `"${name}" is no DNS label`);
}

function checkWorkspaceName(name: string, where: string): void {
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(name)) refuse(where, `"${name}" may hold letters, digits, "-", "_" and "."`);
}

function kindOf(value: unknown): string {
  return typeof value === 'string' ? 'string' : Array.isArray(value) ? 'array' : 'object';
}

export function checkStepAction(action: unknown, where: string): asserts action is StepAction {
  walk(action, STEP_ACTION, where);
  const { script, command } = action as StepAction;
  if (script && command?.length) refuse(`${where}.script`, 'cannot be used with command');
  // Tekton does not either: a param's text would become part of a program that its author did not see.
  if (script?.includes('$(params')) refuse(`${where}.script`, 'cannot hold params: hand them over by env or args');
}

const WITH_REF = ['image', 'command', 'args', 'script', 'workingDir', 'env', 'volumeMounts', 'results'] as const;

function checkStep(step: Step, where: string): void {
  if (step.name && !LABEL.test(step.name)) refuse(`${where}.name`, `"${step.name}" is no DNS label`);
  if (step.timeout !== undefined && parseDuration(step.timeout) === undefined)
    refuse(`${where}.timeout`, `"${step.timeout}" is no duration such as 90s, 10m or 1h30m`);
  if (step.onError && !['continue', 'stopAndFail'].includes(step.onError) && !step.onError.startsWith('$(params.'))
    refuse(`${where}.onError`, 'must be "continue" or "stopAndFail"');
  if (step.ref) {
    const both = WITH_REF.find((field) => step[field] !== undefined);
    if (both) refuse(`${where}.${both}`, 'cannot be used with ref');
    return;
  }
  if (step.params?.length) refuse(`${where}.params`, 'can only be used with ref');
  if (!step.image) refuse(`${where}.image`, 'is missing');
  if (step.script && step.command?.length) refuse(`${where}.script`, 'cannot be used with command');
  for (const mount of step.volumeMounts ?? []) {
    if (/^\/tekton\/(?!home(?:\/|$))/.test(mount.mountPath)) refuse(`${where}.volumeMounts`, `"${mount.mountPath}" is below /tekton, which is Tekton's own`);
  }
}

/** Throws InvalidTaskRun for what this isolation cannot honour. */
export function checkIsolation(task: Task, isolation: Isolation, where: string): void {
  if (isolation.usesImages) return;
  const containers = [
    ...task.steps.map((step, index) => [step, `${where}.steps[${index}]`] as const),
    ...(task.sidecars ?? []).map((sidecar, index) => [sidecar, `${where}.sidecars[${index}]`] as const),
    ...(task.stepTemplate ? [[task.stepTemplate, `${where}.stepTemplate`] as const] : []),
  ];
  for (const [container, at] of containers) {
    if (container.image === STEP_IMAGE) continue;
    for (const { path, honoured, why } of NEEDS_IMAGES) {
      const value = path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], container);
      if (value !== undefined && !honoured(value))
        refuse(
          `${at}.${path.join('.')}`,
          `${why}, which ${isolation.kind === 'none' ? 'plain processes' : isolation.kind} cannot do; use podman or docker (TIDEMILL_ISOLATION)`,
        );
    }
  }
}

function unique(list: readonly { name?: string }[], where: string): void {
  const seen = new Set<string>();
  for (const { name } of list) {
    if (name === undefined) continue;
    if (seen.has(name)) refuse(where, `"${name}" appears more than once`);
    seen.add(name);
  }
}

function refuse(field: string, why: string): never {
  throw new InvalidTaskRun(`${field}: ${why}`);
}

function walk(value: unknown, shape: Fields, where: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(where, 'must be a mapping');
  for (const [key, child] of Object.entries(value)) {
    const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (!field) refuse(`${where}.${key}`, Object.hasOwn(REASONS, key) ? REASONS[key]! : 'is not supported by the local runner');
    checkField(child, field, `${where}.${key}`);
  }
}

const REASONS: Record<string, string> = {
  podTemplate: 'is not supported: there is no pod on the local runner',
  serviceAccountName: 'is not supported: there are no service accounts on the local runner',
  resolver: 'is not supported: the local runner fetches no Tasks; put the Task itself where the run can name it',
  cel: 'is not supported: use input, operator and values',
};

function checkField(value: unknown, field: Fields[string], where: string): void {
  if (field === 'any') return;
  if (field === 'string' || field === 'boolean' || field === 'number') {
    if (typeof value !== field) refuse(where, `must be a ${field}`);
    return;
  }
  if (field === 'value') {
    const isText = (part: unknown) => typeof part === 'string';
    const fits =
      isText(value) || (Array.isArray(value) ? value.every(isText) : typeof value === 'object' && value !== null && Object.values(value).every(isText));
    if (!fits) refuse(where, 'must be a string, a list of strings or a mapping to strings');
    return;
  }
  if (field === 'strings') {
    if (!Array.isArray(value) || value.some((part) => typeof part !== 'string')) refuse(where, 'must be a list of strings');
    return;
  }
  if (Array.isArray(field)) {
    if (!field.every((choice) => typeof choice === 'string')) return checkList(value, field[0] as Fields, where);
    if (!field.includes(value as string)) refuse(where, `must be one of ${field.join(', ')}`);
    return;
  }
  walk(value, field as Fields, where);
}

function checkList(value: unknown, shape: Fields, where: string): void {
  if (!Array.isArray(value)) refuse(where, 'must be a list');
  value.forEach((item, index) => walk(item, shape, `${where}[${index}]`));
}
