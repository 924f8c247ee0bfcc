// What an install says of each object: made, changed by it, or as it was.
import { expect, test } from 'vitest';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { keyOf, type Live, type Resources } from '../cluster/resources.ts';
import { applyAll } from './apply.ts';

const object: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'mill' } };
const live = (resourceVersion: string, more: object): Live => ({ ...object, metadata: { ...object.metadata, uid: 'u', resourceVersion }, ...more }) as Live;
const answering = (after: Live) => ({ apply: () => Promise.resolve(after) }) as unknown as Resources;
const before = live('1', { data: { a: '1' }, status: { seen: 1 } });

test.each([
  ['is there for the first time', new Map<string, Live>(), before, { created: 1, changed: 0, same: 0 }],
  ['was left as it is', new Map([[keyOf(object), before]]), before, { created: 0, changed: 0, same: 1 }],
  [
    'has a newer status, which a controller wrote meanwhile',
    new Map([[keyOf(object), before]]),
    live('2', { data: { a: '1' }, status: { seen: 2 } }),
    { created: 0, changed: 0, same: 1 },
  ],
  ['has another field', new Map([[keyOf(object), before]]), live('2', { data: { a: '2' }, status: { seen: 1 } }), { created: 0, changed: 1, same: 0 }],
])('an object that %s is counted so', async (_what, there, after, counts) => {
  expect(await applyAll(answering(after), [object], there)).toEqual(counts);
});
