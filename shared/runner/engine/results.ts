// Results: files that steps write, read back with the types and limits that Tekton has.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ParamValue, TaskRunResult } from '../../objects/taskrun.ts';
import { typeOf } from '../task/params.ts';
import type { ResultSpec, Task } from '../task/spec.ts';
import { readRegular } from './files.ts';

/** All results that one step leaves, as Tekton writes them down, may be this long (a container's termination message). */
export const RESULTS_LIMIT = 4096;

/** A step result that a later step takes over; what goes into status is bound by RESULTS_LIMIT. */
const STEP_RESULT_LIMIT = 131_072;

/** Bytes that Tekton needs beside the results themselves: the step's start time and the brackets. */
const OVERHEAD = 80;

export interface Written {
  name: string;
  text: string;
}

/** Files of these names in the folder; what is not there is left out. A file past the limit is cut, as it is too long anyway. Throws NotAFile. */
export async function readWritten(folder: string, specs: readonly ResultSpec[]): Promise<Written[]> {
  const found: Written[] = [];
  for (const { name } of specs) {
    const text = await readRegular(folder, name, RESULTS_LIMIT + 1);
    if (text !== undefined) found.push({ name, text });
  }
  return found;
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

function resultType(spec: ResultSpec, fallback: 'string' | 'array' = 'string'): 'string' | 'array' | 'object' {
  return spec.type ?? (spec.properties ? 'object' : fallback);
}

/** Results by their type, as status has them, by name. `fallback`: the type where none is declared. */
function typedResults(specs: readonly ResultSpec[], written: readonly Written[], fallback: 'string' | 'array'): TaskRunResult[] {
  const typed = written.map(({ name, text }) => {
    const value = valueOf(
      text,
      resultType(
        specs.find((spec) => spec.name === name)!,
        fallback,
      ),
    );
    return { name, type: typeOf(value), value };
  });
  return typed.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of a step: where no type is declared, what was written decides. */
export function stepResults(specs: readonly ResultSpec[], written: readonly Written[]): TaskRunResult[] {
  return typedResults(specs, written, 'array');
}

/** The Task's results: its own files, and the step results that it takes over. */
export function taskResults(task: Task, written: readonly Written[], ofSteps: ReadonlyMap<string, readonly TaskRunResult[]>): TaskRunResult[] {
  const all = new Map(typedResults(task.results ?? [], written, 'string').map((result) => [result.name, result]));
  for (const spec of task.results ?? []) {
    const match = typeof spec.value === 'string' ? /^\$\(steps\.([^.]+)\.results\.([^).[\]]+)(?:\[\*\])?\)$/.exec(spec.value) : null;
    const found = match && ofSteps.get(match[1]!)?.find((result) => result.name === match[2]);
    if (found) all.set(spec.name, { ...found, name: spec.name });
  }
  return [...all.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Those that are of their declared type, and what is wrong: with the others, or with an object that lacks a key, which is shown all the same. */
export function checkResults(specs: readonly ResultSpec[], results: readonly TaskRunResult[]): { kept: TaskRunResult[]; problem?: string } {
  const wrong = new Map<TaskRunResult, string>();
  const lacking: string[] = [];
  for (const result of results) {
    const spec = specs.find((each) => each.name === result.name);
    if (!spec) continue;
    const type = typeOf(result.value);
    const missing = Object.keys(spec.properties ?? {}).filter((key) => !Object.hasOwn(result.value as object, key));
    if (type !== resultType(spec)) wrong.set(result, `result "${result.name}" is declared as ${resultType(spec)}, but what was written is ${type}`);
    else if (missing.length) lacking.push(`result "${result.name}" lacks the keys ${missing.join(', ')}`);
  }
  const [problem] = [...wrong.values(), ...lacking];
  return { kept: results.filter((result) => !wrong.has(result)), ...(problem !== undefined && { problem }) };
}

/** The result of an earlier step; undefined when it wrote none. Its type is what its JSON says, as in Tekton. Throws NotAFile. */
export async function stepResult(stepsFolder: string, step: string, result: string): Promise<ParamValue | undefined> {
  const folder = join(stepsFolder, `step-${step}`, 'results');
  if (!existsSync(folder)) return undefined;
  const text = await readRegular(folder, result, STEP_RESULT_LIMIT);
  return text === undefined ? undefined : structured(text);
}
