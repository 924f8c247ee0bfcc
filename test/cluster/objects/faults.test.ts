// What becomes of objects and watches when the way to the API server is bad.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { createKubernetesObjects, type KubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import type { NewObj } from '../../../shared/objects/kinds.ts';
import { AlreadyExists, Conflict, Expired, type WatchEvent, type WatchOptions } from '../../../shared/ports/objects.ts';
import { fromEnv } from '../env.ts';
import { ensureCrds } from './crds.ts';
import { dropNamespaces, makeNamespaces } from './namespaces.ts';
import { isWatch, type Proxy, startProxy } from './proxy.ts';

fromEnv('KUBECONFIG');
const PATIENCE = { timeout: 20_000, interval: 20 };
const GONE = {
  type: 'ERROR',
  object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'too old resource version', reason: 'Expired', code: 410 },
};

const direct = createKubeClient({ connect: anywhere() });
const truth = createKubernetesObjects({ client: direct });
let namespace: string;
let proxy: Proxy;
let client: KubeClient;
let objects: KubernetesObjects;
let troubles: string[];
const stops: AbortController[] = [];

beforeAll(async () => {
  await ensureCrds(direct);
});
afterAll(() => direct.close());
beforeEach(async () => {
  [namespace] = await makeNamespaces(direct, 'objects', ['faults']);
  proxy = await startProxy();
  client = createKubeClient({ connect: async () => proxy.connection });
  troubles = [];
  const watch = { timeout_ms: 2000, grace_ms: 500, lag_ms: 1000, onTrouble: ({ error }: { error: Error }) => void troubles.push(error.message) };
  objects = createKubernetesObjects({ client, watch });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  client.close();
  await proxy.close();
  await dropNamespaces(direct, [namespace]);
});

const status = (last: number) => ({ mode: 'queue' as const, slots: 1, last, running: [], waiting: [], recent: [] });
const lane = (name: string): NewObj<'Lane'> => ({ kind: 'Lane', metadata: { name, namespace }, spec: { project: 'example', ref: 'refs/heads/main' } });

function follow(options: Partial<WatchOptions> = {}) {
  const stop = new AbortController();
  stops.push(stop);
  const seen: WatchEvent<'Lane'>[] = [];
  const ended = (async () => {
    for await (const event of objects.watch('Lane', { namespace, ...options, signal: stop.signal })) seen.push(event);
  })();
  ended.catch(() => {
    // Those who expect an error await `ended` themselves.
  });
  const told = () => seen.flatMap((event) => (event.type === 'BOOKMARK' ? [] : [`${event.type} ${event.object.metadata.name}`]));
  const bookmarks = () => seen.filter((event) => event.type === 'BOOKMARK').length;
  return { seen, told, bookmarks, ended };
}

const refused = (code: number, reason: string, headers = {}) => ({
  status: code,
  headers,
  body: JSON.stringify({ kind: 'Status', status: 'Failure', reason, message: `the test says ${reason}`, code }),
});

describe('a watch', () => {
  test('whose connections are cut goes on where it was, and tells each change once', async () => {
    const { told, bookmarks } = follow();
    await expect.poll(bookmarks, PATIENCE).toBeGreaterThan(0);
    for (let i = 0; i < 5; i++) {
      await truth.create(lane(`before-${i}`));
      await expect.poll(told, PATIENCE).toContain(`ADDED before-${i}`);
      proxy.cut();
      await truth.create(lane(`cut-${i}`));
      await expect.poll(told, PATIENCE).toContain(`ADDED cut-${i}`);
    }
    expect(told()).toHaveLength(10);
    // One that the server was not ready for told nothing.
    const beginnings = proxy.seen.filter(({ url }) => url.includes('sendInitialEvents'));
    expect(
      beginnings.filter((each) => each.status === 200),
      JSON.stringify(beginnings),
    ).toHaveLength(1);
  });

  test('that freezes is noticed', async () => {
    proxy.decide = () => 'freeze';
    const { told } = follow();
    await expect.poll(() => proxy.seen.length, PATIENCE).toBe(1);
    await truth.create(lane('a'));
    proxy.decide = () => 'pass';
    await expect.poll(told, PATIENCE).toEqual(['ADDED a']);
    expect(troubles.join()).toMatch(/nothing came for/);
  });

  test('is taken up again when the server ends it, from its last bookmark', async () => {
    await truth.create(lane('a'));
    const { told, bookmarks } = follow();
    await expect.poll(() => proxy.seen.filter(isWatch).length, { timeout: 30_000 }).toBeGreaterThan(2);
    expect(told()).toEqual(['ADDED a']);
    expect(bookmarks()).toBeGreaterThan(0);
    expect(troubles).toEqual([]);
  });

  test.each([
    ['inside the stream', { status: 200, body: `${JSON.stringify(GONE)}\n` }],
    ['as the answer', { status: 410, body: JSON.stringify(GONE.object) }],
  ])('without a version tells what it missed when its place is gone, said %s', async (_how, gone) => {
    for (const name of ['stays', 'goes', 'changes', 'anew']) await truth.create(lane(name));
    const { told, seen } = follow();
    await expect.poll(() => told().toSorted(), PATIENCE).toEqual(['ADDED anew', 'ADDED changes', 'ADDED goes', 'ADDED stays']);
    proxy.decide = (each) => (isWatch(each) ? refused(503, 'ServiceUnavailable') : 'pass');
    proxy.cut();
    await expect.poll(() => troubles.length, PATIENCE).toBeGreaterThan(0);
    await truth.delete('Lane', { namespace, name: 'goes' });
    await truth.delete('Lane', { namespace, name: 'anew' });
    await truth.create(lane('anew'));
    const changed = await truth.get('Lane', { namespace, name: 'changes' });
    await truth.updateStatus({ ...changed!, status: status(7) });
    await truth.create(lane('new'));
    let told410 = false;
    proxy.decide = (each) => {
      if (!isWatch(each) || told410) return 'pass';
      told410 = true;
      return gone;
    };
    await expect.poll(() => told().slice(4).toSorted(), PATIENCE).toEqual(['ADDED anew', 'ADDED new', 'DELETED anew', 'DELETED goes', 'MODIFIED changes']);
    expect(told410).toBe(true);
    expect(told().indexOf('DELETED anew')).toBeLessThan(told().lastIndexOf('ADDED anew'));
    expect(seen.find((event) => event.type === 'MODIFIED')).toMatchObject({ object: { status: status(7) } });
    await truth.create(lane('later'));
    await expect.poll(() => told().at(-1), PATIENCE).toBe('ADDED later');
  });

  test.each([
    ['inside the stream', { status: 200, body: `${JSON.stringify(GONE)}\n` }],
    ['as the answer', { status: 410, body: JSON.stringify(GONE.object) }],
  ])('from a version throws Expired when that is gone, said %s', async (_how, gone) => {
    const { metadata } = await truth.create(lane('a'));
    proxy.decide = (each) => (isWatch(each) ? gone : 'pass');
    await expect(follow({ since: metadata.resourceVersion }).ended).rejects.toBeInstanceOf(Expired);
  });

  test('from a version that etcd has forgotten throws Expired', async () => {
    await expect(follow({ since: '1' }).ended).rejects.toBeInstanceOf(Expired);
  });

  test('lists in pages where the server has no initial events to tell', async () => {
    for (const name of ['a', 'b']) await truth.create(lane(name));
    proxy.decide = (each) => (each.url.includes('sendInitialEvents') ? refused(422, 'Invalid') : 'pass');
    const { told, bookmarks } = follow();
    await expect.poll(told, PATIENCE).toEqual(['ADDED a', 'ADDED b']);
    await truth.create(lane('c'));
    await expect.poll(told, PATIENCE).toEqual(['ADDED a', 'ADDED b', 'ADDED c']);
    expect(bookmarks()).toBeGreaterThan(0);
  });

  test('that may lag asks now and then: for all that there was in between, in order, and once', async () => {
    await truth.create(lane('a'));
    const { told, bookmarks } = follow({ mayLag: true });
    await expect.poll(bookmarks, PATIENCE).toBe(1);
    // Nobody listens now.
    await truth.create(lane('b'));
    for (const last of [1, 2, 3]) {
      const found = await truth.get('Lane', { namespace, name: 'b' });
      await truth.updateStatus({ ...found!, status: status(last) });
    }
    await truth.delete('Lane', { namespace, name: 'a' });
    const missed = ['ADDED b', 'MODIFIED b', 'MODIFIED b', 'MODIFIED b', 'DELETED a'];
    await expect.poll(told, PATIENCE).toEqual(['ADDED a', ...missed]);
    for (let i = 0; i < 8; i++) {
      await truth.create(lane(`later-${i}`));
      await sleep(700);
    }
    await expect.poll(() => told().slice(6), PATIENCE).toEqual(Array.from({ length: 8 }, (_, i) => `ADDED later-${i}`));
    expect(proxy.seen.filter(({ url }) => url.includes('sendInitialEvents'))).toHaveLength(1);
    expect(proxy.seen.filter(isWatch).length).toBeGreaterThan(2);
    expect(troubles).toEqual([]);
  });

  test('that may lag tells what it missed when its place is gone', async () => {
    for (const name of ['stays', 'goes']) await truth.create(lane(name));
    const { told, bookmarks } = follow({ mayLag: true });
    await expect.poll(bookmarks, PATIENCE).toBe(1);
    await truth.delete('Lane', { namespace, name: 'goes' });
    await truth.create(lane('new'));
    let told410 = false;
    proxy.decide = (each) => {
      if (!isWatch(each) || told410) return 'pass';
      told410 = true;
      return { status: 410, body: JSON.stringify(GONE.object) };
    };
    await expect.poll(() => told().slice(2).toSorted(), PATIENCE).toEqual(['ADDED new', 'DELETED goes']);
    expect(told410).toBe(true);
  });

  test('that is not allowed says so, and is not tried for ever', async () => {
    proxy.decide = () => refused(403, 'Forbidden');
    await expect(follow().ended).rejects.toThrow(/Forbidden/);
    expect(proxy.seen).toHaveLength(1);
  });
});

test('the API server goes away for 12 seconds: no change is missed or told twice, and nothing that was asked for is lost', async () => {
  const { told, bookmarks } = follow();
  await expect.poll(bookmarks, PATIENCE).toBeGreaterThan(0);
  await proxy.goAway();
  const back = sleep(12_000).then(() => proxy.comeBack());
  const untilDone = async (name: string): Promise<number> => {
    for (let failures = 0; ; failures++) {
      try {
        await objects.create({ ...lane(name), status: status(1) });
        return failures;
      } catch (error) {
        if (error instanceof AlreadyExists) return failures;
        expect(error).toMatchObject({ name: 'KubeError', reason: 'Unreachable', uncertain: false });
      }
    }
  };
  const asked = Array.from({ length: 5 }, (_, i) => untilDone(`asked-${i}`));
  for (let i = 0; i < 10; i++) await truth.create(lane(`meanwhile-${i}`));
  await truth.delete('Lane', { namespace, name: 'meanwhile-0' });
  await back;
  for (const failures of await Promise.all(asked)) expect(failures).toBeGreaterThan(0);
  const there = (await truth.list('Lane', { namespace })).items;
  expect(there).toHaveLength(14);
  for (const { metadata, status: had } of there) expect(had).toEqual(metadata.name.startsWith('asked') ? status(1) : undefined);
  await expect.poll(() => told().filter((line) => line.startsWith('ADDED')).length, PATIENCE).toBe(15);
  await expect.poll(() => told().filter((line) => line.startsWith('DELETED')), PATIENCE).toEqual(['DELETED meanwhile-0']);
});

describe('a write', () => {
  test('that is answered 429 is made again after the time said, once', async () => {
    let refusals = 0;
    proxy.decide = (each) => (each.method === 'POST' && refusals++ < 2 ? refused(429, 'TooManyRequests', { 'retry-after': '1' }) : 'pass');
    const start = performance.now();
    await objects.create(lane('a'));
    expect(performance.now() - start).toBeGreaterThan(1900);
    expect(proxy.seen.map((each) => each.status)).toEqual([429, 429, 201]);
  });

  test('that is answered 500 is not made again by itself', async () => {
    proxy.decide = () => refused(500, 'InternalError');
    await expect(objects.create(lane('a'))).rejects.toMatchObject({ name: 'KubeError', status: 500, uncertain: true });
    expect(proxy.seen).toHaveLength(1);
  });

  test('whose answer is lost is not made again by itself, and is known to be uncertain', async () => {
    proxy.decide = () => 'lose';
    const error = await objects.create(lane('a')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ reason: 'NoAnswer', uncertain: true });
    expect(proxy.seen).toHaveLength(1);
    proxy.decide = () => 'pass';
    await expect(objects.create(lane('a'))).rejects.toBeInstanceOf(AlreadyExists);
  });

  test('of an object killed before its status is finished by the next one, and only then', async () => {
    proxy.decide = (each) => (each.method === 'PUT' ? 'drop' : 'pass');
    await expect(objects.create({ ...lane('a'), status: status(1) })).rejects.toBeInstanceOf(KubeError);
    expect((await truth.get('Lane', { namespace, name: 'a' }))?.status).toBeUndefined();
    proxy.decide = () => 'pass';
    await expect(objects.create({ ...lane('a'), status: status(1) })).rejects.toBeInstanceOf(AlreadyExists);
    const there = await objects.get('Lane', { namespace, name: 'a' });
    expect(await objects.updateStatus({ ...there!, status: status(1) })).toMatchObject({ status: status(1) });
    await expect(objects.updateStatus({ ...there!, status: status(2) })).rejects.toBeInstanceOf(Conflict);
  });

  test('of labels and status that is killed in between is decided again, and then whole', async () => {
    const a = await objects.create({ ...lane('a'), status: status(1) });
    const wanted = { ...a, metadata: { ...a.metadata, labels: { done: 'true' } }, status: status(2) };
    proxy.decide = (each) => (each.method === 'PUT' ? 'drop' : 'pass');
    await expect(objects.updateStatus(wanted)).rejects.toBeInstanceOf(KubeError);
    proxy.decide = () => 'pass';
    const now = (await objects.get('Lane', { namespace, name: 'a' }))!;
    expect(now).toMatchObject({ metadata: { labels: { done: 'true' } }, status: status(1) });
    proxy.seen.length = 0;
    expect(await objects.updateStatus({ ...now, status: status(2) })).toMatchObject({ metadata: { labels: { done: 'true' } }, status: status(2) });
    expect(proxy.seen.map((each) => each.method)).toEqual(['PUT']);
  });
});

test('a read is tried again when its answer is lost or the server is not ready', async () => {
  await truth.create(lane('a'));
  const fates = ['lose', refused(503, 'ServiceUnavailable'), refused(504, 'Timeout')] as const;
  let next = 0;
  proxy.decide = () => fates[next++] ?? 'pass';
  expect(await objects.get('Lane', { namespace, name: 'a' })).toBeDefined();
  expect(proxy.seen).toHaveLength(4);
});

test('a list whose token is no longer kept goes on after the same object, from the same version', async () => {
  for (const name of ['a', 'b', 'c', 'd']) await truth.create(lane(name));
  const first = await objects.list('Lane', { namespace, limit: 2 });
  await truth.create(lane('bb'));
  // As the server does it when etcd has forgotten the state: the place in a token of its own, with the version that means "now".
  const [token] = JSON.parse(Buffer.from(first.continue!, 'base64url').toString()) as [string, string];
  const place = JSON.parse(Buffer.from(token, 'base64url').toString()) as object;
  const onward = Buffer.from(JSON.stringify({ ...place, rv: -1 })).toString('base64url');
  const body = JSON.stringify({ ...GONE.object, metadata: { continue: onward } });
  proxy.decide = ({ url }) => (url.includes(encodeURIComponent(token)) ? { status: 410, body } : 'pass');
  const second = await objects.list('Lane', { namespace, limit: 5, continue: first.continue! });
  expect(second.items.map((item) => item.metadata.name)).toEqual(['bb', 'c', 'd']);
  expect(second.resourceVersion).toBe(first.resourceVersion);
  expect(proxy.seen.map((each) => each.status)).toEqual([200, 410, 200]);
});

test('a kind that the cluster does not have is an error, and no absence', async () => {
  proxy.decide = () => ({ status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found\n' });
  await expect(objects.get('Lane', { namespace, name: 'a' })).rejects.toThrow(/the cluster has no lanes\.tidemill\.dev: run `tidemill install`/);
  await expect(objects.list('Lane', { namespace })).rejects.toThrow(/has no lanes/);
  await expect(follow().ended).rejects.toThrow(/has no lanes/);
});

test('many requests at once share a bounded number of connections', async () => {
  await Promise.all(Array.from({ length: 200 }, () => objects.get('Lane', { namespace, name: 'none' })));
  expect(proxy.sockets.most).toBeLessThanOrEqual(64);
});
