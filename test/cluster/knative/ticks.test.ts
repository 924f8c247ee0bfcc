// Real ticks, end to end: what a killed writer left in a bucket is gone after one. On Knative a PingSource wakes the sleeping function through Broker and
// Trigger, as an installation has them; on JetStream clocks of tidemill's own tell it, as watchers do.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { functions, ticks } from '../../../functions/graph.ts';
import { handle } from '../../../functions/storage-sweep/handler.ts';
import { manifests } from '../../../knative/generate/manifests.ts';
import type { KubeObject } from '../../../knative/generate/object.ts';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import type { Ports } from '../../../shared/host/contract.ts';
import { type AnyHandler, startHost } from '../../../shared/host/host.ts';
import { beginWithOutbox } from '../../../shared/host/outbox.ts';
import { readEvent } from '../../../shared/knative/incoming.ts';
import { createS3Storage } from '../../../shared/s3/storage.ts';
import { keepTime } from '../../../shared/ticks/clock.ts';
import { kubectl, testImage } from '../chain/installation.ts';
import { fromEnv } from '../env.ts';
import { openJetStream } from '../nats/streams.ts';
import { makeBucket, type TestBucket } from '../s3/bucket.ts';

const NAME = 'storage-sweep';
const LONG_MS = 300_000;
const READY = '120s';
const DAY_MS = 86_400_000;
const quiet = { info: () => {}, warn: () => {}, error: () => {} };
const namespace = `ticks-${randomBytes(3).toString('hex')}`;
let bucket: TestBucket;
let isLeft: () => Promise<boolean>;
beforeAll(async () => {
  bucket = await makeBucket();
});
afterAll(() => bucket?.dispose());

async function apply(...objects: object[]): Promise<void> {
  const child = promisify(execFile)('kubectl', ['apply', '--server-side', '--force-conflicts', '-f', '-']);
  child.child.stdin!.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await child;
}

/** Whoever else hears the same ticks, and keeps them. */
async function startListener(): Promise<{ server: Server; url: string; heard: TidemillEvent[] }> {
  const heard: TidemillEvent[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      heard.push(readEvent(request.headersDistinct, Buffer.concat(chunks)));
      response.writeHead(202).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return { server, url: `http://${fromEnv('TIDEMILL_TEST_HOST')}:${(server.address() as AddressInfo).port}/`, heard };
}

/** What was begun just now is as old there as what nobody goes on with: its clock is three days ahead. */
const AHEAD = `const D = Date, ahead = ${3 * DAY_MS};
globalThis.Date = class extends D { constructor(...given) { given.length ? super(...given) : super(D.now() + ahead); } static now() { return D.now() + ahead; } };`;

interface Containers {
  spec: { template: { metadata: { annotations: Record<string, string> }; spec: { containers: [{ env?: object[] }] } } };
}

/** The function's part of an installation: what it is made of, and what wakes it. */
async function partOfAnInstallation(): Promise<{ parts: KubeObject[]; source: KubeObject & { spec: object }; trigger: KubeObject & { spec: object } }> {
  const settings = { TIDEMILL_S3_ENDPOINT: bucket.endpoint, TIDEMILL_S3_BUCKET: bucket.bucket, AWS_REGION: bucket.region };
  const all = manifests({ overlay: 'knative', namespace, image: await testImage(), settings });
  const names = new Set([NAME, 'dead-letters', 'deny-ingress', 'functions', 'tidemill']);
  const parts = all.filter(({ kind, metadata }) => kind === 'Namespace' || kind === 'ConfigMap' || (names.has(metadata.name) && !/Role/.test(kind)));
  const service = parts.find(({ kind, apiVersion }) => kind === 'Service' && apiVersion.startsWith('serving.'))! as KubeObject & Containers;
  const { metadata, spec } = service.spec.template;
  metadata.annotations['autoscaling.knative.dev/window'] = '6s';
  spec.containers[0].env = [...(spec.containers[0].env ?? []), { name: 'NODE_OPTIONS', value: `--import=data:text/javascript,${encodeURIComponent(AHEAD)}` }];
  const one = (kind: string) => parts.find((object) => object.kind === kind)! as KubeObject & { spec: object };
  return { parts: parts.filter(({ kind }) => kind !== 'PingSource'), source: one('PingSource'), trigger: one('Trigger') };
}

test('on Knative a PingSource wakes the function, which sleeps, and what was left half-written is gone', { timeout: LONG_MS }, async () => {
  const listener = await startListener();
  const pods = async () =>
    (await kubectl('-n', namespace, 'get', 'pods', '-l', `serving.knative.dev/service=${NAME}`, '-o', 'name')).split('\n').filter(Boolean);
  try {
    const { parts, source, trigger } = await partOfAnInstallation();
    const [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY] = [process.env['AWS_ACCESS_KEY_ID'], process.env['AWS_SECRET_ACCESS_KEY']];
    const secret = { metadata: { name: 'tidemill-storage', namespace }, stringData: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } };
    const also = { ...trigger, metadata: { ...trigger.metadata, name: 'listener' }, spec: { ...trigger.spec, subscriber: { uri: listener.url } } };
    await apply(...parts.filter(({ kind }) => kind === 'Namespace'));
    await apply({ apiVersion: 'v1', kind: 'Secret', ...secret }, ...parts.filter(({ kind }) => kind !== 'Namespace'), also);
    await kubectl('-n', namespace, 'wait', '--for=condition=Ready', '--timeout', READY, 'ksvc,broker,trigger', '--all');
    await expect.poll(pods, { timeout: 120_000, interval: 1000 }).toEqual([]);

    isLeft = await bucket.abandon();
    await bucket.client.send(new PutObjectCommand({ Bucket: bucket.bucket, Key: 'kept', Body: 'x' }));
    await apply({ ...source, spec: { ...source.spec, schedule: '* * * * *' } });
    await kubectl('-n', namespace, 'wait', '--for=condition=Ready', '--timeout', READY, `pingsource/${NAME}`);
    const ready = Date.now();
    await expect.poll(isLeft, { timeout: 120_000, interval: 500 }).toBe(false);
    expect(await pods()).not.toEqual([]);
    // The first tick was enough: the function woke, swept, and nothing of it was given up.
    expect(Date.now() - ready).toBeLessThan(90_000);
    expect(listener.heard[0]).toMatchObject({
      type: 'dev.knative.sources.ping',
      source: `/apis/v1/namespaces/${namespace}/pingsources/${NAME}`,
      data: { tick: NAME },
    });
    expect(Math.abs(Date.parse(listener.heard[0]!.time) % 60_000)).toBeLessThan(5000);
    expect(await bucket.keys()).toEqual(['kept']);
  } finally {
    // First the Triggers: their subscriptions cannot end without the channel, and a namespace takes all of it away at once.
    await kubectl('-n', namespace, 'delete', 'triggers', '--all');
    const subscriptions = () => kubectl('-n', namespace, 'get', 'subscriptions.messaging.knative.dev', '-o', 'name');
    for (const until = Date.now() + 30_000; Date.now() < until && (await subscriptions()) !== ''; await sleep(200));
    await kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--wait=false');
    listener.server.closeAllConnections();
    listener.server.close();
  }
});

test('on JetStream two clocks tell each tick once, and what was left half-written is gone', { timeout: LONG_MS }, async () => {
  const { broker, close } = openJetStream(fromEnv('TIDEMILL_TEST_NATS_URL'));
  const storage = createS3Storage({ endpoint: bucket.endpoint, bucket: bucket.bucket, region: bucket.region });
  const stop = new AbortController();
  const handled: TidemillEvent[] = [];
  try {
    isLeft = await bucket.abandon();
    const counted: AnyHandler = async (event: TidemillEvent, deps) => {
      handled.push(event);
      return handle(event as TidemillEvent<'dev.knative.sources.ping'>, deps);
    };
    startHost({
      functions: { [NAME]: functions[NAME] },
      load: async () => counted,
      ports: { storage } as Partial<Ports> as Ports,
      broker,
      begin: beginWithOutbox({ broker, durable: true, now: () => new Date().toISOString(), log: quiet }),
      log: quiet,
      now: () => new Date(Date.now() + 3 * DAY_MS).toISOString(),
    });
    const clock = () => {
      // A minute passes in a hundredth of a second.
      let ahead_ms = 0;
      const hurry = async (ms: number) => {
        ahead_ms += ms;
        if (ahead_ms > DAY_MS / 8) stop.abort();
        await sleep(10);
      };
      return keepTime({ ticks, namespace, broker, now: () => new Date(Date.now() + ahead_ms).toISOString(), log: quiet, signal: stop.signal, sleep: hurry });
    };
    await Promise.all([clock(), clock()]);
    await expect.poll(isLeft, { timeout: 20_000 }).toBe(false);
    await expect.poll(() => handled.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
    const due = handled.map(({ time }) => time);
    expect(new Set(due).size).toBe(due.length);
    expect(due.every((time) => time.slice(14) === '17:00.000Z')).toBe(true);
    expect(await broker.deadLetters()).toEqual([]);
  } finally {
    stop.abort();
    await close();
  }
});
