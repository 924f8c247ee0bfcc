// Values that break one bound of a schema each: too long, too many, too small, of a wrong form, of a wrong type, missing, unknown.
import type { Structural } from '../../../knative/generate/crds/structural.ts';
import type { Path } from './walk.ts';
import { valueAt } from './walk.ts';

export interface Breach {
  path: Path;
  /** Undefined: the field is taken away. */
  value: unknown;
  what: string;
}

/** All breaches of the schema at and below the path, of those fields that `sample` has. */
export function breaches(schema: Structural, sample: unknown, path: Path = []): Breach[] {
  const value = valueAt(sample, path);
  if (value === undefined) return [];
  return [...own(schema, value).map(([what, bad]) => ({ path, value: bad, what })), ...inner(schema, sample, path)];
}

function own(schema: Structural, value: unknown): [what: string, value: unknown][] {
  const { maxLength, minLength, pattern, minimum, maximum, maxItems, minItems, maxProperties } = schema;
  const first = Array.isArray(value) ? (value as unknown[])[0] : undefined;
  return [
    ...(schema.type && schema.type !== 'object' ? [['wrong type', {}] as [string, unknown]] : []),
    ...(schema.type === 'object' ? [['wrong type', 'text'] as [string, unknown]] : []),
    ...(maxLength === undefined ? [] : [[`more than ${maxLength} characters`, 'a'.repeat(maxLength + 1)] as [string, unknown]]),
    ...(minLength === undefined ? [] : [['the empty string', ''] as [string, unknown]]),
    ...(pattern === undefined ? [] : [['not of the pattern', '-\n'] as [string, unknown]]),
    ...(schema.format === 'date-time' ? [['no time', '2026-01-02'] as [string, unknown]] : []),
    ...(schema.enum ? [['none of its values', 'none of them'] as [string, unknown]] : []),
    ...(schema.type === 'integer' ? [['no integer', 1.5] as [string, unknown]] : []),
    ...(minimum === undefined || minimum === -Number.MAX_SAFE_INTEGER ? [] : [[`less than ${minimum}`, minimum - 1] as [string, unknown]]),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? [] : [[`more than ${maximum}`, maximum + 1] as [string, unknown]]),
    ...(maxItems === undefined ? [] : [[`more than ${maxItems} items`, Array.from({ length: maxItems + 1 }, () => first)] as [string, unknown]]),
    ...(minItems === undefined ? [] : [['no items', []] as [string, unknown]]),
    ...(maxProperties === undefined
      ? []
      : [[`more than ${maxProperties} entries`, Object.fromEntries(Array.from({ length: maxProperties + 1 }, (_, i) => [`A${i}`, '']))] as [string, unknown]]),
  ];
}

function inner(schema: Structural, sample: unknown, path: Path): Breach[] {
  const missing = (schema.required ?? []).map((key) => ({ path: [...path, key], value: undefined, what: 'missing' }));
  const fields = Object.entries(schema.properties ?? {}).flatMap(([key, field]) => breaches(field, sample, [...path, key]));
  const items = schema.items ? breaches(schema.items, sample, [...path, 0]) : [];
  const entries = schema.additionalProperties
    ? Object.keys((valueAt(sample, path) ?? {}) as object).flatMap((key) => breaches(schema.additionalProperties!, sample, [...path, key]))
    : [];
  return [...missing, ...fields, ...items, ...entries];
}
