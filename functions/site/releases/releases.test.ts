// The cache of releases, on a real store whose answers are delayed, and whose watch breaks.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Objects } from '../../../shared/ports/objects.ts';
import { Expired } from '../../../shared/ports/objects.ts';
import { openStore, type Store } from '../../../shared/store/store.ts';
import { createReleases, type Releases } from './releases.ts';

let store: Store;
let releases: Releases;
let warnings: string[];
let reads: number;
const log = { info: () => {}, warn: (_: object, message: string) => void warnings.push(message), error: () => {} };
const ref = { namespace: 'default', name: 'shop' };

beforeEach(() => {
  store = openStore(':memory:');
  warnings = [];
  reads = 0;
});
afterEach(async () => {
  releases.close();
  await store.close();
});

async function release(version: number): Promise<void> {
  const found =
    (await store.objects.get('Release', ref)) ??
    (await store.objects.create<'Release'>({ kind: 'Release', metadata: ref, spec: { project: 'shop', environment: 'production', host: 'shop' } }));
  const current = { artifact: 'a', version: String(version), manifest: `sha256:${'0'.repeat(64)}`, at: '2026-01-01T00:00:00Z', trigger: 'user' as const };
  await store.objects.updateStatus<'Release'>({ ...found, status: { conditions: [], current, history: [] } });
}

const start = (changed: Partial<Objects> = {}): void => {
  const objects: Objects = {
    ...store.objects,
    get: async (kind, of) => {
      reads++;
      return store.objects.get(kind, of);
    },
    ...changed,
  };
  releases = createReleases({ objects, namespace: 'default', log });
};
const seen = async (): Promise<string | undefined> => (await releases.get(ref))?.current?.name;

it('reads a release once, and again only when it changes', async () => {
  await release(1);
  start();
  await expect.poll(async () => ((await seen()) === '1' ? releases.get(ref) instanceof Promise : true)).toBe(false);
  const before = reads;
  for (let i = 0; i < 100; i++) await seen();
  expect(reads).toBe(before);
  await release(2);
  await expect.poll(seen, { interval: 2 }).toBe('2');
  expect(reads).toBeLessThanOrEqual(before + 2);
});

it('learns of a host that was unknown', async () => {
  start();
  await expect.poll(async () => ((await seen()) === undefined ? releases.get(ref) instanceof Promise : true)).toBe(false);
  await release(1);
  await expect.poll(seen, { interval: 2 }).toBe('1');
});

it('never goes back to what it was, however slow the store answers', async () => {
  await release(0);
  let slow = 0;
  start({
    get: async (kind, of) => {
      const found = await store.objects.get(kind, of);
      await sleep(slow++ % 3 === 0 ? 15 : 1);
      return found;
    },
  });
  let last = 0;
  let writing = true;
  const writer = (async () => {
    for (let n = 1; n <= 60; n++) {
      await release(n);
      await sleep(2);
    }
    writing = false;
  })();
  while (writing) {
    const now = Number(await seen());
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
    await sleep(1);
  }
  await writer;
  await expect.poll(seen, { interval: 2 }).toBe('60');
});

it('goes on when the watch breaks or is too old', async () => {
  await release(1);
  let watches = 0;
  start({
    watch: (kind, options) => {
      watches++;
      if (watches === 1) throw new Expired('too old');
      if (watches > 3) return store.objects.watch(kind, options);
      return (async function* () {
        for await (const event of store.objects.watch(kind, options)) {
          yield event;
          throw new Error('the connection was lost');
        }
      })();
    },
  });
  let n = 2;
  for (const end = Date.now() + 10_000; watches < 4 && Date.now() < end; n++) {
    await release(n);
    await expect.poll(seen, { interval: 5, timeout: 3000 }).toBe(String(n));
  }
  expect(watches).toBe(4);
  for (const last = n + 3; n < last; n++) {
    await release(n);
    await expect.poll(seen, { interval: 5, timeout: 3000 }).toBe(String(n));
  }
  expect(warnings.length).toBeGreaterThan(0);
});

it('hands on what the store says, and asks again the next time', async () => {
  await release(1);
  let broken = true;
  start({
    get: async (kind, of) => {
      if (broken) throw new Error('the store is away');
      return store.objects.get(kind, of);
    },
  });
  await expect(seen()).rejects.toThrow('the store is away');
  broken = false;
  expect(await seen()).toBe('1');
});
