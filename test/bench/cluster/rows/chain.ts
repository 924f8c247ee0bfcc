// A chain of four functions over JetStream, each writing its outcome with its outbox: against raw publish-and-consume of as many messages on the same server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from 'nats';
import { rootId } from '../../../../shared/events/ids.ts';
import type { TidemillEvent } from '../../../../shared/events/event.ts';
import type { Ports } from '../../../../shared/host/contract.ts';
import { type AnyHandler, type Entry, startHost } from '../../../../shared/host/host.ts';
import { beginWithOutbox } from '../../../../shared/host/outbox.ts';
import { createJetStreamBroker } from '../../../../shared/jetstream/broker.ts';
import { KubeError } from '../../../../shared/kubernetes/client/error.ts';
import { createKubernetesObjects } from '../../../../shared/kubernetes/objects/objects.ts';
import type { Objects } from '../../../../shared/ports/objects.ts';
import { openStore } from '../../../../shared/store/store.ts';
import { fromEnv } from '../../../cluster/env.ts';
import { median } from '../../figures.ts';
import type { BenchRow } from '../../row.ts';
import type { Ground } from '../ground.ts';
import { quiet } from '../in-process.ts';
import { removeStreams } from '../installed.ts';

const ROUNDS = 3;
const IN_FLIGHT = 64;
/** Chains of a round; fewer where each hop writes to the API server. */
const CHAINS = 1000;
const CHAINS_BY_API = 150;
/** The run after the one that warms up. */
const FIRST_ROUND = 2;
const SHA = 'a'.repeat(40);

const about = { namespace: 'default', project: 'example', execution: 'example-0123456789' };
/** The root event, and what each of the four functions tells in turn. */
const STEPS = [
  { type: 'dev.tidemill.artifact.requested.v1', data: { ...about, artifact: 'example-source' } },
  { type: 'dev.tidemill.artifact.resolved.v1', data: { ...about, artifact: 'example-source', type: 'git', digest: `sha1:${SHA}` } },
  { type: 'dev.tidemill.execution.started.v1', data: { ...about, number: 1, sha: SHA, ref: 'refs/heads/main' } },
  { type: 'dev.tidemill.execution.finished.v1', data: { ...about, lane: 'example-main', number: 1, outcome: 'Succeeded' } },
  { type: 'dev.tidemill.artifact.failed.v1', data: { ...about, artifact: 'example-source', reason: 'the end of the chain' } },
] as const;
const HOPS = STEPS.length - 1;

/** What a hop does beside telling the next: it changes an object, and the outbox goes with that. */
interface Kind {
  name: 'api' | 'sqlite' | 'none';
  chains: number;
  objects?: Objects;
}

interface Round {
  raw: number;
  /** Raw, and for each message that a function would handle the same two requests to the API server. */
  rawWithApi: number;
  of: Record<Kind['name'], number>;
}

export async function chainRows(ground: Ground): Promise<BenchRow[]> {
  const namespace = await ground.namespace('chain');
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-chain-'));
  ground.later('store', async () => rmSync(folder, { recursive: true, force: true }));
  const store = openStore(join(folder, 'objects.db'));
  ground.later('open store', () => store.close());
  const kinds: Kind[] = [
    { name: 'none', chains: CHAINS },
    { name: 'sqlite', chains: CHAINS, objects: store.objects },
    { name: 'api', chains: CHAINS_BY_API, objects: createKubernetesObjects({ client: ground.client }) },
  ];
  const chains = new Map<Kind, (count: number) => Promise<number>>();
  for (const kind of kinds) chains.set(kind, await openChain(ground, kind, namespace));
  const raw = await openRaw(ground);
  for (const run of chains.values()) await run(IN_FLIGHT);
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // In turn, so that what else the machine does meets each of them.
    const of = {} as Round['of'];
    for (const [{ name, chains: count }, run] of chains) of[name] = await run(count);
    const one = { of, raw: await raw(CHAINS * STEPS.length), rawWithApi: await raw(CHAINS_BY_API * STEPS.length, (n) => bareRequests(ground, namespace, n)) };
    rounds.push(one);
    const said = Object.entries(of).map(([name, rate]) => `${name} ${rate.toFixed(0)}`);
    ground.log(`chain: events a second by where outboxes are: ${said.join(', ')}; raw ${one.raw.toFixed(0)}, with bare requests ${one.rawWithApi.toFixed(0)}`);
  }
  return rows(rounds);
}

/** Runs so many chains, and resolves with the events published and handled in a second. */
async function openChain(ground: Ground, { name, objects }: Kind, namespace: string): Promise<(count: number) => Promise<number>> {
  const entries = Object.fromEntries(Array.from({ length: HOPS }, (_, i): [string, Entry] => [`hop-${i}`, entryOf(i, objects !== undefined)]));
  const subscriptions = Object.entries(entries).map(([hop, { consumes }]) => ({ name: hop, types: consumes }));
  const prefix = `${ground.id}-${name}`;
  const broker = createJetStreamBroker({ url: fromEnv('TIDEMILL_TEST_NATS_URL'), prefix, subscriptions, log: quiet });
  ground.later(`streams of ${name}`, () => removeStreams(prefix));
  ground.later(`broker of ${name}`, () => broker.stop(5000));
  let started = 0;
  let done = 0;
  let total = 0;
  let run = 0;
  let end = () => {};
  const begin = () => {
    if (started < total) void broker.publish([rootEvent(nameOf(name, run, started++))]);
  };
  startHost({
    functions: entries,
    load: async (hop) => handlerOf(Number(hop.slice('hop-'.length)), namespace, objects !== undefined),
    ports: (objects ? { objects } : {}) as Ports,
    broker: {
      ...broker,
      subscribe: (subscription, deliver) =>
        broker.subscribe(subscription, async (delivery) => {
          const settlement = await deliver(delivery);
          if (subscription.name === `hop-${HOPS - 1}`) {
            if (++done === total) end();
            else begin();
          }
          return settlement;
        }),
    },
    begin: beginWithOutbox({ broker, durable: true, now: () => new Date().toISOString(), log: quiet }),
    log: quiet,
    now: () => new Date().toISOString(),
  });
  return async (count) => {
    run++;
    // Each chain has an object of its own, as what comes of a push has.
    if (objects) await makeObjects(objects, namespace, (n) => nameOf(name, run, n), count);
    [total, started, done] = [count, 0, 0];
    const ended = new Promise<void>((resolve) => (end = resolve));
    const at = performance.now();
    for (let i = 0; i < Math.min(IN_FLIGHT, count); i++) begin();
    await ended;
    return (count * STEPS.length) / ((performance.now() - at) / 1000);
  };
}

function nameOf(kind: Kind['name'], run: number, chain: number): string {
  return `${kind}-${run}-${chain}`;
}

async function makeObjects(objects: Objects, namespace: string, name: (n: number) => string, count: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count)
      await objects.create({ kind: 'Lane', metadata: { name: name(next++), namespace }, spec: { project: 'example', ref: 'refs/heads/main' } });
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

function entryOf(i: number, hasObjects: boolean): Entry {
  return { consumes: [STEPS[i]!.type], emits: [STEPS[i + 1]!.type], needs: hasObjects ? ['objects'] : [], concurrency: IN_FLIGHT };
}

function handlerOf(i: number, namespace: string, hasObjects: boolean): AnyHandler {
  const { type, data } = STEPS[i + 1]!;
  const last = { mode: 'queue' as const, slots: 1, running: [], waiting: [], recent: [] };
  return async (event: TidemillEvent, { objects }: { objects: Objects }) => {
    const outputs = [{ type, data, subject: event.subject } as never];
    if (!hasObjects) return { outputs };
    const lane = await objects.get('Lane', { namespace, name: event.subject! });
    if (!lane) throw new Error(`There is no lane ${event.subject}`);
    return { outputs, status: { ...lane, status: { ...last, ...lane.status, last: (lane.status?.last ?? 0) + 1 } } };
  };
}

let roots = 0;

function rootEvent(subject: string): TidemillEvent {
  return {
    specversion: '1.0',
    id: rootId(Date.now(), 'chain', String(process.pid), String(roots++)),
    source: '/bench/chain',
    subject,
    ...STEPS[0],
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    chainid: '0f8fad5b-d9cb-469f-a165-70867728950e',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  };
}

/** The peer: as many messages of an event's size published, each acknowledged by the stream, and consumed, each acknowledged to it, in one process. */
async function openRaw({ id, later }: Ground): Promise<(count: number, before?: (n: number) => Promise<void>) => Promise<number>> {
  const nats = await connect({ servers: fromEnv('TIDEMILL_TEST_NATS_URL') });
  later('raw connection', () => nats.close());
  const manager = await jetstreamManager(nats);
  const js = jetstream(nats);
  const name = `${id}-raw`;
  await manager.streams.add({ name, subjects: [`${name}.>`] });
  later('raw stream', () => manager.streams.delete(name));
  await manager.consumers.add(name, { durable_name: 'raw', ack_policy: AckPolicy.Explicit, max_ack_pending: -1 });
  const consumer = await js.consumers.get(name, 'raw');
  const body = JSON.stringify(rootEvent('raw'));
  return async (count, before = async () => {}) => {
    const at = performance.now();
    const messages = await consumer.consume({ max_messages: 1000 });
    const consumed = (async () => {
      let left = count;
      for await (const message of messages) {
        message.ack();
        if (--left === 0) break;
      }
    })();
    let next = 0;
    const publisher = async () => {
      while (next < count) {
        const n = next++;
        await before(n);
        await js.publish(`${name}.${n}`, body);
      }
    };
    await Promise.all([consumed, ...Array.from({ length: IN_FLIGHT }, publisher)]);
    await messages.close();
    return count / ((performance.now() - at) / 1000);
  };
}

/** What a hop asks of the API server, by the bare client: of five messages of a chain four are a hop's. */
async function bareRequests({ client }: Ground, namespace: string, n: number): Promise<void> {
  if (n % STEPS.length === 0) return;
  const path = `/apis/tidemill.dev/v1alpha1/namespaces/${namespace}/lanes/${nameOf('api', FIRST_ROUND, n % CHAINS_BY_API)}`;
  for (;;) {
    const lane = await client.request<{ status: { last: number } }>('GET', path);
    try {
      await client.request('PUT', `${path}/status`, { body: { ...lane, status: { ...lane.status, last: lane.status.last + 1 } } });
      return;
    } catch (error) {
      // One that took so long that its lane had its turn again: a compare-and-swap is tried again.
      if (!(error instanceof KubeError && error.status === 409)) throw error;
    }
  }
}

function rows(rounds: readonly Round[]): BenchRow[] {
  const theirs = median(rounds.map(({ raw }) => raw));
  const row = (what: string, kind: Kind['name'], wanted: boolean, note: string): BenchRow => {
    const ratio = median(rounds.map(({ of, raw }) => of[kind] / raw));
    return {
      bench: 'cluster, chain',
      what,
      ours: median(rounds.map(({ of }) => of[kind])),
      peer: 'raw publish-and-consume, same server',
      theirs,
      unit: 'events/s',
      ratio,
      target: wanted ? '>= 0.4' : 'reported',
      ok: !wanted || ratio >= 0.4,
      note,
    };
  };
  return [
    row(
      'events through four functions on JetStream, each outbox a write to the API server',
      'api',
      true,
      `${IN_FLIGHT} chains in flight; a hop reads an object, replaces its status with the outbox in it, publishes and acknowledges: two requests to the API server, which the peer has none of`,
    ),
    {
      ...row('the same', 'api', false, 'what is left of it is ours: two checks of each object and event, and the outbox itself'),
      peer: 'raw publish-and-consume, and the same two requests by a bare client',
      theirs: median(rounds.map(({ rawWithApi }) => rawWithApi)),
      ratio: median(rounds.map(({ of, rawWithApi }) => of.api / rawWithApi)),
    },
    row(
      'the same, each outbox a durable write to SQLite here',
      'sqlite',
      true,
      'the same code of ours, with another store of objects behind it; on disk before anything of it is published, with what others write in the same moment',
    ),
    row(
      'the same, without objects and outboxes',
      'none',
      false,
      'every event checked by its schema when it comes and when it is emitted; published where it is not yet (expected last sequence 0)',
    ),
  ];
}
