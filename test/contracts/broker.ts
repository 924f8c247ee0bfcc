// What every adapter of the port Broker promises. An adapter's test calls this with a way to open one, and to open it again.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { Broker, Delivery, Settlement, Subscription } from '../../shared/ports/broker.ts';
import { when } from './when.ts';

export interface OpenBroker {
  broker: Broker;
  /** Ends this one as a restart would, and opens what it kept. */
  reopen(): Promise<OpenBroker>;
  close(): Promise<void>;
}

export interface BrokerCapabilities {
  /** What was published and not settled is there after a restart. False: a doorbell. */
  durable: boolean;
  /** An event published before is dropped however long ago that was. False: only within a window, or not at all. */
  remembersEvents: boolean;
  /** Keeps dead letters that can be listed and redriven. */
  deadLetters: boolean;
  /** Delivers twice and in any order of its own accord: then tests count each event once. */
  chaotic?: boolean;
  /** Upper bound of the pause before a second attempt, in milliseconds. */
  retryWithin_ms: number;
  /** A publish resolves when all who hear the events have answered. */
  answersAfterHandling?: boolean;
  /** Delivers an event as often as it is published. */
  dropsNothing?: boolean;
  /** How many a great many are. Default 3000. */
  many?: number;
}

const A = 'dev.tidemill.artifact.requested.v1';
const B = 'dev.tidemill.artifact.failed.v1';
const DONE: Settlement = { kind: 'done' };

export const event = (id: string, options: { source?: string; type?: typeof A | typeof B; reason?: string } = {}): TidemillEvent => ({
  specversion: '1.0',
  id,
  source: options.source ?? '/test',
  type: options.type ?? A,
  time: '2026-11-21T10:00:00.000Z',
  datacontenttype: 'application/json',
  chainid: '0f8fad5b-d9cb-469f-a165-70867728950e',
  data: { namespace: 'default', project: 'example', execution: 'e1', artifact: 'a1', ...(options.reason !== undefined && { reason: options.reason }) },
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export function brokerContract(adapter: string, open: () => Promise<OpenBroker>, can: BrokerCapabilities): void {
  describe(`Broker: ${adapter}`, () => {
    let opened: OpenBroker;
    let broker: Broker;

    beforeEach(async () => {
      opened = await open();
      broker = opened.broker;
    });
    afterEach(() => opened.close());

    const reopen = async () => {
      opened = await opened.reopen();
      broker = opened.broker;
    };

    const subscribe = (name: string, deliver: (delivery: Delivery) => Promise<Settlement>, options: Partial<Subscription> = {}) =>
      broker.subscribe({ name, types: [A], concurrency: 4, maxAttempts: 3, ...options }, deliver);

    /** Resolves when the events are published; at once where that takes until they are handled, which a test has to see going on. */
    const publish = async (events: TidemillEvent[]) => {
      const published = broker.publish(events);
      if (!can.answersAfterHandling) return published;
      published.catch(() => {
        // What a doorbell could not deliver shows in what was heard.
      });
    };

    /** Subscribes and notes the ids that come; a broker that duplicates is noted once. */
    const record = (name: string, options: Partial<Subscription> = {}) => {
      const ids: string[] = [];
      subscribe(
        name,
        async ({ event: { id } }) => {
          if (!can.chaotic || !ids.includes(id)) ids.push(id);
          return DONE;
        },
        options,
      );
      return ids;
    };

    describe('publish', () => {
      it('delivers each event to each subscriber of its type, as a copy of its own', async () => {
        const seen: unknown[] = [];
        const spoil = async (delivery: Delivery) => {
          seen.push(structuredClone(delivery.event));
          (delivery.event.data as { project: string }).project = 'spoiled';
          return DONE;
        };
        subscribe('one', spoil);
        subscribe('two', spoil);
        const others = record('other', { types: [B] });
        const told = event('1');
        await publish([told]);
        await expect.poll(() => seen.length).toBeGreaterThanOrEqual(2);
        for (const one of seen) expect(one).toEqual(told);
        expect(others).toEqual([]);
      });

      it('passes events through JSON and keeps any text', async () => {
        const reason = `'"\\ é 😀 \u2028 \0 \u001f`;
        const seen: TidemillEvent[] = [];
        subscribe('one', async (delivery) => (seen.push(delivery.event), DONE), { types: [B] });
        await publish([{ ...event('1', { type: B, reason }), subject: undefined }]);
        await expect.poll(() => seen[0]?.data).toMatchObject({ reason });
        expect(Object.keys(seen[0]!)).not.toContain('subject');
      });

      it('takes nothing as success, and events that nobody wants', async () => {
        const ids = record('one');
        await publish([]);
        await publish([event('1', { type: B, reason: 'r' }), event('2')]);
        await expect.poll(() => ids).toEqual(['2']);
      });

      when(!can.dropsNothing)('drops what was published before: the same source and id, and only both', async () => {
        const seen: string[] = [];
        subscribe('one', async ({ event: { id, source } }) => (seen.push(`${source} ${id}`), DONE));
        await publish([event('1'), event('1')]);
        await Promise.all(Array.from({ length: 10 }, () => publish([event('1')])));
        await publish([event('1', { source: '/other' }), event('2'), event('1')]);
        const unique = () => (can.chaotic ? [...new Set(seen)] : seen).toSorted();
        await expect.poll(unique).toEqual(['/other 1', '/test 1', '/test 2']);
        await sleep(50);
        expect(unique()).toHaveLength(3);
      });

      when(can.remembersEvents)('drops what was published before a restart', async () => {
        const before = record('one');
        await publish([event('1')]);
        await expect.poll(() => before).toEqual(['1']);
        await reopen();
        const after = record('one');
        await publish([event('1'), event('2')]);
        await expect.poll(() => after).toEqual(['2']);
      });

      it('delivers everything of a great many', async () => {
        const ids = new Set<string>();
        subscribe('one', async (delivery) => (ids.add(delivery.event.id), DONE), { concurrency: 32 });
        const all = Array.from({ length: can.many ?? 3000 }, (_, i) => `e${i}`);
        for (let i = 0; i < all.length; i += 500) await publish(all.slice(i, i + 500).map((id) => event(id)));
        await expect.poll(() => ids.size, { timeout: 20_000 }).toBe(all.length);
      });
    });

    describe('settlement', () => {
      it('delivers again after a throw, counting attempts', async () => {
        const attempts: number[] = [];
        subscribe('one', async ({ attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) throw new Error('not today');
          return DONE;
        });
        await publish([event('1')]);
        await expect.poll(() => attempts.includes(3), { timeout: can.retryWithin_ms * 4 + 1000 }).toBe(true);
        if (!can.chaotic) expect(attempts).toEqual([1, 2, 3]);
        await sleep(50);
        expect(await broker.deadLetters()).toEqual([]);
      });

      it('waits for as long as was asked', async () => {
        const times: number[] = [];
        subscribe('one', async ({ attempt }) => {
          times.push(performance.now());
          return attempt === 1 ? { kind: 'retry', after_ms: 300, reason: 'later' } : DONE;
        });
        await publish([event('1')]);
        await expect.poll(() => times.length, { timeout: 5000 }).toBeGreaterThanOrEqual(2);
        if (!can.chaotic) expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(298);
      });

      it('does not count waiting', async () => {
        let calls = 0;
        const attempts: number[] = [];
        subscribe('one', async ({ attempt }) => {
          attempts.push(attempt);
          return ++calls <= 8 ? { kind: 'retry', after_ms: 5, reason: 'not yet', waiting: true } : DONE;
        });
        await publish([event('1')]);
        await expect.poll(() => calls, { timeout: 5000 }).toBeGreaterThanOrEqual(9);
        expect(new Set(attempts)).toEqual(new Set([1]));
        expect(await broker.deadLetters()).toEqual([]);
      });

      when(can.deadLetters)('gives up after so many attempts, and says why', async () => {
        let calls = 0;
        subscribe('one', async () => {
          calls++;
          throw new Error('the disk is on fire');
        });
        const untouched = record('two');
        await publish([event('1')]);
        await expect.poll(async () => (await broker.deadLetters()).length, { timeout: can.retryWithin_ms * 4 + 1000 }).toBe(1);
        const [letter] = await broker.deadLetters();
        expect(letter).toMatchObject({ subscription: 'one', event: event('1'), attempts: 3 });
        expect(letter!.reason).toContain('the disk is on fire');
        expect(Date.parse(letter!.at)).toBeGreaterThan(Date.now() - 60_000);
        if (!can.chaotic) expect(calls).toBe(3);
        expect(untouched).toEqual(['1']);
      });

      when(can.deadLetters)('buries what is refused for good at once', async () => {
        subscribe('one', async () => ({ kind: 'dead', reason: 'no such project' }));
        await publish([event('1')]);
        await expect.poll(() => broker.deadLetters()).toMatchObject([{ attempts: 1, reason: 'no such project' }]);
      });

      when(can.deadLetters)('lists dead letters in pages, oldest first, and delivers them again from attempt 1', async () => {
        let mended = false;
        const attempts: number[] = [];
        subscribe('one', async ({ attempt }) => {
          if (!mended) return { kind: 'dead', reason: 'broken' };
          attempts.push(attempt);
          return DONE;
        });
        for (const id of ['1', '2', '3']) {
          await publish([event(id)]);
          await expect.poll(async () => (await broker.deadLetters()).length).toBe(Number(id));
        }
        const first = await broker.deadLetters({ limit: 2 });
        const rest = await broker.deadLetters({ limit: 2, after: first[1]!.id });
        const ids = [...first, ...rest].map((letter) => (letter.event as TidemillEvent).id);
        expect(ids).toEqual(['1', '2', '3']);
        mended = true;
        await broker.redrive(first[0]!.id);
        await expect.poll(() => attempts[0]).toBe(1);
        await expect.poll(async () => (await broker.deadLetters()).length).toBe(2);
        await expect(broker.redrive(first[0]!.id)).rejects.toThrow();
        await expect(broker.redrive('no such letter')).rejects.toThrow();
      });
    });

    describe('side by side', () => {
      it('handles as many at once as it may, and no more', async () => {
        let now = 0;
        let most = 0;
        let done = 0;
        subscribe(
          'one',
          async () => {
            most = Math.max(most, ++now);
            await sleep(10);
            now--;
            done++;
            return DONE;
          },
          { concurrency: 3 },
        );
        await publish(Array.from({ length: 12 }, (_, i) => event(`e${i}`)));
        await expect.poll(() => done, { timeout: 5000 }).toBeGreaterThanOrEqual(12);
        expect(most).toBe(3);
      });

      it('lets no subscription hold up another, nor what fails what does not', async () => {
        const release = Promise.withResolvers<void>();
        subscribe('stuck', () => release.promise.then(() => DONE), { concurrency: 1 });
        const good: string[] = [];
        subscribe(
          'mixed',
          async ({ event: { id } }) => {
            if (id.startsWith('bad')) throw new Error('bad');
            good.push(id);
            return DONE;
          },
          { concurrency: 1, maxAttempts: 100 },
        );
        await publish(Array.from({ length: 20 }, (_, i) => event(`${i % 2 ? 'bad' : 'good'}${i}`)));
        await expect.poll(() => new Set(good).size, { timeout: 5000 }).toBe(10);
        release.resolve();
      });
    });

    describe('stop', () => {
      it('waits for what is in hand and takes nothing more', async () => {
        const started: string[] = [];
        const finished: string[] = [];
        subscribe(
          'one',
          async ({ event: { id } }) => {
            started.push(id);
            await sleep(100);
            finished.push(id);
            return DONE;
          },
          { concurrency: 2 },
        );
        await publish([event('1'), event('2'), event('3'), event('4')]);
        await expect.poll(() => started.length).toBe(2);
        await broker.stop(5000);
        expect(finished).toHaveLength(2);
        await sleep(50);
        expect(started).toHaveLength(2);
      });

      it('waits no longer than it may', async () => {
        subscribe('one', () => sleep(3000).then(() => DONE));
        await publish([event('1')]);
        await sleep(20);
        const start = performance.now();
        await broker.stop(50);
        expect(performance.now() - start).toBeLessThan(1000);
      });

      when(can.durable)('leaves what was not settled for after a restart, with its attempts', async () => {
        const seen: string[] = [];
        subscribe('one', async ({ event: { id } }) => {
          if (id === 'done') return DONE;
          if (id === 'failed') return { kind: 'retry', after_ms: 200, reason: 'later' };
          seen.push(id);
          return new Promise(() => {
            // Never: the process ends with it in hand.
          });
        });
        await publish([event('done'), event('failed'), event('in hand')]);
        await expect.poll(() => seen).toContain('in hand');
        await sleep(100);
        await reopen();
        const again = new Map<string, number>();
        subscribe('one', async ({ event: { id }, attempt }) => (again.set(id, attempt), DONE));
        await expect.poll(() => Object.fromEntries(again), { timeout: 5000 }).toEqual({ 'in hand': 1, failed: 2 });
      });
    });
  });
}
