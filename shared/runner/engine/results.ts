// Results: files that steps write, read back with the types and limits that Tekton has.
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParamValue, TaskRunResult } from '../../objects/taskrun.ts';
import { InvalidValue, typeOf } from '../task/params.ts';
import type { ResultSpec, Task } from '../task/spec.ts';

/** All results that one step leaves, as Tekton writes them down, may be this long (a container's termination message). */
export const RESULTS_LIMIT = 4096;

/** Bytes that Tekton needs beside the results themselves: the step's start time and the brackets. */
const OVERHEAD = 80;

export interface Written {
  name: string;
  text: string;
}

/** Files of these names in the folder; what is not there is left out. A file past the limit is cut, as it is too long anyway. */
export async function readWritten(folder: string, specs: readonly ResultSpec[]): Promise<Written[]> {
  const found: Written[] = [];
  for (const { name } of specs) {
    const text = await readStart(join(folder, name));
    if (text !== undefined) found.push({ name, text });
  }
  return found;
}

async function readStart(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (['ENOENT', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  });
  if (!file) return undefined;
  try {
    if (!(await file.stat()).isFile()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(RESULTS_LIMIT + 1), 0, RESULTS_LIMIT + 1, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Bytes that these take in a termination message. */
export function messageSize(written: readonly Written[]): number {
  const entries = written.map(({ name, text }) => JSON.stringify({ key: name, value: text, type: 1 }).length + (Buffer.byteLength(text) - text.length) + 1);
  return entries.reduce((sum, size) => sum + size, OVERHEAD);
}

/** The value that a file stands for: its text, or what its JSON says where the declared type is not string. */
export function valueOf(text: string, type: ResultSpec['type'] = 'string'): ParamValue {
  return type === 'string' ? text : structured(text);
}

/** JSON arrays and objects of strings as such; anything else as text. */
function structured(text: string): ParamValue {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text; // no JSON: the text itself is the value, and its type is then found not to fit
  }
  if (typeof value === 'string') return value;
  const isText = (part: unknown) => typeof part === 'string';
  if (Array.isArray(value)) return value.every(isText) ? value : text;
  return value && typeof value === 'object' && Object.values(value).every(isText) ? (value as Record<string, string>) : text;
}

export function resultType(spec: ResultSpec): 'string' | 'array' | 'object' {
  return spec.type ?? (spec.properties ? 'object' : 'string');
}

/** Results by their type, as status has them. */
export function typedResults(specs: readonly ResultSpec[], written: readonly Written[]): TaskRunResult[] {
  return written.map(({ name, text }) => {
    const value = valueOf(text, resultType(specs.find((spec) => spec.name === name)!));
    return { name, type: typeOf(value), value };
  });
}

/** The Task's results: its own files, and the step results that it takes over. */
export function taskResults(task: Task, written: readonly Written[], ofSteps: ReadonlyMap<string, readonly TaskRunResult[]>): TaskRunResult[] {
  const all = new Map(typedResults(task.results ?? [], written).map((result) => [result.name, result]));
  for (const spec of task.results ?? []) {
    const match = typeof spec.value === 'string' ? /^\$\(steps\.([^.]+)\.results\.([^).[\]]+)(?:\[\*\])?\)$/.exec(spec.value) : null;
    const found = match && ofSteps.get(match[1]!)?.find((result) => result.name === match[2]);
    if (found) all.set(spec.name, { ...found, name: spec.name });
  }
  return [...all.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Throws InvalidValue where a result is not of its declared type or an object lacks a declared key. */
export function checkResults(specs: readonly ResultSpec[], results: readonly TaskRunResult[]): void {
  for (const result of results) {
    const spec = specs.find((each) => each.name === result.name);
    if (!spec) continue;
    const type = typeOf(result.value);
    if (type !== resultType(spec)) throw new InvalidValue(`result "${result.name}" is declared as ${resultType(spec)}, but what was written is ${type}`);
    const missing = Object.keys(spec.properties ?? {}).filter((key) => !Object.hasOwn(result.value as object, key));
    if (missing.length) throw new InvalidValue(`result "${result.name}" lacks the keys ${missing.join(', ')}`);
  }
}

/** Finds the result of an earlier step on disk; undefined when it wrote none. Its type is what its JSON says, as in Tekton. */
export async function stepResult(stepsFolder: string, step: string, result: string): Promise<ParamValue | undefined> {
  if (/[/\\\0]/.test(step + result) || result === '..') return undefined;
  try {
    return structured(await readFile(join(stepsFolder, `step-${step}`, 'results', result), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
