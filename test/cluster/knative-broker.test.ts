// The broker on Knative, against a real Broker with its Triggers, retries and dead-letter sink.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKnativeBroker } from '../../shared/knative/broker.ts';
import { toBinary } from '../../shared/knative/headers.ts';
import { rootId } from '../../shared/events/ids.ts';
import type { Delivery, Settlement, Subscription } from '../../shared/ports/broker.ts';
import { post } from '../../shared/knative/test/endpoint.ts';
import { brokerContract, event } from '../contracts/broker.ts';
import { fromEnv } from './env.ts';
import { createTestBroker, deleteBrokerPods, type TestBroker, untilHeard } from './knative/broker.ts';
import { type OpenKnative, openKnative, startSubscribers, type Subscribers } from './knative/open.ts';

const A = 'dev.tidemill.artifact.requested.v1';
const ENDED = 'dev.tekton.event.taskrun.successful.v1';
const NAMES = ['one', 'two', 'other', 'stuck', 'mixed'];
const DONE: Settlement = { kind: 'done' };

let subscribers: Subscribers;
let broker: TestBroker;

beforeAll(async () => {
  subscribers = await startSubscribers();
  const here = `http://${fromEnv('TIDEMILL_TEST_HOST')}:${subscribers.port}`;
  // As the manifests have it, with shorter pauses.
  const delivery = { retry: 6, backoffPolicy: 'exponential', backoffDelay: 'PT0.1S', deadLetterSink: { uri: `${here}/dead-letters` } };
  broker = await createTestBroker(
    NAMES.map((name) => ({ name, url: `${here}/${name}` })),
    delivery,
  );
  const through = new Set<string>();
  subscribers.marked.set('probe', (request, response) => {
    through.add((request.url ?? '').slice(1));
    request.resume();
    response.writeHead(202).end();
  });
  const { headers, body } = toBinary(event('probe'), { testmark: 'probe' });
  const probe = () => post(broker.sink, headers as Record<string, string>, body);
  await untilHeard(probe, () => through.size === NAMES.length);
});
afterAll(async () => {
  await broker?.close();
  await subscribers?.close();
});

brokerContract('Knative', () => openKnative(broker.sink, subscribers), {
  durable: false,
  remembersEvents: false,
  deadLetters: true,
  retryWithin_ms: 1000,
  answersAfterHandling: true,
  dropsNothing: true,
  many: 300,
});

describe('a real Broker', () => {
  let opened: OpenKnative;
  beforeEach(async () => {
    opened = await openKnative(broker.sink, subscribers);
  });
  afterEach(() => opened.close());

  const subscribe = (deliver: (delivery: Delivery) => Promise<Settlement>, options: Partial<Subscription> = {}) =>
    opened.broker.subscribe({ name: 'one', types: [A], concurrency: 16, maxAttempts: 3, ...options }, deliver);
  const letters = () => opened.broker.deadLetters();

  it('answers a publish when all who hear the event have answered', async () => {
    let handled = 0;
    const deliver = async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      handled++;
      return DONE;
    };
    subscribe(deliver);
    subscribe(deliver, { name: 'two' });
    await opened.broker.publish([event('1')]);
    expect(handled).toBe(2);
  });

  it('tries again what was answered 429, 500 and 503, and has 422 in the dead letters at once', async () => {
    const attempts: number[] = [];
    subscribe(async ({ event: { id }, attempt }) => {
      if (id === 'refused') return { kind: 'dead', reason: 'no such project' };
      attempts.push(attempt);
      if (attempt === 1) return { kind: 'retry', after_ms: 10, reason: 'not yet' };
      if (attempt === 2) throw new Error('not today');
      return DONE;
    });
    await opened.broker.publish([event('1'), event('refused')]);
    expect(attempts).toEqual([1, 2, 3]);
    await expect.poll(letters).toMatchObject([{ subscription: 'one', attempts: 1, reason: 'no such project', event: event('refused') }]);
  });

  it('has what a function answers 400 to in the dead letters, as it came', async () => {
    subscribe(async () => DONE);
    const { headers, body } = toBinary(event('1'), { testmark: opened.mark });
    const { status } = await post(
      broker.sink,
      { ...(headers as Record<string, string>), 'ce-time': '2026-11-21T10:00:00Z', 'ce-chainid': 'x'.repeat(600) },
      body,
    );
    expect(status).toBe(202);
    await expect
      .poll(letters)
      .toMatchObject([{ subscription: 'one', event: { id: '1', chainid: 'x'.repeat(600) }, reason: expect.stringContaining('chainid') as string }]);
  });

  it('keeps an event that waits longer than the Broker would, and one whose process ended, in no memory', async () => {
    const attempts: number[] = [];
    const deliver = async ({ attempt }: Delivery): Promise<Settlement> => {
      attempts.push(attempt);
      return attempts.length === 1 ? { kind: 'retry', after_ms: 6000, reason: 'later' } : DONE;
    };
    subscribe(deliver);
    await opened.broker.publish([event('1')]);
    expect(attempts).toEqual([1]);
    opened = await opened.reopen();
    subscribe(deliver);
    await expect.poll(() => attempts, { timeout: 15_000 }).toEqual([1, 2]);
  });

  it("takes Tekton's own events, each once however often it is told", async () => {
    const heard: string[] = [];
    subscribe(async ({ event: { id, chainid } }) => (heard.push(`${id} ${chainid}`), DONE), { types: [ENDED] });
    const uid = '5d9f6f8e-6f6b-4c53-8d46-2f5f0f1c7a10';
    const creationTimestamp = '2026-11-21T10:00:00Z';
    const taskRun = { metadata: { name: 'hello', namespace: 'team', uid, creationTimestamp }, spec: {}, status: { completionTime: '2026-11-21T10:00:05Z' } };
    for (const id of ['b0e5e4c4-1', 'b0e5e4c4-2']) {
      const headers = {
        'content-type': 'application/json',
        'ce-specversion': '1.0',
        'ce-id': id,
        'ce-source': '/apis///namespaces/team//hello',
        'ce-subject': 'hello',
        'ce-type': ENDED,
      };
      const { status } = await post(
        broker.sink,
        { ...headers, 'ce-time': '2026-11-21T10:00:05.123456789Z', 'ce-testmark': opened.mark },
        JSON.stringify({ taskRun }),
      );
      expect(status).toBe(202);
    }
    const same = `${rootId(Date.parse(creationTimestamp), 'taskrun', uid, 'successful')} ${uid}`;
    expect(heard).toEqual([same, same]);
    expect(await letters()).toEqual([]);
  });

  // Most of it is the time that the pods take to come back.
  it('loses nothing that is published again until it was answered, when its pods are deleted in the middle', { timeout: 300_000 }, async () => {
    const heard = new Set<string>();
    const acknowledged = new Set<string>();
    let failures = 0;
    subscribe(async ({ event: { id } }) => (heard.add(id), DONE));
    const ids = Array.from({ length: 400 }, (_, i) => `e${i}`);
    const todo = [...ids];
    let deleted: Promise<void> | undefined;
    // As the outboxes and the watcher do it: what was not answered is published again.
    const publisher = async () => {
      for (let id = todo.shift(); id; id = todo.shift()) {
        if (acknowledged.size >= 100) deleted ??= deleteBrokerPods(broker.client);
        try {
          await opened.broker.publish([event(id)]);
          acknowledged.add(id);
        } catch {
          failures++;
          todo.push(id);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, publisher));
    await deleted;
    expect(deleted).toBeDefined();
    const lost = [...acknowledged].filter((id) => !heard.has(id));
    const inDeadLetters = (await letters()).map((letter) => (letter.event as { id: string }).id);
    expect({ acknowledged: acknowledged.size, lost: lost.filter((id) => !inDeadLetters.includes(id)), failures }).toMatchObject({
      acknowledged: 400,
      lost: [],
    });
  });
});

describe('Triggers with filters', () => {
  it('bring a function its types, one or several, and nothing else', async () => {
    const heard: string[] = [];
    const server = await listen((path, type) => heard.push(`${path} ${type}`));
    const here = `http://${fromEnv('TIDEMILL_TEST_HOST')}:${(server.address() as AddressInfo).port}`;
    const B = 'dev.tidemill.artifact.failed.v1';
    const C = 'dev.tidemill.git.push.v1';
    const own = await createTestBroker(
      [
        { name: 'single', url: `${here}/single`, filters: [{ exact: { type: A } }] },
        { name: 'several', url: `${here}/several`, filters: [{ any: [{ exact: { type: A } }, { exact: { type: B } }] }] },
      ],
      {},
    );
    const publisher = createKnativeBroker({ sink: own.sink, log: { info: () => {}, warn: () => {}, error: () => {} } });
    try {
      const probe = () => publisher.publish([event('probe')]);
      await untilHeard(probe, () => new Set(heard).size === 2);
      heard.length = 0;
      await publisher.publish([event('1'), event('2', { type: B, reason: 'r' }), { ...event('3'), type: C } as never]);
      expect(heard.toSorted()).toEqual([`several ${B}`, `several ${A}`, `single ${A}`]);
    } finally {
      await publisher.stop(1000);
      await own.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

async function listen(heard: (path: string, type: string) => void): Promise<Server> {
  const server = createServer((request, response) => {
    heard((request.url ?? '').slice(1), String(request.headers['ce-type']));
    request.resume();
    response.writeHead(202).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return server;
}
