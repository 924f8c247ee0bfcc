import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '../object.ts';
import { difference, type Operation, patchesBetween } from './patches.ts';

/** RFC 6902, as far as differences use it. */
function applied(document: unknown, operations: readonly Operation[]): unknown {
  const root = { '': structuredClone(document) } as Record<string, unknown>;
  for (const { op, path, value } of operations) {
    const keys = ['', ...path.split('/').slice(1)].map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop()!;
    const holder = keys.reduce((at, key) => at[key] as Record<string, unknown>, root);
    if (op === 'remove') delete holder[last];
    else if (path === '') root[''] = structuredClone(value);
    else {
      if (op === 'replace' && !(last in holder)) throw new Error(`${path} is not there`);
      holder[last] = structuredClone(value);
    }
  }
  return root[''];
}

const key = fc.string({ maxLength: 4, unit: fc.constantFrom('a', 'b', '/', '~', '.') }).filter((text) => text !== '__proto__');
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('x', 'y', 1, true, null),
    fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    fc.array(tie('tree'), { maxLength: 3 }),
  ),
}));

test('the difference of two trees makes the one of the other, and of one tree there is none', () => {
  fc.assert(
    fc.property(fc.dictionary(key, tree), fc.dictionary(key, tree), (from, to) => {
      expect(applied(from, difference(from, to))).toEqual(to);
      expect(difference(from, structuredClone(from))).toEqual([]);
    }),
  );
});

const object = (name: string, spec: object): KubeObject => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec });

test('what several have in common is one patch, and of all of a kind it needs no names', () => {
  const from = ['a', 'b', 'c'].map((name) => object(name, { cpu: 1, memory: 1 }));
  const to = [object('a', { cpu: 2, memory: 1 }), object('b', { cpu: 2, memory: 2 }), object('c', { cpu: 2, memory: 2 }), object('d', {})];
  const target = { group: 'apps', version: 'v1', kind: 'Deployment' };
  expect(patchesBetween(from, to)).toEqual({
    patches: [
      { target, operations: [{ op: 'replace', path: '/spec/cpu', value: 2 }] },
      { target: { ...target, name: 'b|c' }, operations: [{ op: 'replace', path: '/spec/memory', value: 2 }] },
    ],
    added: [to[3]],
  });
});

test('a size that takes an object away is refused', () => {
  expect(() => patchesBetween([object('a', {})], [])).toThrow(/apps\/v1 Deployment {2}a would have to go/);
});
