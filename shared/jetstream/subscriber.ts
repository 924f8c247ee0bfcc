// One subscription at work in this process: as many deliveries in hand as it may, a few more waiting, each answered once.
import type { Msg } from 'nats';
import type { Log } from '../host/contract.ts';
import type { Delivery, Settlement, Subscription } from '../ports/broker.ts';
import type { Connection, Session } from './connection.ts';
import { NOTHING } from './counts.ts';
import { again, type Received, receivedOf, stillWorking } from './delivery.ts';
import { messageOf } from './errors.ts';
import { pause, pauseAfter } from '../host/pause.ts';
import { createPuller, type Puller } from './puller.ts';
import { afterFailure, type Held, postpone, settle, type Settling } from './settle.ts';
import { ensureConsumer, type Topology } from './streams.ts';

/** Times that an event is handed over beyond its attempts, when nobody said that it failed: then it is what ends its process. */
const MAX_SUSPECTED = 3;
/** Nobody handles an event for so long: then another process may have it. */
const MAX_HOLD_MS = 15 * 60_000;
const BEGIN_AGAIN = { base_ms: 100, cap_ms: 5000 };
const AFTER_FAULT_MS = 2000;

export interface Subscriber {
  /** The consumer is there: what is published from now on reaches it. Rejects when that cannot be had in time. */
  readonly ready: Promise<void>;
  /** Takes nothing more, waits for what is in hand, gives the rest back. */
  stop(grace_ms: number): Promise<void>;
}

export interface SubscriberTools extends Omit<Settling, 'subscription'> {
  connection: Connection;
  topology: Topology;
  /** Resolves when the streams are there. */
  makeStreams: () => Promise<void>;
  /** They may be gone. */
  forgetStreams: () => void;
  log: Log;
}

export function createSubscriber(subscription: Subscription, deliver: (delivery: Delivery) => Promise<Settlement>, tools: SubscriberTools): Subscriber {
  const { connection, topology, log, counts } = tools;
  const { name, concurrency, maxAttempts } = subscription;
  const settling: Settling = { ...tools, subscription };
  /** What is in hand and what waits for its turn, by sequence. */
  const held = new Map<number, Held & { since: number; begun: boolean }>();
  const queue: number[] = [];
  const most = concurrency * 2;
  const stopping = new AbortController();
  const suspects = oneByOne();
  let inHand = 0;
  let idle: (() => void) | undefined;
  let puller: Puller | undefined;
  let session: Session;

  const refill = () => {
    if (!puller || stopping.signal.aborted) return;
    const free = most - held.size - puller.outstanding;
    // Few requests for many messages, and never none.
    if (free > 0 && (free * 4 >= most || puller.outstanding === 0)) puller.want(free);
  };

  const onMessage = (message: Msg) => {
    const received = receivedOf(message);
    if (!received) return;
    const there = held.get(received.sequence);
    if (there) {
      there.received = received;
      return;
    }
    held.set(received.sequence, { received, count: NOTHING, attempt: received.deliveries, since: performance.now(), begun: false });
    queue.push(received.sequence);
    begin();
  };

  const begin = () => {
    while (inHand < concurrency && queue.length > 0 && !stopping.signal.aborted) {
      const one = held.get(queue.shift()!)!;
      one.begun = true;
      inHand++;
      void handle(one).finally(() => {
        held.delete(one.received.sequence);
        inHand--;
        if (inHand === 0) idle?.();
        begin();
        refill();
      });
    }
  };

  const handle = async (one: Held) => {
    const on = session;
    try {
      await settle(on, one, await attemptOf(on, one), settling);
    } catch (error) {
      const fields = { function: name, sequence: one.received.sequence, reason: messageOf(error) };
      log.warn(fields, 'the end of a delivery could not be recorded; it comes again');
      giveBack(one.received, AFTER_FAULT_MS);
    }
  };

  const attemptOf = async (on: Session, one: Held): Promise<Settlement> => {
    const { sequence, deliveries } = one.received;
    if (deliveries > 1) one.count = await connection.patiently(`How often ${name} waited could not be read`, () => counts.read(on, name, sequence));
    const attempt = Math.max(1, deliveries - one.count.waits);
    one.attempt = Math.min(attempt, maxAttempts);
    return attempt > maxAttempts ? suspects(() => suspect(on, one)) : ask(one);
  };

  /**
   * Its attempts are used up, and it was never given up: process after process ended with it in hand, or with another that ended it. Alone, so that
   * only the one that does it is blamed, and noted before, so that it is known afterwards.
   */
  const suspect = async (on: Session, one: Held): Promise<Settlement> => {
    const { sequence, deliveries } = one.received;
    if (one.count.suspected >= MAX_SUSPECTED)
      return { kind: 'dead', reason: `Given up after ${deliveries} deliveries: again and again the process that had it in hand ended before it had answered` };
    one.count = { ...one.count, suspected: one.count.suspected + 1 };
    await counts.write(on, name, sequence, one.count);
    return ask(one);
  };

  const ask = async (one: Held): Promise<Settlement> => {
    const { message } = one.received;
    let event: Delivery['event'];
    try {
      event = JSON.parse(message.string()) as Delivery['event'];
    } catch (error) {
      return { kind: 'dead', reason: `Not JSON: ${messageOf(error)}` };
    }
    try {
      const settlement = await deliver({ event, attempt: one.attempt, subscription: name });
      if (settlement) return settlement;
      throw new TypeError(`The subscriber ${name} did not say what came of the delivery`);
    } catch (error) {
      return afterFailure(error, one.attempt, settling.backoff);
    }
  };

  const giveBack = (received: Received, after_ms: number) => {
    try {
      again(received.message, after_ms);
    } catch {
      // The connection is closed: the server gives it to the next by itself, when its time is up.
    }
  };

  const tellProgress = () => {
    const now = performance.now();
    for (const { received, since } of held.values()) {
      if (now - since > MAX_HOLD_MS || session.nc.isClosed()) continue;
      stillWorking(received.message);
    }
  };

  const begun = Promise.withResolvers<void>();
  const run = async () => {
    for (let failures = 0; !stopping.signal.aborted; failures++) {
      try {
        await tools.makeStreams();
        session = await connection.session();
        await ensureConsumer(session, topology, subscription);
        begun.resolve();
        if (stopping.signal.aborted) return;
        failures = 0;
        puller = createPuller(session, topology.names.events, name, onMessage, refill);
        refill();
        const why = await Promise.race([puller.ended, aborted(stopping.signal)]);
        // At its end, what was on its way is waited for: it is given back with the rest.
        if (stopping.signal.aborted) await puller.drain();
        else puller.close();
        puller = undefined;
        if (!stopping.signal.aborted) log.info({ function: name, reason: why }, 'asks for its events anew');
      } catch (error) {
        if (stopping.signal.aborted) return;
        tools.forgetStreams();
        log.warn({ function: name, reason: messageOf(error) }, 'cannot get its events; it is tried again');
      }
      await pause(pauseAfter(failures, BEGIN_AGAIN), stopping.signal);
    }
  };
  const progress = setInterval(tellProgress, topology.ackWait_ms / 3);
  const running = run();

  return {
    ready: begun.promise,
    stop: async (grace_ms) => {
      stopping.abort();
      await running;
      await Promise.all(queue.splice(0).map((sequence) => release(held.get(sequence)!)));
      if (inHand > 0) await Promise.race([new Promise<void>((resolve) => (idle = resolve)), pause(grace_ms)]);
      clearInterval(progress);
      await Promise.all([...held.values()].map(release));
    },
  };

  /** Back to the server, at once, for another process; it does not count as an attempt. */
  async function release(one: Held): Promise<void> {
    held.delete(one.received.sequence);
    if (!session || session.nc.isClosed()) return;
    try {
      if (one.received.deliveries > 1 && one.count === NOTHING) one.count = await counts.read(session, name, one.received.sequence);
      await postpone(session, one, 0, settling);
    } catch (error) {
      log.warn(
        { function: name, sequence: one.received.sequence, reason: messageOf(error) },
        'a delivery could not be given back; it comes again when its time is up',
      );
    }
  }
}

function aborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped'), { once: true }));
}

/** Runs what it is given one after another. */
function oneByOne(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
