// The store against the contracts of its two ports, as it is and with a broker that duplicates and reorders.
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { type OpenBroker, brokerContract } from '../../test/contracts/broker.ts';
import { objectsContract } from '../../test/contracts/objects.ts';
import { type StoreOptions, openStore } from './store.ts';
import { StoreError } from './database/errors.ts';
import { testEvent, testPipeline } from './test/things.ts';
import { openTestStore, tempPath } from './test/open.ts';

const openBroker = (path: string, options: StoreOptions): OpenBroker => {
  const store = openStore(path, { backoff: { base_ms: 20, cap_ms: 100 }, ...options });
  return {
    broker: store.broker,
    close: store.close,
    reopen: async () => {
      await store.close();
      return openBroker(path, options);
    },
  };
};

objectsContract('sqlite, file', async () => openStore(tempPath()), { newestFirst: true, forgetsAfter: 4096 });
objectsContract('sqlite, memory', async () => openStore(':memory:'), { newestFirst: true });

const can = { durable: true, remembersEvents: true, deadLetters: true, retryWithin_ms: 100 };
brokerContract('sqlite', async () => openBroker(tempPath(), {}), can);
brokerContract('sqlite, memory', async () => openBroker(':memory:', {}), { ...can, durable: false, remembersEvents: false });
for (const seed of [1, 2, 3]) {
  brokerContract(`sqlite, chaos ${seed}`, async () => openBroker(tempPath(), { chaos: { duplicate: 0.5, reorder: 0.5, seed } }), { ...can, chaotic: true });
}

it('keeps the file to its owner', async () => {
  const path = tempPath();
  writeFileSync(path, '');
  chmodSync(path, 0o644);
  const store = openTestStore(path);
  await store.broker.publish([testEvent('1')]);
  for (const suffix of ['', '-wal']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600);
});

it('refuses a file that is open already, and says so', () => {
  const { path } = openTestStore();
  expect(() => openStore(path)).toThrow(/another process has it open/);
});

it('refuses a file that is no database, and one of a newer version', async () => {
  const garbage = tempPath();
  writeFileSync(garbage, 'this is no database, whatever its name says'.repeat(100));
  expect(() => openStore(garbage)).toThrow(/no SQLite database/);

  const newer = tempPath();
  await openStore(newer).close();
  const sql = new DatabaseSync(newer);
  sql.exec('PRAGMA user_version = 1000');
  sql.close();
  expect(() => openStore(newer)).toThrow(/newer tidemill/);
});

it('refuses writes after it was closed, and kept those before', async () => {
  const path = tempPath();
  const store = openTestStore(path);
  const before = store.broker.publish([testEvent('1')]);
  await store.close();
  await before;
  const late = store.broker.publish([testEvent('2')]);
  await expect(late).rejects.toBeInstanceOf(StoreError);
  await expect(late).rejects.toMatchObject({ kind: 'closed' });
  const again = openTestStore(path);
  expect(again.db.sql.prepare('SELECT id FROM events').all()).toEqual([{ id: '1' }]);
});

const ODD = `quotes " and \\ and 'these', a line\nand ☃ 𝒳`;

it('tells watches of objects just as it gives them, whatever stands in them', async () => {
  const { objects } = openTestStore();
  const stop = new AbortController();
  const metadata = { name: 'a.b-c', namespace: 'default', labels: { 'example.com/a': 'b' }, annotations: { 'example.com/note': ODD } };
  const made = await objects.create({ kind: 'Lane', metadata, spec: { project: 'example', ref: 'refs/heads/☃' } });
  const outbox = [{ cause: 'c', at: '2026-11-21T10:00:00.000Z', events: [JSON.stringify({ odd: ODD })] }];
  const written = await objects.updateStatus({ ...made, status: { mode: 'queue', slots: 1, last: 1, running: [], waiting: [], recent: [], outbox } });
  const there = await objects.get('Lane', { namespace: 'default', name: 'a.b-c' });
  expect(there).toStrictEqual(written);
  expect(there?.metadata.annotations).toEqual(metadata.annotations);
  expect(there?.status?.outbox).toEqual(outbox);
  for await (const event of objects.watch('Lane', { since: made.metadata.resourceVersion, signal: stop.signal })) {
    expect(event).toStrictEqual({ type: 'MODIFIED', object: there });
    stop.abort();
  }
});

it('gives what was written as an object of the writer’s own: parts may be read, copied, replaced and taken away', async () => {
  const { objects } = openTestStore();
  const made = await objects.create(testPipeline('a'));
  expect('status' in made).toBe(false);
  const condition = { type: 'Ready', status: 'True' as const, reason: 'Told', lastTransitionTime: '2026-11-21T10:00:00.000Z' };
  const write = async (reason: string) =>
    objects.updateStatus({ ...(await objects.get('Pipeline', made.metadata))!, status: { conditions: [{ ...condition, reason }] } });
  expect(Object.keys(await write('One'))).toEqual(['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  expect(JSON.parse(JSON.stringify(await write('Two'))).status.conditions[0].reason).toBe('Two');
  expect(structuredClone(await write('Three')).status?.conditions?.[0]?.reason).toBe('Three');
  const changed = await write('Four');
  changed.status!.conditions![0]!.reason = 'Five';
  expect({ ...changed }.status?.conditions?.[0]?.reason).toBe('Five');
  const replaced = await write('Six');
  replaced.status = { conditions: [] };
  expect(replaced.status).toEqual({ conditions: [] });
  delete replaced.status;
  expect('status' in replaced).toBe(false);
});

it('takes a status with its keys in another order for the same, and one with the same characters for another', async () => {
  const { objects } = openTestStore();
  const made = await objects.create({
    kind: 'Lane',
    metadata: { name: 'a', namespace: 'default', labels: { a: '1', b: '2' } },
    spec: { project: 'example', ref: 'refs/heads/main' },
  });
  const status = { mode: 'queue' as const, slots: 12, last: 21, running: [], waiting: [], recent: [] };
  const first = await objects.updateStatus({ ...made, status });
  const version = first.metadata.resourceVersion;
  const turned = { recent: [], waiting: [], running: [], last: 21, slots: 12, mode: 'queue' as const };
  const labels = { b: '2', a: '1' };
  expect((await objects.updateStatus({ ...first, metadata: { ...first.metadata, labels }, status: turned })).metadata.resourceVersion).toBe(version);
  const other = await objects.updateStatus({ ...first, status: { ...status, slots: 21, last: 12 } });
  expect(other.metadata.resourceVersion).not.toBe(version);
  const relabelled = await objects.updateStatus({ ...other, metadata: { ...other.metadata, labels: { a: '2', b: '1' } } });
  expect(relabelled.metadata.resourceVersion).not.toBe(other.metadata.resourceVersion);
  expect(relabelled.metadata.labels).toEqual({ a: '2', b: '1' });
});
