// The broker on NATS JetStream, against real servers: one and three, killed and started again.
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, nanos } from 'nats';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../../shared/events/event.ts';
import { createJetStreamBroker } from '../../shared/jetstream/broker.ts';
import { type JetStreamOptions, namesOf } from '../../shared/jetstream/options.ts';
import { ensureStreams } from '../../shared/jetstream/streams.ts';
import type { Broker, Settlement, Subscription } from '../../shared/ports/broker.ts';
import { brokerContract, event } from '../contracts/broker.ts';
import { fromEnv } from './env.ts';
import { type Consumer, startConsumer } from './nats/processes.ts';
import { type NatsServers, startNats } from './nats/server.ts';
import { deleteStreams, freshPrefix, openJetStream, smallOptions } from './nats/streams.ts';

const TYPE = 'dev.tidemill.artifact.requested.v1';
const ONE: Subscription = { name: 'one', types: [TYPE], concurrency: 16, maxAttempts: 3 };
const DONE: Settlement = { kind: 'done' };
const can = { durable: true, remembersEvents: true, deadLetters: true, retryWithin_ms: 200 };

brokerContract('JetStream', async () => openJetStream(fromEnv('TIDEMILL_TEST_NATS_URL')), can);

describe('JetStream with three servers', () => {
  let three: NatsServers;
  beforeAll(async () => {
    three = await startNats(3);
  });
  afterAll(() => three?.close());

  brokerContract('JetStream, three copies', async () => openJetStream(three.url, { replicas: 3 }), { ...can, many: 500 });

  it('loses nothing that was published when the leader is killed, and publishes on', async () => {
    const { broker, prefix, close } = openAt(three.url, { replicas: 3, patience_ms: 60_000 });
    try {
      const heard = hear(broker);
      await broker.publish([event('first')]);
      const leader = await onServer(three.url, async (jsm) => (await jsm.streams.info(namesOf(prefix).events)).cluster?.leader ?? '');
      const index = Number(leader.slice(1));
      const { acknowledged, refused } = await publishMany(broker, 1500, async (count) => {
        if (count === 300) await three.servers[index]!.kill();
      });
      expect(refused).toEqual([]);
      await three.servers[index]!.start();
      await expect.poll(() => acknowledged.filter((id) => !heard.has(id)), { timeout: 60_000 }).toEqual([]);
      const kept = await onServer(three.url, async (jsm) => (await jsm.streams.info(namesOf(prefix).events)).state.messages);
      expect(kept).toBe(1501);
    } finally {
      await close();
    }
  });
});

describe('JetStream, killed', () => {
  let one: NatsServers;
  beforeAll(async () => {
    one = await startNats();
  });
  afterAll(() => one?.close());

  it('has everything that was acknowledged after a SIGKILL in the middle of publishing', async () => {
    const { broker, prefix, close } = openAt(one.url, { patience_ms: 30_000 });
    try {
      const heard = hear(broker);
      await broker.publish([event('first')]);
      const server = one.servers[0]!;
      const { acknowledged, refused } = await publishMany(broker, 2000, async (count) => {
        if (count === 400 || count === 1200) {
          await server.kill();
          await server.start();
        }
      });
      expect(refused).toEqual([]);
      await expect.poll(() => acknowledged.filter((id) => !heard.has(id)), { timeout: 30_000 }).toEqual([]);
      const kept = await onServer(one.url, async (jsm) => (await jsm.streams.info(namesOf(prefix).events)).state.messages);
      expect(kept).toBe(2001);
    } finally {
      await close();
    }
  });

  it('says in time that the server is away, and goes on when it is back', async () => {
    const { broker, close } = openAt(one.url, { patience_ms: 1500 });
    try {
      const heard = hear(broker);
      await broker.publish([event('before')]);
      await one.servers[0]!.kill();
      const start = performance.now();
      await expect(broker.publish([event('meanwhile')])).rejects.toThrow(
        /event meanwhile .* could not be published: NATS at nats:.* did not take it within 1.5 s/,
      );
      expect(performance.now() - start).toBeLessThan(4000);
      await one.servers[0]!.start();
      await expect.poll(() => broker.publish([event('after')]).then(() => 'published', String), { timeout: 20_000 }).toBe('published');
      await expect.poll(() => heard.has('before') && heard.has('after'), { timeout: 20_000 }).toBe(true);
    } finally {
      await close();
    }
  });

  it('waits for a server that is not there yet', async () => {
    await one.servers[0]!.kill();
    const { broker, close } = openAt(one.url, { patience_ms: 30_000 });
    try {
      const heard = hear(broker);
      const published = broker.publish([event('1')]);
      await one.servers[0]!.start();
      await published;
      await expect.poll(() => heard.has('1')).toBe(true);
    } finally {
      await close();
    }
  });
});

describe('JetStream, in use', () => {
  const url = () => fromEnv('TIDEMILL_TEST_NATS_URL');
  const consumers: Consumer[] = [];
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.kill('SIGKILL')));
  });

  it('drops a second telling of an event long after the window in which the server itself would', async () => {
    const { broker, prefix, close } = openAt(url());
    try {
      const heard = hear(broker);
      await broker.publish([event('1')]);
      await onServer(url(), (jsm) => jsm.streams.update(namesOf(prefix).events, { duplicate_window: nanos(100) }));
      await new Promise((resolve) => setTimeout(resolve, 500));
      await broker.publish([event('1'), event('2')]);
      await expect.poll(() => heard.has('2')).toBe(true);
      expect(heard.get('1')).toBe(1);
      const { messages } = await onServer(url(), async (jsm) => (await jsm.streams.info(namesOf(prefix).events)).state);
      expect(messages).toBe(2);
    } finally {
      await close();
    }
  });

  it('shares the work between processes, and finishes what a killed one had in hand', async () => {
    const { broker, prefix, close } = openAt(url());
    try {
      const [a, b] = [startConsumer(url(), prefix, 1000), startConsumer(url(), prefix, 1000)];
      consumers.push(a, b);
      const ids = Array.from({ length: 600 }, (_, i) => `e${i}`);
      await ensureStreams(smallOptions(url(), prefix, { ackWait_ms: 1000, subscriptions: [ONE] }));
      await broker.publish(ids.slice(0, 300).map((id) => event(id)));
      await expect.poll(() => Math.min(a.handled.length, b.handled.length), { timeout: 20_000 }).toBeGreaterThan(20);
      await broker.publish(ids.slice(300).map((id) => event(id)));
      await a.kill('SIGKILL');
      const missing = () => ids.filter((id) => ![...a.handled, ...b.handled].some((one) => one.id === id));
      await expect.poll(missing, { timeout: 20_000 }).toEqual([]);
      const twice = a.handled.length + b.handled.length - ids.length;
      // What was in hand, and what had been fetched: four at once, and as many more.
      expect(twice).toBeLessThanOrEqual(8);
    } finally {
      await close();
    }
  });

  it('lets a process that is told to end finish, and gives the rest to another at once', async () => {
    const { broker, prefix, close } = openAt(url());
    try {
      const a = startConsumer(url(), prefix, 60_000);
      consumers.push(a);
      await expect.poll(() => consumerThere(url(), prefix), { timeout: 10_000 }).toBe(true);
      const ids = Array.from({ length: 200 }, (_, i) => `e${i}`);
      await broker.publish(ids.map((id) => event(id)));
      await expect.poll(() => a.handled.length, { timeout: 10_000 }).toBeGreaterThan(8);
      await a.kill('SIGTERM');
      const b = startConsumer(url(), prefix, 60_000);
      consumers.push(b);
      await expect.poll(() => a.handled.length + b.handled.length, { timeout: 10_000 }).toBe(ids.length);
      expect(new Set([...a.handled, ...b.handled].map(({ id }) => id)).size).toBe(ids.length);
      expect([...a.handled, ...b.handled].filter(({ attempt }) => attempt !== 1)).toEqual([]);
    } finally {
      await close();
    }
  });

  it('gives up an event that ends its process each time, and redrives it to where it came from alone', async () => {
    const { broker, prefix, close } = openAt(url());
    let starts = 0;
    let over = false;
    let running: Consumer | undefined;
    const untilOver = (async () => {
      for (; !over; starts++) {
        running = startConsumer(url(), prefix, 300);
        await running.ended;
      }
    })();
    const endConsumers = async () => {
      over = true;
      await running?.kill('SIGKILL');
      await untilOver;
    };
    try {
      await ensureStreams(smallOptions(url(), prefix, { ackWait_ms: 300, subscriptions: [ONE, { ...ONE, name: 'two' }] }));
      await broker.publish([event('poison'), event('good')]);
      await expect.poll(async () => (await broker.deadLetters()).length, { timeout: 90_000, interval: 200 }).toBe(1);
      expect(starts).toBeGreaterThanOrEqual(3);
      await endConsumers();
      const [letter] = await broker.deadLetters();
      expect(letter).toMatchObject({ subscription: 'one', event: { id: 'poison' } });
      expect(letter!.reason).toMatch(/the process that had it in hand ended/);

      const mended = createJetStreamBroker(smallOptions(url(), prefix, { ackWait_ms: 300 }));
      const seen = { one: [] as string[], two: [] as string[] };
      mended.subscribe(ONE, async ({ event: { id }, attempt }) => (seen.one.push(`${id} ${attempt}`), DONE));
      mended.subscribe({ ...ONE, name: 'two' }, async ({ event: { id } }) => (seen.two.push(id), DONE));
      await expect.poll(() => seen.two.toSorted()).toEqual(['good', 'poison']);
      await mended.redrive(letter!.id);
      await expect.poll(() => seen.one).toContain('poison 1');
      expect(await mended.deadLetters()).toEqual([]);
      expect(seen.two).toHaveLength(2);
      await mended.stop(1000);
    } finally {
      await endConsumers();
      await close();
    }
  });

  it('says that it is full of what waits, and forgets what was handled to make room', async () => {
    const { broker, close } = openAt(url(), { maxBytes: 128 * 1024, patience_ms: 2000 });
    try {
      const blocked = Promise.withResolvers<void>();
      broker.subscribe(ONE, async () => {
        await blocked.promise;
        return DONE;
      });
      const publishUntilFull = async () => {
        for (let i = 0; ; i++) {
          try {
            await broker.publish([event(`e${i}`)]);
          } catch (error) {
            return { stored: i, error: error as Error };
          }
        }
      };
      const { stored, error } = await publishUntilFull();
      expect(stored).toBeGreaterThan(100);
      expect(error.message).toMatch(/full of events that were not handled yet/);
      blocked.resolve();
      await expect.poll(() => broker.publish([event('more')]).then(() => 'published', String), { timeout: 20_000 }).toBe('published');
      for (let i = 0; i < stored; i++) await broker.publish([event(`next${i}`)]);
    } finally {
      await close();
    }
  });

  it('makes its streams once, changes them when they are to be otherwise, and never loses what is in them', async () => {
    const prefix = freshPrefix();
    const names = namesOf(prefix);
    const options = smallOptions(url(), prefix, { subscriptions: [ONE] });
    try {
      await Promise.all([ensureStreams(options), ensureStreams(options), ensureStreams(options)]);
      const broker = createJetStreamBroker(options);
      await broker.publish([event('1')]);
      await broker.stop(1000);
      await ensureStreams({ ...options, maxBytes: 128 * 1024 ** 2, subscriptions: [{ ...ONE, types: [TYPE, 'dev.tidemill.artifact.failed.v1'] }] });
      await onServer(url(), async (jsm) => {
        const { config, state } = await jsm.streams.info(names.events);
        expect(config).toMatchObject({ max_bytes: 128 * 1024 ** 2, discard: 'new', max_age: nanos(30 * 86_400_000) });
        expect(state.messages).toBe(1);
        const consumer = await jsm.consumers.info(names.events, 'one');
        expect(consumer.config.filter_subjects).toHaveLength(3);
        expect(consumer.num_pending).toBe(1);
      });
    } finally {
      await deleteStreams(url(), prefix);
    }
  });

  it('refuses an event that is too large, and an address with a password in it', async () => {
    const { broker, close } = openAt(url());
    try {
      const large: TidemillEvent = event('1', { reason: 'x'.repeat(1_100_000) });
      await expect(broker.publish([large])).rejects.toThrow(/has \d+ bytes, and this server takes \d+/);
      const secret = 'nats://me:hunter2@127.0.0.1:4222';
      expect(() => createJetStreamBroker(smallOptions(secret, 'x'))).toThrow(/must not hold a user or password/);
      expect(() => createJetStreamBroker(smallOptions(secret, 'x'))).not.toThrow(/hunter2/);
    } finally {
      await close();
    }
  });
});

function openAt(url: string, options: Partial<JetStreamOptions> = {}) {
  const prefix = freshPrefix();
  const broker = createJetStreamBroker(smallOptions(url, prefix, options));
  const close = async () => {
    await broker.stop(1000);
    await deleteStreams(url, prefix);
  };
  return { broker, prefix, close };
}

/** Subscribes, and counts how often each event came. */
function hear(broker: Broker): Map<string, number> {
  const heard = new Map<string, number>();
  broker.subscribe(ONE, async ({ event: { id } }) => (heard.set(id, (heard.get(id) ?? 0) + 1), DONE));
  return heard;
}

/** Sixteen at a time, `during` beside them. Which were acknowledged, and which refused. */
async function publishMany(broker: Broker, count: number, during: (begun: number) => Promise<void>) {
  const acknowledged: string[] = [];
  const refused: string[] = [];
  const faults: Promise<void>[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const id = `e${next++}`;
      faults.push(during(next));
      await broker.publish([event(id)]).then(
        () => acknowledged.push(id),
        (error: unknown) => refused.push(String(error)),
      );
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  await Promise.all(faults);
  return { acknowledged, refused };
}

async function onServer<T>(url: string, work: (jsm: JetStreamManager) => Promise<T>): Promise<T> {
  const nc = await connect({ servers: url.split(',') });
  try {
    return await work(await jetstreamManager(nc));
  } finally {
    await nc.close();
  }
}

async function consumerThere(url: string, prefix: string): Promise<boolean> {
  return onServer(url, (jsm) =>
    jsm.consumers.info(namesOf(prefix).events, 'one').then(
      () => true,
      () => false,
    ),
  );
}
