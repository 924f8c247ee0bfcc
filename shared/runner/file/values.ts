// Param values as they are typed on a command line, and as YAML has them.
import type { ParamValue } from '../../objects/taskrun.ts';
import { paramType } from '../task/params.ts';
import type { ParamSpec } from '../task/spec.ts';

/** A value that does not fit its param. */
export class InvalidValueText extends Error {
  override name = 'InvalidValueText';
}

/** The text as the type that the param declares: JSON, or a comma list (a,b for an array, k:v,l:w for an object). */
export function valueFromText(spec: ParamSpec, text: string): ParamValue {
  const type = paramType(spec);
  if (type === 'string') return text;
  const json = fromJson(text, type === 'array' ? '[' : '{');
  if (type === 'array') {
    if (json === undefined) return text === '' ? [] : text.split(',').map((part) => part.trim());
    if (Array.isArray(json)) return json.map(textOf);
  } else {
    if (json === undefined) return Object.fromEntries(text.split(',').map((pair) => keyAndValue(spec.name, pair)));
    if (typeof json === 'object' && json !== null) return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, textOf(value)]));
  }
  throw new InvalidValueText(`param ${spec.name} is ${type === 'array' ? 'an array: give ["a","b"] or a,b' : 'an object: give {"k":"v"} or k:v'}`);
}

function fromJson(text: string, start: string): unknown {
  if (!text.trim().startsWith(start)) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidValueText(`${JSON.stringify(text.slice(0, 80))} begins like JSON, but is none: ${(error as Error).message}`);
  }
}

function keyAndValue(name: string, pair: string): [string, string] {
  const [, key, value] = /^\s*([^:=]+?)\s*[:=](.*)$/s.exec(pair) ?? [];
  if (key === undefined || value === undefined)
    throw new InvalidValueText(`param ${name} is an object: give {"k":"v"} or k:v,l:w, not ${JSON.stringify(pair)}`);
  return [key, value.trim()];
}

/** Numbers and booleans in YAML are text to Tekton. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A value as YAML has it, with what is no text made text. */
export function valueFromYaml(value: unknown): ParamValue {
  if (Array.isArray(value)) return value.map(textOf);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, textOf(part)]));
  return textOf(value);
}
