// Finds out of the documents of a file what is to be run, and with which params and workspaces.
import type { Param, ParamSpec, RunSpec, Task } from '../task/spec.ts';
import { InvalidFile, type Manifest } from './documents.ts';
import { InvalidValueText, valueFromText, valueFromYaml } from './values.ts';

export const TEKTON = ['tekton.dev/v1', 'tekton.dev/v1beta1'];

/** What was asked for on the command line does not fit the file. */
export class InvalidRequest extends Error {
  override name = 'InvalidRequest';
}

export interface Asked {
  /** Name of the Task or TaskRun, where the file has several. */
  name?: string;
  params: ReadonlyMap<string, string>;
  /** Folders that stand for workspaces; '' is an empty one. */
  workspaces: ReadonlyMap<string, string>;
}

export interface Chosen {
  /** The Task or TaskRun that is run. */
  manifest: Manifest;
  metadata: { name?: string; generateName?: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  /** Where its Task stands. */
  task: { manifest: Manifest; path: string[]; name: string; content: unknown };
  /** Its spec, with what was asked for over it. Not checked. */
  spec: RunSpec & { taskSpec?: unknown; taskRef?: { name?: string } };
}

/** Throws InvalidFile, InvalidRequest. */
export function chooseRun(manifests: readonly Manifest[], file: string, options: Asked): Chosen {
  const manifest = choose(manifests, file, options.name);
  const spec = normalized(manifest.kind === 'TaskRun' ? manifest.content['spec'] : {}) as Chosen['spec'];
  const { manifest: taskManifest, path, taskName: name } = taskOf(manifests, manifest, spec);
  const content = normalizedTask(path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], taskManifest.content));
  return {
    manifest,
    metadata: manifest.content['metadata'] ?? {},
    task: { manifest: taskManifest, path, name, content },
    spec: { ...spec, ...asked(spec, content as Task, options) },
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
function taskOf(
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
function asked(spec: RunSpec, task: Task, options: Asked): Pick<RunSpec, 'params' | 'workspaces'> {
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

/** The list in `of`, with a text, list or mapping of texts in `field` of each of its items. */
export function withValues(of: Record<string, unknown>, list: string, field: string): object {
  const items = of[list];
  if (!Array.isArray(items)) return {};
  return {
    [list]: items.map((item: unknown) => {
      const has = typeof item === 'object' && item !== null && field in item && (item as Record<string, unknown>)[field] !== null;
      return has ? { ...item, [field]: valueFromYaml((item as Record<string, unknown>)[field]) } : item;
    }),
  };
}
