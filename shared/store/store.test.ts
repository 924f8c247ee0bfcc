// The store against the contracts of its two ports, as it is and with a broker that duplicates and reorders.
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { type OpenBroker, brokerContract } from '../../test/contracts/broker.ts';
import { objectsContract } from '../../test/contracts/objects.ts';
import { type StoreOptions, openStore } from './store.ts';
import { StoreError } from './database/errors.ts';
import { testEvent } from './test/things.ts';
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
