// Params of a Task: their types, their values, and the variables that come of them.
import type { ParamValue } from '../../objects/taskrun.ts';
import type { Param, ParamSpec, ValueType } from './spec.ts';
import { type Replacements, spellings, substitute, substituteArgument, wholeReference } from './substitute.ts';

/** A param or result that does not fit what the Task declares; ends the run as TaskRunValidationFailed. */
export class InvalidValue extends Error {
  override name = 'InvalidValue';
}

export function typeOf(value: ParamValue): ValueType {
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? 'array' : 'object';
}

/** Declared type, or what properties and default imply. */
export function paramType(spec: ParamSpec): ValueType {
  if (spec.type) return spec.type;
  if (spec.properties) return 'object';
  return spec.default === undefined ? 'string' : typeOf(spec.default);
}

/** Throws InvalidValue where a value is missing or of the wrong type, or an object lacks a declared key. Values nobody declared are passed over, as Tekton does. */
export function checkParams(specs: readonly ParamSpec[], params: readonly Param[]): void {
  const given = new Map(params.map((param) => [param.name, param.value]));
  const missing = specs.filter((spec) => spec.default === undefined && !given.has(spec.name)).map((spec) => spec.name);
  if (missing.length) throw new InvalidValue(`no value was given for ${list(missing)}, and there is no default`);
  const wrong = specs.filter((spec) => given.has(spec.name) && typeOf(given.get(spec.name)!) !== paramType(spec));
  if (wrong.length) {
    throw new InvalidValue(
      `params of the wrong type: ${wrong.map((spec) => `${spec.name} is ${paramType(spec)}, not ${typeOf(given.get(spec.name)!)}`).join(', ')}`,
    );
  }
  for (const spec of specs) if (paramType(spec) === 'object') checkKeys(spec, given.get(spec.name));
  for (const spec of specs) checkEnum(spec, given.get(spec.name));
}

function checkKeys(spec: ParamSpec, value: ParamValue | undefined): void {
  const has = new Set([...Object.keys((value as object) ?? {}), ...Object.keys((spec.default as object) ?? {})]);
  const missing = Object.keys(spec.properties ?? {}).filter((key) => !has.has(key));
  if (missing.length) throw new InvalidValue(`object param ${spec.name} lacks ${list(missing)}`);
}

function checkEnum(spec: ParamSpec, value: ParamValue | undefined): void {
  if (!spec.enum?.length || typeof value !== 'string' || value === '') return;
  if (!spec.enum.includes(value)) throw new InvalidValue(`param ${spec.name} must be one of ${list(spec.enum)}, not ${JSON.stringify(value)}`);
}

function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

/** The variables of the params: defaults first, then what the run gives. */
export function paramReplacements(specs: readonly ParamSpec[], params: readonly Param[]): Replacements {
  const strings = new Map<string, string>();
  const arrays = new Map<string, readonly string[]>();
  const objects = new Map<string, Record<string, string>>();
  const set = (name: string, value: ParamValue) => {
    for (const spelling of spellings('params', name)) {
      if (typeof value === 'string') strings.set(spelling, value);
      else if (Array.isArray(value)) setArray(spelling, value);
      else objects.set(spelling, { ...objects.get(spelling), ...value });
    }
    if (typeOf(value) === 'object') for (const [key, part] of Object.entries(value)) strings.set(`params.${name}.${key}`, part);
  };
  const setArray = (spelling: string, value: readonly string[]) => {
    arrays.set(spelling, value);
    value.forEach((element, index) => strings.set(`${spelling}[${index}]`, element));
  };
  const referring = specs.filter((spec) => typeof spec.default === 'string' && spec.default.includes('$(params.'));
  for (const spec of specs) if (spec.default !== undefined && !referring.includes(spec)) set(spec.name, spec.default);
  for (const spec of inOrder(referring)) set(spec.name, substitute(spec.default as string, strings));
  for (const param of params) set(param.name, param.value);
  return { strings, arrays, objects };
}

/** Defaults that others refer to come first; those that refer to each other in a circle come last, and keep what cannot be replaced. */
function inOrder(specs: readonly ParamSpec[]): ParamSpec[] {
  const ordered: ParamSpec[] = [];
  for (let left = [...specs]; left.length;) {
    const ready = left.filter(
      (spec) => !left.some((other) => other !== spec && spellings('params', other.name).some((name) => (spec.default as string).includes(`$(${name})`))),
    );
    const next = ready.length ? ready : left;
    ordered.push(...next);
    left = left.filter((spec) => !next.includes(spec));
  }
  return ordered;
}

/** A param's value with its variables replaced; a text that is nothing but a reference takes the type of what it refers to. */
export function replaceInValue(value: ParamValue, by: Replacements): ParamValue {
  if (Array.isArray(value)) return value.flatMap((element) => substituteArgument(element, by));
  if (typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, substitute(part, by.strings)]));
  const whole = wholeReference(value);
  if (whole !== undefined && by.arrays.has(whole)) return [...by.arrays.get(whole)!];
  if (whole !== undefined && by.objects.has(whole)) return { ...by.objects.get(whole)! };
  return substitute(value, by.strings);
}

/** Throws InvalidValue when an element is asked for that its array does not have. `texts`: everything that may hold variables. */
export function checkIndexes(texts: readonly string[], by: Replacements): void {
  const outside = new Set<string>();
  for (const text of texts) {
    for (const [whole, spelling, index] of text.matchAll(/\$\((params(?:\.[\w.-]+|\["[^"\]]+"\]|\['[^'\]]+'\]))\[(\d+)\]\)/g)) {
      const array = by.arrays.get(spelling!);
      if (array && Number(index) >= array.length) outside.add(whole);
    }
  }
  if (outside.size) throw new InvalidValue(`array elements that do not exist: ${[...outside].join(', ')}`);
}
