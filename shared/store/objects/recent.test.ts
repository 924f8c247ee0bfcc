// Rows that are kept after a write: never other than the table, whatever was undone, deleted or made anew in the same transaction.
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { Kind, NewObj, Obj } from '../../objects/kinds.ts';
import { Conflict, NotFound } from '../../ports/objects.ts';
import { openTestStore } from '../test/open.ts';
import { testEvent, testPipeline, withCondition } from '../test/things.ts';
import { createRecent } from './recent.ts';
import type { Row } from './records.ts';

type Store = ReturnType<typeof openTestStore>;

const NAMES = ['a', 'b', 'c'] as const;
const ref = (name: string) => ({ namespace: 'default', name });

/** What the table has, read without the store. */
function inTable({ db }: Store, name: string) {
  const row = db.sql.prepare('SELECT uid, version, status FROM objects WHERE kind = ? AND name = ?').get('Pipeline', name);
  return row && { uid: row['uid'], version: String(row['version']), status: row['status'] && JSON.parse(String(row['status'])) };
}

async function asGiven({ objects }: Store, name: string) {
  const object = await objects.get('Pipeline', ref(name));
  return object && { uid: object.metadata.uid, version: object.metadata.resourceVersion, status: object.status ?? null };
}

const operation = fc.record({
  what: fc.constantFrom('create', 'status', 'spec', 'delete', 'commit', 'commit stale'),
  name: fc.constantFrom(...NAMES),
  word: fc.constantFrom('One', 'Two', 'Three'),
});
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** The writes of `batch` go into one transaction; each begins with what was there before it. */
async function writeTogether(store: Store, batch: Operation[], known: Map<string, Obj<'Pipeline'>>): Promise<void> {
  const writes = batch.map(({ what, name, word }) => {
    const there =
      known.get(name) ?? ({ ...testPipeline(name), apiVersion: '', metadata: { ...testPipeline(name).metadata, resourceVersion: '1' } } as Obj<'Pipeline'>);
    const spec = { ...testPipeline(word.toLowerCase()).spec, description: word } as NewObj<'Pipeline'>['spec'];
    if (what === 'create') return store.objects.create(testPipeline(name));
    if (what === 'status') return store.objects.updateStatus(withCondition(there, word));
    if (what === 'spec') return store.objects.update({ ...there, metadata: { ...there.metadata, labels: { word } }, spec: there.spec ?? spec });
    if (what === 'delete') return store.objects.delete('Pipeline', ref(name));
    const create = what === 'commit' ? [testPipeline(name)] : [testPipeline('b'), testPipeline('c')];
    return store.commit(undefined, { create, status: withCondition(there, word), events: [testEvent(word)] });
  });
  await Promise.allSettled(writes);
}

it('gives what stands in the table after any writes, of one transaction or several', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(operation, { minLength: 1, maxLength: 6 }), { maxLength: 8 }), async (batches) => {
      const store = openTestStore(':memory:');
      const known = new Map<string, Obj<'Pipeline'>>();
      for (const batch of batches) {
        await writeTogether(store, batch, known);
        for (const name of NAMES) {
          expect(await asGiven(store, name)).toEqual(inTable(store, name));
          const now = await store.objects.get('Pipeline', ref(name));
          if (now) known.set(name, now);
        }
      }
      await store.close();
    }),
    { numRuns: 100 },
  );
});

it('reads what was just written without the table, and gives each reader an object of its own', async () => {
  const store = openTestStore();
  const made = await store.objects.create(testPipeline('a'));
  const first = await store.objects.get('Pipeline', made.metadata);
  first!.spec.stages = [];
  expect((await store.objects.get('Pipeline', made.metadata))?.spec.stages).toHaveLength(1);
});

it('knows who wrote last, and who took away, when it answers from what it keeps', async () => {
  const store = openTestStore();
  const made = await store.objects.create(testPipeline('a'));
  const told = await store.objects.updateStatus(withCondition(made, 'Told'));
  await expect(store.objects.updateStatus(withCondition(made, 'Late'))).rejects.toBeInstanceOf(Conflict);
  expect((await store.objects.updateStatus(withCondition(told, 'Told'))).metadata.resourceVersion).toBe(told.metadata.resourceVersion);
  await store.objects.delete('Pipeline', made.metadata);
  expect(await store.objects.get('Pipeline', made.metadata)).toBeUndefined();
  await expect(store.objects.updateStatus(withCondition(told, 'Late'))).rejects.toBeInstanceOf(NotFound);
});

it('forgets what a failed commit wrote', async () => {
  const store = openTestStore();
  const made = await store.objects.create(testPipeline('a'));
  // The table refuses a row while its transaction is under way: all that was written with it is undone.
  store.db.sql.exec(`CREATE TRIGGER refuse BEFORE INSERT ON changes WHEN NEW.name = 'b' BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`);
  const results = await Promise.allSettled([store.objects.updateStatus(withCondition(made, 'Lost')), store.objects.create(testPipeline('b'))]);
  expect(results.map(({ status }) => status)).toContain('rejected');
  store.db.sql.exec('DROP TRIGGER refuse');
  for (const name of NAMES) expect(await asGiven(store, name)).toEqual(inTable(store, name));
});

it('keeps so many and no large ones', () => {
  const row = (name: string, version: number, size = 10) =>
    ({ kind: 'Lane' as Kind, namespace: 'default', name, version, spec: '{}', status: 'x'.repeat(size) }) as Row;
  const recent = createRecent();
  const write = (each: Row) => {
    recent.touched(each.kind, each, each.version);
    expect(recent.get(each.kind, each)).toBeUndefined();
    recent.committed(each);
    return recent.get(each.kind, each);
  };
  expect(write(row('large', 1, 20_000))).toBeUndefined();
  const kept = row('kept', 2);
  expect(write(kept)).toBe(kept);
  recent.committed(row('kept', 1));
  expect(recent.get('Lane', kept)).toBe(kept);
  const forgotten = vi.fn<(name: string) => void>();
  for (let i = 0; i < 1000; i++) write(row(`n${i}`, 3 + i));
  for (let i = 0; i < 1000; i++) if (!recent.get('Lane', ref(`n${i}`))) forgotten(`n${i}`);
  expect(forgotten).toHaveBeenCalledTimes(1000 - 256);
  expect(recent.get('Lane', kept)).toBeUndefined();
});
