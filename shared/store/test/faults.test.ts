// Disks that fill up, dead letters that cannot be written, clocks that step, processes that are killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { StoreError } from '../database/errors.ts';
import { DONE, REQUESTED, testEvent, testPipeline } from './things.ts';
import { count, openTestStore, tempPath } from './open.ts';

afterEach(() => {
  vi.useRealTimers();
});

const pageCount = (db: ReturnType<typeof openTestStore>['db']) => (db.sql.prepare('PRAGMA page_count').get() as { page_count: number }).page_count;

it('refuses writes on a full disk, loses none that it confirmed, and goes on when there is room', async () => {
  const store = openTestStore();
  const { db } = store;
  const seen = new Set<string>();
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 4, maxAttempts: 3 }, async (delivery) => {
    await store.commit(delivery, { create: [testPipeline(`of-${delivery.event.id}`)], events: [] });
    seen.add(delivery.event.id);
    return DONE;
  });
  db.sql.exec(`PRAGMA max_page_count = ${pageCount(db) + 20}`);
  const confirmed: string[] = [];
  let refused: unknown;
  for (let i = 0; i < 200 && !refused; i++) {
    await store.broker.publish([testEvent(`e${i}`, undefined, 2000)]).then(
      () => confirmed.push(`e${i}`),
      (error: unknown) => (refused = error),
    );
  }
  expect(refused).toBeInstanceOf(StoreError);
  expect(refused).toMatchObject({ kind: 'full', message: expect.stringContaining('the disk is full; make room') });
  expect(confirmed.length).toBeGreaterThan(0);
  await expect(
    store.objects.create({ ...testPipeline('big'), metadata: { name: 'big', namespace: 'default', annotations: { a: 'x'.repeat(4096) } } }),
  ).rejects.toMatchObject({ kind: 'full' });
  const readable = db.sql.prepare('SELECT count(*) AS n FROM events').get() as { n: number };
  expect(readable.n).toBe(confirmed.length);

  db.sql.exec('PRAGMA max_page_count = 1073741823');
  await store.broker.publish([testEvent('after')]);
  await expect.poll(() => [...seen].toSorted(), { timeout: 10_000 }).toEqual([...confirmed, 'after'].toSorted());
  await expect.poll(() => count(db, 'deliveries')).toBe(0);
  expect(await store.broker.deadLetters()).toEqual([]);
});

it('keeps a delivery whose dead letter cannot be written, without handling it again', async () => {
  const store = openTestStore();
  store.db.sql.exec(`CREATE TRIGGER down BEFORE INSERT ON dead_letters BEGIN SELECT RAISE(ABORT, 'the dead letter is down'); END`);
  let calls = 0;
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 1, maxAttempts: 3 }, async () => {
    calls++;
    return { kind: 'dead', reason: 'refused for good' };
  });
  await store.broker.publish([testEvent('1')]);
  await expect.poll(() => calls).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(count(store.db, 'deliveries')).toBe(1);
  expect(count(store.db, 'dead_letters')).toBe(0);
  store.db.sql.exec('DROP TRIGGER down');
  await expect.poll(() => store.broker.deadLetters()).toMatchObject([{ reason: 'refused for good' }]);
  expect(count(store.db, 'deliveries')).toBe(0);
  expect(calls).toBe(1);
});

it('delivers what waits in time, when the clock steps back ten minutes while it runs', async () => {
  const store = openTestStore();
  const attempts: number[] = [];
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 1, maxAttempts: 3 }, async ({ attempt }) => {
    attempts.push(attempt);
    if (attempt > 1) return DONE;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 600_000 });
    return { kind: 'retry', after_ms: 150, reason: 'later' };
  });
  await store.broker.publish([testEvent('1')]);
  await expect.poll(() => attempts, { timeout: 3000 }).toEqual([1, 2]);
});

it('delivers what waits in time, when the clock stepped back before a restart', async () => {
  const path = tempPath();
  const hour = 3_600_000;
  const before = openTestStore(path, { clock: () => Date.now() + hour });
  before.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 2, maxAttempts: 3 }, async ({ event }) => {
    return { kind: 'retry', after_ms: event.id === 'soon' ? 200 : hour, reason: 'later' };
  });
  await before.broker.publish([testEvent('soon'), testEvent('late')]);
  const waiting = () => (before.db.sql.prepare('SELECT count(*) AS n FROM deliveries WHERE due > 0').get() as { n: number }).n;
  await expect.poll(waiting).toBe(2);
  await before.close();

  const after = openTestStore(path);
  const seen: string[] = [];
  after.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 2, maxAttempts: 3 }, async ({ event }) => (seen.push(event.id), DONE));
  await expect.poll(() => seen, { timeout: 3000 }).toEqual(['soon']);
});

it('knows an event again after three days', async () => {
  const path = tempPath();
  const before = openTestStore(path);
  await before.broker.publish([testEvent('1')]);
  await before.close();
  const after = openTestStore(path, { clock: () => Date.now() + 3 * 86_400_000 });
  const seen: string[] = [];
  after.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 2, maxAttempts: 3 }, async ({ event }) => (seen.push(event.id), DONE));
  await after.broker.publish([testEvent('1'), testEvent('2')]);
  await expect.poll(() => seen).toEqual(['2']);
});

it('has everything that it confirmed, and no half of anything, after it was killed in a storm of writes', { timeout: 60_000 }, async () => {
  const path = tempPath();
  const script = fileURLToPath(new URL('./storm.child.ts', import.meta.url));
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [script, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let confirmed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (confirmed += text));
    await expect.poll(() => confirmed.length, { timeout: 20_000 }).toBeGreaterThan(500 + round * 700);
    child.kill('SIGKILL');
    await once(child, 'close');

    const store = openTestStore(path);
    const lines = confirmed.split('\n').slice(0, -1);
    for (const name of lines) {
      expect(await store.objects.get('Pipeline', { namespace: 'default', name }), `${name} was confirmed`).toBeDefined();
    }
    // Each commit made one object and one event of the same name: never one without the other.
    const { sql } = store.db;
    expect(sql.prepare("SELECT name FROM objects EXCEPT SELECT substr(id, 8) FROM events WHERE id LIKE 'effect-%'").all()).toEqual([]);
    expect(sql.prepare("SELECT substr(id, 8) FROM events WHERE id LIKE 'effect-%' EXCEPT SELECT name FROM objects").all()).toEqual([]);
    expect(sql.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    // What was not done is still to be done, and is: every cause has its effect in the end.
    store.broker.subscribe({ name: 'storm', types: [REQUESTED], concurrency: 16, maxAttempts: 3 }, async (delivery) => {
      const name = delivery.event.id.replace('cause-', '');
      await store.commit(delivery, { create: [testPipeline(name)], events: [testEvent(`effect-${name}`, 'dev.tidemill.artifact.resolved.v1')] });
      return DONE;
    });
    await expect.poll(() => count(store.db, 'deliveries'), { timeout: 20_000 }).toBe(0);
    expect(sql.prepare("SELECT count(*) AS n FROM events WHERE id LIKE 'cause-%'").get()).toEqual(
      sql.prepare("SELECT count(*) AS n FROM events WHERE id LIKE 'effect-%'").get(),
    );
    await store.close();
  }
});
