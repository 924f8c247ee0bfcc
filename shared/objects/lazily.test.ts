import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { looseObject, object, strictObject } from './lazily.ts';

test.each([
  ['object', object, z.object, { a: 'x' }],
  ['looseObject', looseObject, z.looseObject, { a: 'x', b: 1 }],
  ['strictObject', strictObject, z.strictObject, undefined],
] as const)('%s takes what that of zod takes, and makes its fields at the first look, once, for all that came of it', (_name, make, ofZod, taken) => {
  const fields = vi.fn(() => ({ a: z.string().max(2), c: z.int().optional() }));
  const schema = make(fields);
  const described = schema.describe('Something.').optional();
  expect(fields).not.toHaveBeenCalled();
  for (const value of [{ a: 'x' }, { a: 'x', b: 1 }, { a: 'xyz' }, { a: 'x', c: 0.5 }, {}, null])
    expect(schema.safeParse(value)).toEqual(ofZod({ a: z.string().max(2), c: z.int().optional() }).safeParse(value));
  expect(described.safeParse({ a: 'x', b: 1 }).data).toEqual(taken);
  expect(Object.keys(schema.shape)).toEqual(['a', 'c']);
  expect(z.toJSONSchema(schema)).toEqual(z.toJSONSchema(ofZod({ a: z.string().max(2), c: z.int().optional() })));
  expect(fields).toHaveBeenCalledTimes(1);
});
