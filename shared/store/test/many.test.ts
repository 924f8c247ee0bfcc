// What must not grow with what is kept: deliveries, lists and watches read from indexes, bounded memory, bounded log.
import { DatabaseSync } from 'node:sqlite';
import { expect, it, vi } from 'vitest';
import { DONE, REQUESTED, testEvent, testPipeline } from './things.ts';
import { count, openTestStore, tempPath } from './open.ts';

it('delivers 10,000 that wait, once each, when their time comes, and others in the meantime', { timeout: 60_000 }, async () => {
  const store = openTestStore();
  const attempts = new Map<string, number>();
  let due = 0;
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 64, maxAttempts: 3 }, async ({ event, attempt }) => {
    attempts.set(event.id, attempt);
    due ||= performance.now() + 4000;
    if (attempt > 1 || event.id === 'in between') return DONE;
    return { kind: 'retry', after_ms: due - performance.now(), reason: 'all at once' };
  });
  for (let i = 0; i < 10_000; i += 1000) await store.broker.publish(Array.from({ length: 1000 }, (_, j) => testEvent(`e${i + j}`)));
  await expect.poll(() => attempts.size, { timeout: 20_000 }).toBe(10_000);
  await store.broker.publish([testEvent('in between')]);
  await expect.poll(() => attempts.get('in between')).toBe(1);
  await expect.poll(() => count(store.db, 'deliveries'), { timeout: 30_000 }).toBe(0);
  expect([...attempts.values()].filter((attempt) => attempt === 2)).toHaveLength(10_000);
});

it('reads what does not fit into memory from the table, in order, none left out', async () => {
  const store = openTestStore();
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 1, maxAttempts: 3 }, async ({ event }) => {
    await gate.promise;
    seen.push(event.id);
    return DONE;
  });
  const ids = Array.from({ length: 1800 }, (_, i) => `e${i}`);
  await store.broker.publish(ids.slice(0, 1500).map((id) => testEvent(id)));
  gate.resolve();
  await expect.poll(() => seen.length).toBeGreaterThan(100);
  await store.broker.publish(ids.slice(1500).map((id) => testEvent(id)));
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(ids.length);
  expect(seen).toEqual(ids);
});

it('never scans or sorts a table to answer', async () => {
  const texts = new Set<string>();
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare');
  const store = openTestStore();
  const first = await store.objects.create({ ...testPipeline('a'), metadata: { name: 'a', namespace: 'default', labels: { x: '1', y: '1' } } });
  await store.objects.create({ ...testPipeline('b'), metadata: { name: 'b', namespace: 'default', labels: { x: '1', y: '1' } } });
  for (const order of ['name', 'newest'] as const) {
    for (const namespace of [undefined, 'default']) {
      for (const labels of [{}, { x: '1' }, { x: '1', y: '1' }] as Record<string, string>[]) {
        const options = { order, limit: 1, labels, ...(namespace && { namespace }) };
        const page = await store.objects.list('Pipeline', options);
        expect((await store.objects.list('Pipeline', { ...options, continue: page.continue! })).items).toHaveLength(1);
      }
    }
  }
  const stop = new AbortController();
  for await (const event of store.objects.watch('Pipeline', { since: first.metadata.resourceVersion, signal: stop.signal })) {
    expect(event.type).toBe('ADDED');
    stop.abort();
  }
  for (const [text] of prepare.mock.calls) if (/^\s*(SELECT|UPDATE|DELETE)/.test(text)) texts.add(text);
  prepare.mockRestore();
  expect(texts.size).toBeGreaterThan(30);
  for (const text of texts) {
    const plan = store.db.sql.prepare(`EXPLAIN QUERY PLAN ${text}`).all() as { detail: string }[];
    for (const { detail } of plan) {
      // "SCAN (subquery-1)" counts what an index found; the first of the change log is asked for once, at the start.
      if (detail.startsWith('SCAN (') || /max\(version\)|INDEXED BY deliveries_due SET/.test(text)) continue;
      expect(detail, text).not.toMatch(/^SCAN|TEMP B-TREE/);
    }
  }
});

it('keeps a bounded log of changes', async () => {
  const store = openTestStore();
  let version = '';
  for (let i = 0; i < 24; i++) {
    const made = await Promise.all(Array.from({ length: 256 }, (_, j) => store.objects.create(testPipeline(`p-${i}-${j}`))));
    version = made.at(-1)!.metadata.resourceVersion;
  }
  expect(count(store.db, 'changes')).toBeLessThanOrEqual(4096 + 256);
  expect(Number(version)).toBe(24 * 256);
});

it('goes on counting versions after a restart', async () => {
  const path = tempPath();
  const before = openTestStore(path);
  const a = await before.objects.create(testPipeline('a'));
  await before.objects.delete('Pipeline', { namespace: 'default', name: 'a' });
  await before.close();
  const after = openTestStore(path);
  const b = await after.objects.create(testPipeline('a'));
  expect(Number(b.metadata.resourceVersion)).toBe(Number(a.metadata.resourceVersion) + 2);
});
