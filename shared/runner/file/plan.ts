// Finds out of the documents of a file what is to be run, and what it may refer to.
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Isolation } from '../isolation/isolation.ts';
import { checkIsolation, checkRunSpec, checkStepAction, checkTask } from '../task/check.ts';
import type { Param, ParamSpec, References, RunSpec, Task } from '../task/spec.ts';
import { InvalidFile, type Manifest, located } from './documents.ts';
import { InvalidValueText, valueFromText, valueFromYaml } from './values.ts';

const TEKTON = ['tekton.dev/v1', 'tekton.dev/v1beta1'];
const STEP_ACTIONS = [...TEKTON, 'tekton.dev/v1alpha1'];

export interface PlanOptions {
  /** Name of the Task or TaskRun, where the file has several. */
  name?: string;
  params: ReadonlyMap<string, string>;
  /** Folders that stand for workspaces; '' is an empty one. */
  workspaces: ReadonlyMap<string, string>;
  isolation: Isolation;
  /** Claims of the file are folders in here. */
  folder: string;
}

export interface Plan {
  name: string;
  namespace: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  taskName: string;
  task: Task;
  spec: RunSpec;
  given: Map<string, string>;
  references: References;
}

/** What was asked for on the command line does not fit the file. */
export class InvalidRequest extends Error {
  override name = 'InvalidRequest';
}

/** Throws InvalidFile, InvalidRequest. */
export function planRun(manifests: readonly Manifest[], file: string, options: PlanOptions): Plan {
  const chosen = choose(manifests, file, options.name);
  const metadata = (chosen.content['metadata'] ?? {}) as {
    name?: string;
    generateName?: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  const runSpec = chosen.kind === 'TaskRun' ? chosen.content['spec'] : {};
  const spec = normalized(runSpec) as RunSpec & { taskSpec?: unknown; taskRef?: { name?: string } };
  const { manifest, path, taskName } = taskManifest(manifests, chosen, spec);
  const task = normalizedTask(path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], manifest.content));
  const withAsked = { ...spec, ...asked(spec, task as Task, options) };
  located(chosen, 'spec', ['spec'], () => checkRunSpec(withAsked));
  const prefix = path.join('.');
  located(manifest, prefix, path, () => checkTask(task, prefix, taskName ? [] : (withAsked.params ?? [])));
  const checked = task as Task;
  located(manifest, prefix, path, () => checkIsolation(checked, options.isolation, prefix));
  return {
    name: metadata.name ?? `${metadata.generateName ?? `${chosen.name || 'task'}-run-`}${randomBytes(3).toString('hex').slice(0, 5)}`,
    namespace: metadata.namespace ?? 'default',
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    taskName,
    task: checked,
    spec: withAsked,
    given: new Map([...options.workspaces].filter(([, folder]) => folder !== '')),
    references: references(manifests, options.folder),
  };
}

function choose(manifests: readonly Manifest[], file: string, name: string | undefined): Manifest {
  const runnable = manifests.filter(({ kind, apiVersion }) => (kind === 'TaskRun' || kind === 'Task') && TEKTON.includes(apiVersion));
  const named = name === undefined ? runnable : runnable.filter((each) => each.name === name);
  const runs = named.filter((each) => each.kind === 'TaskRun');
  const candidates = runs.length ? runs : named;
  const [only, ...more] = candidates;
  if (only && !more.length) return only;
  const names = candidates.map((each) => `${each.kind} ${each.name}`).join(', ');
  if (more.length) throw new InvalidRequest(`${file} has several that could be run: ${names}. Choose one with --name.`);
  if (name !== undefined) throw new InvalidRequest(`${file} has no Task or TaskRun named "${name}"`);
  const found = manifests.map(({ kind, apiVersion }) => `${kind} (${apiVersion})`).join(', ');
  throw new InvalidFile(`${file}: there is no Task or TaskRun of tekton.dev/v1 in it${found ? `, only ${found}` : ''}`);
}

/** Where the Task of the run stands. */
function taskManifest(
  manifests: readonly Manifest[],
  chosen: Manifest,
  spec: { taskSpec?: unknown; taskRef?: { name?: string } },
): { manifest: Manifest; path: string[]; taskName: string } {
  if (chosen.kind === 'Task') return { manifest: chosen, path: ['spec'], taskName: chosen.name };
  if (spec.taskSpec && spec.taskRef) throw new InvalidFile(`${chosen.place(['spec', 'taskRef'])}: spec has both taskSpec and taskRef`);
  if (spec.taskSpec) return { manifest: chosen, path: ['spec', 'taskSpec'], taskName: '' };
  if (!spec.taskRef) throw new InvalidFile(`${chosen.place(['spec'])}: spec.taskSpec or spec.taskRef is missing`);
  const name = spec.taskRef.name ?? '';
  const task = manifests.find((each) => each.kind === 'Task' && each.name === name && TEKTON.includes(each.apiVersion));
  if (!task) throw new InvalidFile(`${chosen.place(['spec', 'taskRef'])}: spec.taskRef: the file has no Task named "${name}"; add it as another document`);
  return { manifest: task, path: ['spec'], taskName: name };
}

/** Params and workspaces of the command line, over those of the file. */
function asked(spec: RunSpec, task: Task, options: PlanOptions): Pick<RunSpec, 'params' | 'workspaces'> {
  const declared = Array.isArray(task?.params) ? task.params : [];
  const params = new Map((spec.params ?? []).map((param) => [param.name, param]));
  for (const [name, text] of options.params) {
    const known = declared.find((each) => each.name === name) ?? (params.has(name) ? { name } : undefined);
    if (!known) throw new InvalidRequest(`there is no param "${name}"${declared.length ? `; there are ${declared.map((each) => each.name).join(', ')}` : ''}`);
    params.set(name, { name, value: fromText(known, text) });
  }
  const workspaces = new Map((spec.workspaces ?? []).map((binding) => [binding.name, binding]));
  const names = (Array.isArray(task?.workspaces) ? task.workspaces : []).map((workspace) => workspace.name);
  for (const name of options.workspaces.keys()) {
    if (!names.includes(name) && !workspaces.has(name))
      throw new InvalidRequest(`there is no workspace "${name}"${names.length ? `; there are ${names.join(', ')}` : ''}`);
    workspaces.set(name, { name, emptyDir: {} });
  }
  return { params: [...params.values()], workspaces: [...workspaces.values()] };
}

function fromText(spec: ParamSpec, text: string): Param['value'] {
  try {
    return valueFromText(spec, text);
  } catch (error) {
    if (error instanceof InvalidValueText) throw new InvalidRequest(error.message);
    throw error;
  }
}

function normalized(spec: unknown): unknown {
  if (typeof spec !== 'object' || spec === null) return spec ?? {};
  return { ...spec, ...withValues(spec as Record<string, unknown>, 'params', 'value') };
}

/** Defaults and values that YAML reads as numbers or booleans are text to Tekton. */
function normalizedTask(task: unknown): unknown {
  if (typeof task !== 'object' || task === null) return task;
  const { steps } = task as { steps?: unknown };
  const withParams = (step: unknown) =>
    typeof step === 'object' && step !== null ? { ...step, ...withValues(step as Record<string, unknown>, 'params', 'value') } : step;
  return { ...task, ...withValues(task as Record<string, unknown>, 'params', 'default'), ...(Array.isArray(steps) && { steps: steps.map(withParams) }) };
}

function withValues(of: Record<string, unknown>, list: string, field: string): object {
  const items = of[list];
  if (!Array.isArray(items)) return {};
  return {
    [list]: items.map((item: unknown) => {
      const has = typeof item === 'object' && item !== null && field in item && (item as Record<string, unknown>)[field] !== null;
      return has ? { ...item, [field]: valueFromYaml((item as Record<string, unknown>)[field]) } : item;
    }),
  };
}

function references(manifests: readonly Manifest[], folder: string): References {
  const find = (kind: string, name: string, versions: readonly string[]) =>
    manifests.find((each) => each.kind === kind && each.name === name && versions.includes(each.apiVersion));
  return {
    stepAction: async (name) => {
      const manifest = find('StepAction', name, STEP_ACTIONS);
      if (!manifest) return undefined;
      const action = { ...(manifest.content['spec'] as object), ...withValues(manifest.content['spec'] as Record<string, unknown>, 'params', 'default') };
      located(manifest, 'spec', ['spec'], () => checkStepAction(action, 'spec'));
      return action;
    },
    secret: async (name) => dataOf(find('Secret', name, ['v1']), 'base64', 'stringData'),
    configMap: async (name) => dataOf(find('ConfigMap', name, ['v1']), 'utf8', 'binaryData'),
    claim: async (name) => {
      if (!find('PersistentVolumeClaim', name, ['v1'])) return undefined;
      const path = join(folder, 'claims', Buffer.from(name).toString('hex'));
      await mkdir(path, { recursive: true });
      return path;
    },
  };
}

/** `encoding`: of the values of `data`; the values of `other` have the other one. */
function dataOf(manifest: Manifest | undefined, encoding: 'base64' | 'utf8', other: 'stringData' | 'binaryData'): Record<string, Buffer> | undefined {
  if (!manifest) return undefined;
  const read = (field: string, as: 'base64' | 'utf8') =>
    Object.entries((manifest.content[field] ?? {}) as Record<string, unknown>).map(([key, value]): [string, Buffer] => {
      if (typeof value !== 'string') throw new InvalidFile(`${manifest.place([field, key])}: ${field}.${key} must be a string`);
      return [key, Buffer.from(value, as)];
    });
  return Object.fromEntries([...read('data', encoding), ...read(other, encoding === 'base64' ? 'utf8' : 'base64')]);
}
