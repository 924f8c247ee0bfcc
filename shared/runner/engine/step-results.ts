// $(steps.<name>.results.<result>…) in command, args, env and when: replaced when the step begins, from what earlier steps wrote.
import type { ParamValue } from '../../objects/taskrun.ts';
import { CannotStart } from './process.ts';
import { stepResult } from './results.ts';
import type { When } from '../task/spec.ts';

const REFERENCE = /\$\(steps\.([a-z0-9][a-z0-9-]*)\.results\.([\w-]+)(?:\[(\*|\d+)\]|\.([\w-]+))?\)/g;

/** A reference to something that no earlier step wrote. */
export class NoSuchResult extends Error {
  override name = 'NoSuchResult';
}

type Lookup = (reference: RegExpExecArray | RegExpMatchArray) => string | readonly string[];

/** Reads every result that the texts refer to. Throws NoSuchResult. */
async function lookupFor(texts: readonly string[], stepsFolder: string): Promise<Lookup> {
  const values = new Map<string, ParamValue>();
  for (const text of texts) {
    for (const [whole, step = '', result = ''] of text.matchAll(REFERENCE)) {
      const key = `${step}\0${result}`;
      if (values.has(key)) continue;
      const value = await stepResult(stepsFolder, step, result);
      if (value === undefined) throw new NoSuchResult(`${whole} cannot be replaced: step "${step}" wrote no result "${result}"`);
      values.set(key, value);
    }
  }
  return ([whole, step = '', result = '', index, key]) => part(values.get(`${step}\0${result}`)!, index, key, whole);
}

/** A part that is not there, or a value of another type, is the empty text, as in Tekton; only an element past the end is an error. */
function part(value: ParamValue, index: string | undefined, key: string | undefined, whole: string): string | readonly string[] {
  if (index === '*') return Array.isArray(value) ? value : '';
  if (index !== undefined) {
    if (!Array.isArray(value)) return '';
    const element = value[Number(index)];
    // Tekton's entrypoint panics over it, and that is exit code 2.
    if (element === undefined) throw new CannotStart(`${whole} cannot be replaced: the array has ${value.length} elements`, 2);
    return element;
  }
  if (key !== undefined) return typeof value === 'object' && !Array.isArray(value) ? (value[key] ?? '') : '';
  return typeof value === 'string' ? value : '';
}

function inText(text: string, lookup: Lookup, alone: boolean): string {
  return text.replace(REFERENCE, (...match) => {
    const value = lookup(match);
    if (typeof value === 'string') return value;
    if (alone) throw new NoSuchResult(`${match[0]} cannot be replaced: an array must stand alone in its argument`);
    return '';
  });
}

function inArgument(text: string, lookup: Lookup): string[] {
  const [match] = [...text.matchAll(REFERENCE)];
  if (match && match[0] === text) {
    const value = lookup(match);
    return typeof value === 'string' ? [value] : [...value];
  }
  return [inText(text, lookup, true)];
}

export interface Launching {
  argv: string[];
  env: Record<string, string>;
  when: When[];
}

/** Throws NoSuchResult, CannotStart. */
export async function applyStepResults(launching: Launching, stepsFolder: string): Promise<Launching> {
  const texts = [...launching.argv, ...Object.values(launching.env), ...launching.when.flatMap((when) => [when.input, ...when.values])];
  if (!texts.some((text) => text.includes('$(steps.'))) return launching;
  const lookup = await lookupFor(texts, stepsFolder);
  return {
    argv: launching.argv.flatMap((text) => inArgument(text, lookup)),
    env: Object.fromEntries(Object.entries(launching.env).map(([name, value]) => [name, inText(value, lookup, false)])),
    when: launching.when.map((when) => ({
      ...when,
      input: inText(when.input, lookup, false),
      values: when.values.flatMap((value) => inArgument(value, lookup)),
    })),
  };
}

/** Whether every expression lets the step run. */
export function allows(when: readonly When[]): boolean {
  return when.every(({ input, operator, values }) => values.includes(input) === (operator === 'in'));
}
