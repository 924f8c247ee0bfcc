// Namespaces of an installation, against an API server of a few lines that counts what it is asked.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { INSTALLATION, MARKER } from '../../objects/project-namespace.ts';
import { openStore, type Store } from '../../store/store.ts';
import type { WatchEvent } from '../../ports/objects.ts';
import type { KubeClient } from '../client/client.ts';
import { type FollowedPrepared, followPrepared, recentlyPrepared } from './prepared.ts';
import { within } from './within.ts';

const SYSTEM = 'mill';

/** Bindings that can be changed, lists that can fail, watches that can be cut. */
function server() {
  let bindings: object[] = [];
  const watches = new Set<(line: string | undefined) => void>();
  const api = {
    lists: 0,
    failing: false,
    queries: [] as object[],
    put: (...namespaces: string[]) => {
      const roleRef = { kind: 'ClusterRole', name: `${SYSTEM}:watcher:project` };
      const subjects = [{ kind: 'ServiceAccount', name: 'watcher', namespace: SYSTEM }];
      bindings = namespaces.map((namespace) => ({ metadata: { namespace }, roleRef, subjects }));
      for (const tell of watches) tell(JSON.stringify({ type: 'MODIFIED' }));
    },
    watching: () => watches.size,
    cut: () => {
      for (const tell of watches) tell(undefined);
    },
  };
  const client = {
    request: async (_method: string, _path: string, { query }: { query: object }) => {
      api.lists++;
      api.queries.push(query);
      if (api.failing) throw new Error('the API server is away');
      return { metadata: { resourceVersion: '7' }, items: bindings };
    },
    async *stream(_path: string, { signal }: { signal?: AbortSignal }) {
      const lines: (string | undefined)[] = [];
      let wake = () => {};
      const tell = (line: string | undefined) => {
        lines.push(line);
        wake();
      };
      watches.add(tell);
      signal?.addEventListener('abort', () => tell(undefined));
      try {
        for (;;) {
          while (lines.length > 0) {
            const line = lines.shift();
            signal?.throwIfAborted();
            if (line === undefined) throw new Error('cut');
            yield line;
          }
          await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        watches.delete(tell);
      }
    },
  } as unknown as Pick<KubeClient, 'request' | 'stream'>;
  return { ...api, api, client };
}

const log = { warn: () => {} };
let far: ReturnType<typeof server>;
let following: FollowedPrepared | undefined;
beforeEach(() => {
  far = server();
});
afterEach(() => following?.stop());
const follow = () => (following = followPrepared({ client: far.client, system: SYSTEM, log }));

describe('asked for now and then', () => {
  it('are asked for by the name of one binding, and once for many events', async () => {
    far.put('shop', 'docs');
    const prepared = recentlyPrepared({ client: far.client, system: SYSTEM });
    const all = await Promise.all(Array.from({ length: 50 }, () => prepared.all()));
    expect([...all[0]!].toSorted()).toEqual(['docs', 'shop']);
    expect(far.api.lists).toBe(1);
    expect(far.api.queries[0]).toMatchObject({ fieldSelector: `metadata.name=${MARKER}`, labelSelector: `${INSTALLATION}=${SYSTEM}` });
    far.put('shop');
    expect([...(await prepared.all())]).toHaveLength(2);
    expect([...(await prepared.all(true))]).toEqual(['shop']);
    expect([...(await prepared.all())]).toEqual(['shop']);
  });

  it('are asked for again after a failure', async () => {
    const prepared = recentlyPrepared({ client: far.client, system: SYSTEM });
    far.api.failing = true;
    await expect(prepared.all()).rejects.toThrow('away');
    far.api.failing = false;
    far.put('shop');
    expect([...(await prepared.all())]).toEqual(['shop']);
  });
});

describe('followed', () => {
  it('are known at every moment, and tell when there are others', async () => {
    far.put('shop');
    const { all, followed } = follow();
    expect(followed.has('shop')).toBe(false);
    expect([...(await all())]).toEqual(['shop']);
    const changed = followed.changed();
    await vi.waitFor(() => expect(far.api.watching()).toBe(1));
    far.put('shop', 'docs');
    await vi.waitFor(() => expect(changed.aborted).toBe(true), 3000);
    expect(followed.has('docs')).toBe(true);
    expect(followed.changed().aborted).toBe(false);
    const asked = far.api.lists;
    for (let i = 0; i < 100; i++) await all();
    expect(far.api.lists).toBe(asked);
  });

  it('stay what they were while the API server is away, and no change is told where there is none', async () => {
    far.put('shop');
    const { all, followed } = follow();
    await all();
    const changed = followed.changed();
    await vi.waitFor(() => expect(far.api.watching()).toBe(1));
    far.api.failing = true;
    far.cut();
    await vi.waitFor(() => expect(far.api.lists).toBeGreaterThan(1), 3000);
    expect(followed.has('shop')).toBe(true);
    far.api.failing = false;
    await vi.waitFor(() => expect(far.api.watching()).toBe(1), 5000);
    expect(changed.aborted).toBe(false);
  });
});

describe('objects within them', () => {
  let store: Store;
  beforeEach(() => (store = openStore(':memory:')));
  afterEach(() => store.close());
  const lane = (namespace: string, name: string) =>
    store.objects.create<'Lane'>({ kind: 'Lane', metadata: { namespace, name }, spec: { project: 'p', ref: 'refs/heads/main' } });
  const push = (namespace: string) =>
    store.objects.create<'Push'>({
      kind: 'Push',
      metadata: { namespace, name: 'push' },
      spec: { kind: 'branch', repository: 'https://git.example.org/a', ref: 'refs/heads/main' },
    });

  it('are those of a list; pushes are those that were told here', async () => {
    far.put('shop');
    const objects = within(store.objects, recentlyPrepared({ client: far.client, system: SYSTEM }), SYSTEM);
    await lane('shop', 'ours');
    await lane('elsewhere', 'theirs');
    for (const namespace of [SYSTEM, 'shop', 'other']) await push(namespace);
    expect((await objects.list('Lane')).items.map(({ metadata }) => metadata.name)).toEqual(['ours']);
    expect((await objects.list('Push')).items.map(({ metadata }) => metadata.namespace)).toEqual([SYSTEM]);
    const asked = far.api.lists;
    expect((await objects.list('Lane', { namespace: 'elsewhere' })).items).toHaveLength(1);
    expect(far.api.lists).toBe(asked);
    far.put('shop', 'elsewhere');
    expect((await objects.list('Lane', { mayLag: true })).items).toHaveLength(1);
    expect((await objects.list('Lane')).items).toHaveLength(2);
  });

  it('are those of a watch, which ends when there are other namespaces; none is found outside of them', async () => {
    far.put('shop');
    const prepared = follow();
    const objects = within(store.objects, prepared, SYSTEM);
    await lane('shop', 'ours');
    await lane('docs', 'later');
    await lane('elsewhere', 'theirs');
    const stop = new AbortController();
    const told = async () => {
      const names: string[] = [];
      for await (const event of objects.watch('Lane', { signal: stop.signal }) as AsyncIterable<WatchEvent<'Lane'>>) {
        if (event.type === 'BOOKMARK') far.put('shop', 'docs');
        else names.push(event.object.metadata.name);
      }
      return names.toSorted();
    };
    await prepared.all();
    await vi.waitFor(() => expect(far.api.watching()).toBe(1));
    expect(await objects.get('Lane', { namespace: 'docs', name: 'later' })).toBeUndefined();
    expect(await told()).toEqual(['ours']);
    expect(await objects.get('Lane', { namespace: 'docs', name: 'later' })).toBeDefined();
    expect(await objects.get('Lane', { namespace: 'elsewhere', name: 'theirs' })).toBeUndefined();
    const again = told();
    await vi.waitFor(() => expect(far.api.watching()).toBe(1));
    setTimeout(() => stop.abort(), 200);
    expect(await again).toEqual(['later', 'ours']);
  });
});
