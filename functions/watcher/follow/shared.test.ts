import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Objects, WatchEvent } from '../../../shared/ports/objects.ts';
import { openStore, type Store } from '../../../shared/store/store.ts';
import { withSharedWatches } from './shared.ts';

let store: Store;
let stops: AbortController[];
/** Watches of the store: how many began, how many are open, and how each can be ended. */
let begun: number;
let open: Set<(error?: Error) => void>;
let objects: Objects;
beforeEach(() => {
  store = openStore(':memory:');
  stops = [];
  begun = 0;
  open = new Set();
  objects = withSharedWatches({ ...store.objects, watch: (kind, options) => endable(store.objects.watch(kind, options)) }, ['Lane']);
});
afterEach(async () => {
  for (const stop of stops) stop.abort();
  await vi.waitFor(() => expect(open.size).toBe(0));
  await store.close();
});

async function* endable<T>(events: AsyncIterable<T>): AsyncGenerator<T> {
  begun++;
  const over = Promise.withResolvers<undefined>();
  over.promise.catch(() => undefined);
  const end = (error?: Error) => (error ? over.reject(error) : over.resolve(undefined));
  open.add(end);
  const iterator = events[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), over.promise]);
      if (!next || next.done) return;
      yield next.value;
    }
  } finally {
    open.delete(end);
    void iterator.return?.();
  }
}

function read(kind: 'Lane' | 'Push' = 'Lane') {
  const stop = new AbortController();
  stops.push(stop);
  const told: string[] = [];
  const ended = (async () => {
    for await (const event of objects.watch(kind, { signal: stop.signal }) as AsyncIterable<WatchEvent<'Lane'>>)
      told.push(event.type === 'BOOKMARK' ? 'BOOKMARK' : `${event.type} ${event.object.metadata.name}`);
  })();
  ended.catch(() => undefined);
  return { told, ended, stop: () => stop.abort() };
}

const make = (name: string) =>
  store.objects.create<'Lane'>({ kind: 'Lane', metadata: { namespace: 'shop', name }, spec: { project: 'p', ref: 'refs/heads/main' } });

describe('a shared watch', () => {
  it('is one, however many read it; who joins later is told what there is, and no more than that', async () => {
    await make('a');
    const first = read();
    await vi.waitFor(() => expect(first.told).toEqual(['ADDED a', 'BOOKMARK']));
    await make('b');
    await make('c');
    await store.objects.delete('Lane', { namespace: 'shop', name: 'a' });
    await vi.waitFor(() => expect(first.told).toContain('DELETED a'));
    const second = read();
    await vi.waitFor(() => expect(second.told.slice(0, 2).toSorted()).toEqual(['ADDED b', 'ADDED c']));
    await vi.waitFor(() => expect(second.told).toContain('BOOKMARK'));
    await make('d');
    await vi.waitFor(() => expect(first.told).toContain('ADDED d'));
    await vi.waitFor(() => expect(second.told).toContain('ADDED d'));
    expect(begun).toBe(1);
    for (const { told } of [first, second])
      expect(new Set(told.filter((line) => line !== 'BOOKMARK')).size).toBe(told.filter((line) => line !== 'BOOKMARK').length);
  });

  it('goes on for the others when one leaves, ends with the last, and is begun anew by the next', async () => {
    const [first, second] = [read(), read()];
    await vi.waitFor(() => expect(first.told).toContain('BOOKMARK'));
    first.stop();
    await first.ended;
    await make('a');
    await vi.waitFor(() => expect(second.told).toContain('ADDED a'));
    expect(first.told).not.toContain('ADDED a');
    second.stop();
    await second.ended;
    await vi.waitFor(() => expect(open.size).toBe(0));
    const third = read();
    await vi.waitFor(() => expect(third.told).toEqual(['ADDED a', 'BOOKMARK']));
    expect(begun).toBe(2);
  });

  it('one that leaves while another joins takes no watch from it', async () => {
    const first = read();
    await vi.waitFor(() => expect(first.told).toContain('BOOKMARK'));
    first.stop();
    const second = read();
    await make('a');
    await vi.waitFor(() => expect(second.told).toContain('ADDED a'));
    await sleep(20);
    await make('b');
    await vi.waitFor(() => expect(second.told).toContain('ADDED b'));
  });

  it.each([
    ['ends', undefined],
    ['breaks off', new Error('cut')],
  ])('that %s does so for each reader, and is one again when they begin anew', async (_how, error) => {
    await make('a');
    const readers = [read(), read()];
    await vi.waitFor(() => expect(readers.every(({ told }) => told.includes('BOOKMARK'))).toBe(true));
    for (const end of open) end(error);
    const reasons = await Promise.all(readers.map(({ ended }) => ended.catch((reason: unknown) => reason)));
    expect(reasons).toEqual([error, error]);
    const again = [read(), read()];
    await vi.waitFor(() => expect(again.every(({ told }) => told.includes('BOOKMARK'))).toBe(true));
    for (const { told } of again) expect(told).toContain('ADDED a');
    expect(begun).toBe(2);
  });

  it('is not that of other kinds, nor of a selection', async () => {
    const stop = new AbortController();
    stops.push(stop);
    const first = read('Push');
    const second = read('Push');
    await vi.waitFor(() => expect([...first.told, ...second.told]).toEqual(['BOOKMARK', 'BOOKMARK']));
    const selection = objects.watch('Lane', { namespace: 'shop', signal: stop.signal })[Symbol.asyncIterator]();
    await selection.next();
    const whole = read();
    await vi.waitFor(() => expect(whole.told).toContain('BOOKMARK'));
    expect(begun).toBe(4);
    stop.abort();
    await selection.return?.();
  });
});
