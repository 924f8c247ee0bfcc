// From a zod schema to the structural schema that Kubernetes takes in a CustomResourceDefinition.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
import { z } from 'zod';
import { re2 } from './pattern.ts';
import { beyondJson, type Rule } from './refinements.ts';

/** A node of a structural schema: as much of JSON Schema as Kubernetes takes, and its extensions. */
export interface Structural {
  type?: string;
  description?: string;
  format?: string;
  enum?: unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  items?: Structural;
  properties?: Record<string, Structural>;
  required?: string[];
  additionalProperties?: Structural;
  allOf?: Structural[];
  'x-kubernetes-validations'?: Rule[];
  'x-kubernetes-preserve-unknown-fields'?: true;
  'x-kubernetes-list-type'?: 'map' | 'atomic';
  'x-kubernetes-list-map-keys'?: string[];
}

/** The same from zod, before it is structural. */
interface Json extends Omit<Structural, 'items' | 'properties' | 'additionalProperties' | 'allOf'> {
  items?: Json;
  properties?: Record<string, Json>;
  additionalProperties?: Json | boolean;
  allOf?: Json[];
  oneOf?: Json[];
  anyOf?: Json[];
  rules?: Rule[];
}

/** The schema's structural form. Throws, naming the place, on what has none. */
export function structural(schema: z.ZodType, where: string): Structural {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    target: 'openapi-3.0',
    override: ({ zodSchema, jsonSchema }) => void Object.assign(jsonSchema, beyondJson(zodSchema, where)),
  });
  return convert(json as Json, where);
}

function convert(json: Json, where: string): Structural {
  const about = { ...(json.description && { description: json.description }), ...(json.rules && { 'x-kubernetes-validations': json.rules }) };
  if (json.oneOf) return { ...flattened(json.oneOf, where), ...about };
  // Kubernetes has no type for "one of several types": such a field takes anything, and is checked by whoever reads it.
  if (json.anyOf || !json.type) return { ...about, 'x-kubernetes-preserve-unknown-fields': true };
  if (json.type === 'object') return { type: 'object', ...about, ...objectOf(json, where) };
  if (json.type === 'array') return { type: 'array', ...about, ...listOf(json, where) };
  if (json.type === 'integer') return { type: 'integer', ...about, format: 'int64', ...pick(json, ['minimum', 'maximum', 'enum']) };
  if (json.type === 'string') return { type: 'string', ...about, ...stringOf(json, where) };
  return { type: json.type, ...about, ...pick(json, ['enum', 'minimum', 'maximum']) };
}

function objectOf(json: Json, where: string): Partial<Structural> {
  const properties = Object.entries(json.properties ?? {}).map(([key, value]) => [key, convert(value, `${where}.${key}`)] as const);
  const required = [...(json.required ?? [])].sort();
  const values = json.additionalProperties;
  const loose = typeof values === 'object' && Object.keys(values).length === 0;
  const map = typeof values === 'object' && !loose;
  return {
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    ...(required.length > 0 && { required }),
    ...(loose && { 'x-kubernetes-preserve-unknown-fields': true }),
    ...(map && { additionalProperties: convert(values, `${where}.*`), ...pick(json, ['maxProperties']) }),
  };
}

function listOf(json: Json, where: string): Partial<Structural> {
  const items = convert(json.items!, `${where}[]`);
  const byType = where.endsWith('.conditions');
  return {
    ...pick(json, ['minItems', 'maxItems']),
    items,
    'x-kubernetes-list-type': byType ? 'map' : 'atomic',
    ...(byType && { 'x-kubernetes-list-map-keys': ['type'] }),
  };
}

function stringOf(json: Json, where: string): Partial<Structural> {
  // Kubernetes knows the format; zod's pattern for it fills half a page.
  if (json.format === 'date-time') return { format: 'date-time' };
  const patterns = json.allOf?.map(({ pattern }) => ({ pattern: re2(String(pattern), where) }));
  return {
    ...pick(json, ['minLength', 'maxLength', 'enum']),
    ...(json.pattern && { pattern: re2(json.pattern, where) }),
    ...(patterns && { allOf: patterns }),
  };
}

/** The variants of a union told apart by one field, as one object, with rules that say which fields go with which. */
function flattened(variants: Json[], where: string): Structural {
  const tag = Object.keys(variants[0]?.properties ?? {}).find((key) => variants.every((variant) => variant.properties?.[key]?.enum?.length === 1));
  if (!tag) throw new Error(`${where} is a union without a field that tells its variants apart: Kubernetes cannot have it`);
  const named = variants.map((variant) => ({
    value: String(variant.properties?.[tag]?.enum?.[0]),
    schema: convert({ ...variant, type: 'object' }, where),
  }));
  const properties: Record<string, Structural> = {};
  for (const { schema } of named) {
    for (const [key, value] of Object.entries(schema.properties ?? {})) properties[key] = merged(properties[key], value, `${where}.${key}`, key === tag);
  }
  const required = Object.keys(properties).filter((key) => named.every(({ schema }) => schema.required?.includes(key)));
  const rules = named.flatMap(({ value, schema }) => {
    const needs = (schema.required ?? []).filter((key) => !required.includes(key));
    const others = Object.keys(properties).filter((key) => !schema.properties?.[key]);
    const other = `self.${tag} != '${value}'`;
    return [
      ...needs.map((key) => ({ rule: `${other} || has(self.${key})`, message: `${tag} ${value} needs ${key}` })),
      ...others.map((key) => ({ rule: `${other} || !has(self.${key})`, message: `${key} does not go with ${tag} ${value}: leave it out` })),
    ];
  });
  return { type: 'object', properties, required: required.sort(), 'x-kubernetes-validations': rules };
}

function merged(one: Structural | undefined, other: Structural, where: string, isTag: boolean): Structural {
  if (!one) return other;
  if (isTag)
    return { ...one, enum: [...(one.enum ?? []), ...(other.enum ?? [])], ...(one.description ? {} : other.description && { description: other.description }) };
  const { description: first, ...plain } = one;
  const { description: second, ...same } = other;
  if (JSON.stringify(plain) !== JSON.stringify(same)) throw new Error(`${where} differs between the variants of its union: Kubernetes has one schema for both`);
  const description = [...new Set([first, second])].filter(Boolean).join(' ');
  return { ...plain, ...(description && { description }) };
}

function pick(json: Json, keys: readonly (keyof Structural)[]): Partial<Structural> {
  return Object.fromEntries(keys.filter((key) => json[key] !== undefined).map((key) => [key, json[key]]));
}
