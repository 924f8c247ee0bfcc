// A function's outcome is one transaction: all of it or nothing, once, whatever fails and however often it is delivered.
import { expect, it, vi } from 'vitest';
import { AlreadyExists, Conflict } from '../ports/objects.ts';
import type { Delivery, Settlement } from '../ports/broker.ts';
import { InvalidObject } from '../objects/kinds.ts';
import { DONE, REQUESTED, RESOLVED, testEvent, testPipeline, withCondition } from './test/things.ts';
import { count, openTestStore } from './test/open.ts';

const ref = (name: string) => ({ namespace: 'default', name });

/** Publishes one event and hands its delivery to `deliver`. Resolves with what that returned or threw. */
async function deliverOne<T>(store: ReturnType<typeof openTestStore>, deliver: (delivery: Delivery) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 1, maxAttempts: 2 }, async (delivery) => {
    await deliver(delivery).then(resolve, reject);
    return DONE;
  });
  await store.broker.publish([testEvent('cause')]);
  return promise;
}

it('writes objects, status and events and strikes the delivery at once', async () => {
  const store = openTestStore();
  const told: string[] = [];
  store.broker.subscribe({ name: 'next', types: [RESOLVED], concurrency: 1, maxAttempts: 2 }, async ({ event }) => (told.push(event.id), DONE));
  const a = await store.objects.create(testPipeline('a'));
  await deliverOne(store, (delivery) => {
    const outcome = { create: [testPipeline('b')], status: withCondition(a, 'Told'), events: [testEvent('effect', RESOLVED)] };
    return store.commit(delivery, outcome);
  });
  await expect.poll(() => told).toEqual(['effect']);
  expect((await store.objects.get('Pipeline', ref('a')))?.status?.conditions?.[0]?.reason).toBe('Told');
  expect(await store.objects.get('Pipeline', ref('b'))).toBeDefined();
  await expect.poll(() => count(store.db, 'deliveries')).toBe(0);
});

it('writes nothing when the status was changed in between, nor strikes the delivery', async () => {
  const store = openTestStore();
  const a = await store.objects.create(testPipeline('a'));
  await store.objects.updateStatus(withCondition(a, 'Newer'));
  await deliverOne(store, async (delivery) => {
    const before = store.stats.transactions;
    const outcome = { create: [testPipeline('b')], status: withCondition(a, 'Older'), events: [testEvent('effect', RESOLVED)] };
    await expect(store.commit(delivery, outcome)).rejects.toBeInstanceOf(Conflict);
    expect(store.stats.transactions).toBe(before + 1);
    expect(count(store.db, 'deliveries')).toBe(1);
    expect(count(store.db, 'events')).toBe(1);
    expect(await store.objects.get('Pipeline', ref('b'))).toBeUndefined();
    // Decided again, on what is there now.
    const now = await store.objects.get('Pipeline', ref('a'));
    await store.commit(delivery, { ...outcome, status: withCondition(now!, 'Newest') });
  });
  expect(count(store.db, 'events')).toBe(2);
});

it('undoes only itself: what others write in the same transaction stays', async () => {
  const store = openTestStore();
  const a = await store.objects.create(testPipeline('a'));
  await store.objects.updateStatus(withCondition(a, 'Newer'));
  const results = await Promise.allSettled([
    store.objects.create(testPipeline('b')),
    store.commit(undefined, { create: [testPipeline('c')], status: withCondition(a, 'Older'), events: [testEvent('1')] }),
    store.objects.create(testPipeline('b')),
    store.commit(undefined, { create: [testPipeline('b'), testPipeline('d')], events: [testEvent('2')] }),
    store.broker.publish([testEvent('3')]),
  ]);
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled', 'fulfilled']);
  expect(results[1]).toMatchObject({ reason: expect.any(Conflict) });
  expect(results[2]).toMatchObject({ reason: expect.any(AlreadyExists) });
  expect((await store.objects.list('Pipeline')).items.map((item) => item.metadata.name)).toEqual(['a', 'b', 'd']);
  expect(store.db.sql.prepare('SELECT id FROM events ORDER BY seq').all()).toEqual([{ id: '2' }, { id: '3' }]);
});

it('of a delivery that was struck already does nothing, and is success', async () => {
  const store = openTestStore();
  await deliverOne(store, async (delivery) => {
    await store.commit(delivery, { create: [], events: [testEvent('first', RESOLVED)] });
    await store.commit(delivery, { create: [testPipeline('b')], events: [testEvent('second', RESOLVED)] });
    const both = [store.commit(delivery, { create: [], events: [testEvent('third', RESOLVED)] }), store.commit({ ...delivery }, { create: [], events: [] })];
    await Promise.all(both);
  });
  expect(store.db.sql.prepare('SELECT id FROM events ORDER BY seq').all()).toEqual([{ id: 'cause' }, { id: 'first' }]);
  expect(await store.objects.get('Pipeline', ref('b'))).toBeUndefined();
});

it('ends the delivery, whatever its subscriber says or throws afterwards', async () => {
  const store = openTestStore();
  const calls = vi.fn<(delivery: Delivery) => Promise<Settlement>>(async (delivery) => {
    await store.commit(delivery, { create: [], events: [] });
    if (delivery.event.id === 'throws') throw new Error('after the fact');
    return { kind: 'dead', reason: 'too late to say' };
  });
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 1, maxAttempts: 5 }, calls);
  await store.broker.publish([testEvent('throws'), testEvent('dies')]);
  await expect.poll(() => calls.mock.calls.length).toBe(2);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(calls).toHaveBeenCalledTimes(2);
  expect(count(store.db, 'deliveries')).toBe(0);
  expect(count(store.db, 'dead_letters')).toBe(0);
});

it('has one effect for each cause, with every event delivered twice and in any order', async () => {
  const store = openTestStore(undefined, { chaos: { duplicate: 1, reorder: 1, seed: 7 } });
  let calls = 0;
  store.broker.subscribe({ name: 'one', types: [REQUESTED], concurrency: 8, maxAttempts: 5 }, async (delivery) => {
    calls++;
    // Ids of their own: what keeps the second from having an effect is the strike alone.
    await store.commit(delivery, { create: [], events: [testEvent(`${delivery.event.id} told by ${calls}`, RESOLVED)] });
    return DONE;
  });
  await store.broker.publish(Array.from({ length: 200 }, (_, i) => testEvent(`e${i}`)));
  await expect.poll(() => calls, { timeout: 10_000 }).toBeGreaterThan(300);
  await expect.poll(() => count(store.db, 'deliveries')).toBe(0);
  expect(count(store.db, 'events')).toBe(400);
});

it('refuses what is invalid before anything is written', async () => {
  const store = openTestStore();
  const invalid = { ...testPipeline('a'), spec: { stages: [] } };
  await expect(store.commit(undefined, { create: [invalid], events: [testEvent('1')] })).rejects.toBeInstanceOf(InvalidObject);
  await expect(store.commit(undefined, { create: [], events: [{ ...testEvent('1'), id: '' }] })).rejects.toThrow(/without id/);
  await expect(store.commit(undefined, { create: [], events: [testEvent('1', RESOLVED, 3_000_000)] })).rejects.toThrow(/put what is large into Storage/);
  const foreign = { event: testEvent('1'), attempt: 1, subscription: 'one' };
  await expect(store.commit(foreign, { create: [], events: [] })).rejects.toThrow(/not one of this store/);
  expect(count(store.db, 'events')).toBe(0);
});
