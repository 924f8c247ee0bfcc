import { expect, test } from 'vitest';
import { z } from 'zod';
import { map } from '../../../shared/objects/fields.ts';
import { kinds } from '../../../shared/objects/kinds.ts';
import { crdFiles, customResources, schemaOf } from '../crds.ts';
import { ownKinds } from './kinds.ts';
import { re2 } from './pattern.ts';
import { type Structural, structural } from './structural.ts';

interface Found {
  path: string;
  schema: Structural;
  /** Below a part that is Tekton's to check. */
  loose: boolean;
}

function all(schema: Structural, path: string, loose = false): Found[] {
  const below = loose || schema['x-kubernetes-preserve-unknown-fields'] === true;
  return [
    { path, schema, loose: below },
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => all(field, `${path}.${name}`, below)),
    ...(schema.items ? all(schema.items, `${path}[]`, below) : []),
    ...(schema.additionalProperties ? all(schema.additionalProperties, `${path}.*`, below) : []),
  ];
}

const everything = ownKinds.flatMap((kind) => all(schemaOf(kind), kind));

test('there is one for each kind but TaskRun, and a file of each', () => {
  expect(customResources().map(({ spec }) => spec.names.kind)).toEqual(Object.keys(kinds).filter((kind) => kind !== 'TaskRun'));
  expect(crdFiles().map(({ path }) => path)).toEqual([
    ...customResources().map(({ spec }) => `knative/crds/${spec.names.plural}.yaml`),
    'knative/crds/kustomization.yaml',
    'docs/objects.md',
  ]);
});

test('every field says what it is', () => {
  const silent = everything.filter(({ path, schema }) => !schema.description && !/\.metadata$|\[\]$|\.\*$/.test(path));
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test('every string, list and map is bounded, but for what is of a Task', () => {
  const bounded = ({ type, maxLength, enum: values, format, pattern, maxItems, maxProperties, additionalProperties }: Structural) => {
    if (type === 'string') return maxLength !== undefined || values !== undefined || format === 'date-time' || (pattern !== undefined && !/[*+]/.test(pattern));
    if (type === 'array') return maxItems !== undefined;
    return !additionalProperties || maxProperties !== undefined;
  };
  const endless = everything.filter(({ path, schema, loose }) => !loose && !/^\w+\.(?:apiVersion|kind)$/.test(path) && !bounded(schema));
  expect(endless.map(({ path }) => path)).toEqual([]);
});

test('columns and selectable fields are of fields that there are', () => {
  const there = (kind: (typeof ownKinds)[number], jsonPath: string) => {
    const path = jsonPath.replace(/\[\?.*?\)\]|\[\*\]|\[\d+\]/g, '[]').replace(/\['(\w+)',.*\]/, '.$1');
    return jsonPath.startsWith('.metadata.') || jsonPath.includes('..') || everything.some((found) => found.path === `${kind}${path}`);
  };
  for (const { spec } of customResources()) {
    const [version] = spec.versions;
    const paths = [...version!.additionalPrinterColumns, ...(version!.selectableFields ?? [])].map(({ jsonPath }) => jsonPath);
    expect(paths.filter((path) => !there(spec.names.kind as (typeof ownKinds)[number], path))).toEqual([]);
    expect(version!.selectableFields?.length ?? 0).toBeLessThanOrEqual(8);
  }
});

test('a union becomes one object, with rules for what goes with what', () => {
  const union = z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('a'), both: z.boolean(), only: z.boolean() }),
    z.strictObject({ type: z.literal('b'), both: z.boolean().optional() }),
  ]);
  expect(structural(union, 'X')).toEqual({
    type: 'object',
    properties: { type: { type: 'string', enum: ['a', 'b'] }, both: { type: 'boolean' }, only: { type: 'boolean' } },
    required: ['type'],
    'x-kubernetes-validations': [
      { rule: "self.type != 'a' || has(self.both)", message: 'type a needs both' },
      { rule: "self.type != 'a' || has(self.only)", message: 'type a needs only' },
      { rule: "self.type != 'b' || !has(self.only)", message: 'only does not go with type b: leave it out' },
    ],
  });
});

test('what Kubernetes cannot have is an error that names the place', () => {
  const differs = z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('a'), size: z.boolean() }),
    z.strictObject({ type: z.literal('b'), size: z.string() }),
  ]);
  expect(() => structural(differs, 'X.spec')).toThrow('X.spec.size differs between the variants');
  expect(() => structural(z.object({ odd: z.string().refine((text) => text !== 'a', 'must not be a') }), 'X.spec')).toThrow(
    /X\.spec has a refine\(\) without a CEL rule: add "must not be a" to/,
  );
  expect(() => re2('^a(?=b)', 'X.spec.name')).toThrow(/X\.spec\.name: .* look-around/);
  expect(() => re2(String.raw`(a)\1`, 'X')).toThrow(/back reference/);
});

test('a map has its size and the form of its keys', () => {
  const { 'x-kubernetes-validations': rules, ...rest } = structural(map(z.string().regex(/^it's\d$/, 'must be so'), z.string().max(3), 7), 'X');
  expect(rest).toEqual({ type: 'object', additionalProperties: { type: 'string', maxLength: 3 }, maxProperties: 7 });
  expect(rules).toEqual([{ rule: String.raw`self.all(key, key.matches('^it\'s\\d$'))`, message: 'every key must be so' }]);
});

test('several patterns of one string are all kept, white space as RE2 writes it', () => {
  const text = z
    .string()
    .max(9)
    .regex(/^[^\s]/)
    .regex(/\u00e4$/);
  expect(structural(text, 'X')).toEqual({
    type: 'string',
    maxLength: 9,
    allOf: [{ pattern: String.raw`^[^\t\n\v\f\r\p{Z}\x{feff}]` }, { pattern: String.raw`\x{00e4}$` }],
  });
});
