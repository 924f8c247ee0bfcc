// Values that a zod schema takes, made at random from the schema itself.
import fc from 'fast-check';
import { z } from 'zod';

interface Json {
  type?: string;
  enum?: unknown[];
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Json;
  properties?: Record<string, Json>;
  required?: string[];
  additionalProperties?: Json | boolean;
  oneOf?: Json[];
  anyOf?: Json[];
  refined?: string;
  keys?: string;
}

/** Long enough to meet bounds of names; what is longer is the business of the bounds' own test. */
const LONGEST = 300;
const MOST_ITEMS = 3;

export function valuesOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    target: 'openapi-3.0',
    override: ({ zodSchema, jsonSchema }) => {
      const { checks, keyType } = zodSchema._zod.def as {
        checks?: { _zod: { def: { check: string; error?: (issue: object) => unknown } } }[];
        keyType?: { _zod: { def: { checks?: { _zod: { def: { pattern?: RegExp } } }[] } } };
      };
      const custom = checks?.map((check) => check._zod.def).find(({ check }) => check === 'custom');
      if (custom) Object.assign(jsonSchema, { refined: String(custom.error?.({})) });
      const keys = keyType?._zod.def.checks?.map((check) => check._zod.def.pattern).find(Boolean);
      if (keys) Object.assign(jsonSchema, { keys: keys.source });
    },
  });
  return any(json as Json).filter((value) => schema.safeParse(value).success);
}

function any(json: Json): fc.Arbitrary<unknown> {
  const variants = json.oneOf ?? json.anyOf;
  if (variants) return fc.oneof(...variants.map(any));
  if (json.enum) return fc.constantFrom(...json.enum);
  if (json.type === 'string') return string(json);
  if (json.type === 'integer') return fc.integer({ min: Math.max(json.minimum ?? 0, -1000), max: Math.min(json.maximum ?? 0, 1_000_000) });
  if (json.type === 'boolean') return fc.boolean();
  if (json.type === 'array') return list(json);
  if (json.type === 'object') return object(json);
  throw new Error(`No values are known for ${JSON.stringify(json)}`);
}

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const ref = fc.array(fc.stringMatching(/^[a-zA-Z0-9ä_+!%-][a-zA-Z0-9._]{0,6}$/), { minLength: 1, maxLength: 4 }).map((parts) => `refs/${parts.join('/')}`);
const path = fc.array(fc.constantFrom('a', '.', '..a', 'b c', 'ä', 'x'.repeat(50)), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const url = fc
  .tuple(fc.constantFrom('http', 'https'), fc.domain(), fc.webPath(), fc.webQueryParameters())
  .map(([scheme, host, at, query]) => `${scheme}://${host}${at}?${query}`);
const time = fc.date({ min: new Date('1971-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }).map((date) => date.toISOString());
const location = fc.oneof(url, fc.constantFrom('/srv/git/docs.git', 'git@github.com:example/docs.git', 'ssh://git@host:22/a b.git', 'ä'));

function string(json: Json): fc.Arbitrary<string> {
  if (json.format === 'date-time') return time;
  if (json.refined?.startsWith('is not a valid ref')) return ref;
  if (json.refined?.startsWith('must be a relative path')) return path;
  // Unicode's classes are not for fast-check to draw from.
  if (json.pattern?.startsWith('^https?')) return url;
  if (json.pattern?.includes(String.raw`\p{`)) return location;
  const maxLength = Math.min(json.maxLength ?? LONGEST, LONGEST);
  const fits = (text: string) => text.length <= maxLength && text.length >= (json.minLength ?? 0);
  if (json.pattern)
    return fc.oneof(fc.stringMatching(new RegExp(json.pattern), { maxLength }).filter(fits), ...(json.pattern.startsWith('^[a-z0-9](') ? [word] : []));
  return fc.string({ unit: 'grapheme', minLength: json.minLength ?? 0, maxLength }).filter(fits);
}

function list(json: Json): fc.Arbitrary<unknown[]> {
  const bounds = { minLength: json.minItems ?? 0, maxLength: Math.min(json.maxItems ?? MOST_ITEMS, Math.max(MOST_ITEMS, json.minItems ?? 0)) };
  const items = any(json.items ?? {});
  if (!json.refined?.includes('must be unique')) return fc.array(items, bounds);
  const key = json.refined.startsWith('condition') ? 'type' : 'name';
  return fc.uniqueArray(items, { ...bounds, selector: (item) => (item as Record<string, unknown>)[key] });
}

function object(json: Json): fc.Arbitrary<unknown> {
  const values = json.additionalProperties;
  if (!json.properties && typeof values === 'object') {
    return fc.dictionary(
      json.keys ? fc.stringMatching(new RegExp(json.keys), { maxLength: 30 }) : word,
      any(Object.keys(values).length === 0 ? { type: 'string' } : values),
      { maxKeys: 3 },
    );
  }
  const properties = Object.fromEntries(Object.entries(json.properties ?? {}).map(([key, field]) => [key, any(field)]));
  return fc.record(properties, { requiredKeys: json.required ?? [] });
}
