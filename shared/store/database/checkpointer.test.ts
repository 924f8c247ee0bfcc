// The WAL is moved into the database beside the event loop, and never grows for ever.
import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { count, openTestStore } from '../test/open.ts';
import { testEvent } from '../test/things.ts';

it('keeps the WAL bounded while writers never pause, and the event loop free', { timeout: 60_000 }, async () => {
  const store = openTestStore();
  let largest = 0;
  let written = 0;
  const writer = async () => {
    while (written < 30_000) {
      const events = Array.from({ length: 20 }, () => testEvent(`e${written++}`, undefined, 1000));
      await store.broker.publish(events);
      largest = Math.max(largest, statSync(`${store.path}-wal`).size);
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  // About 45 MB went through it.
  expect(statSync(store.path).size).toBeGreaterThan(20_000_000);
  expect(largest).toBeLessThan(30_000_000);
  expect(count(store.db, 'events')).toBe(written);
});

it('has everything after it was closed in the middle of a checkpoint', async () => {
  const store = openTestStore();
  const all = Promise.all(Array.from({ length: 5000 }, (_, i) => store.broker.publish([testEvent(`e${i}`)])));
  await store.broker.publish([testEvent('last')]);
  await all;
  await store.close();
  expect(() => statSync(`${store.path}-wal`)).toThrow();
  const again = openTestStore(store.path);
  expect(count(again.db, 'events')).toBe(5001);
  expect(again.db.sql.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
});
