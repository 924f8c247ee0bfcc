// The event endpoint of a function on Knative: one request, one delivery, and the answer that says what came of it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidEvent, type TidemillEvent } from '../events/event.ts';
import type { Log } from '../host/contract.ts';
import { type Backoff, pause, pauseAfter } from '../host/pause.ts';
import type { Delivery, Settlement, Subscription } from '../ports/broker.ts';
import { type Attempts, createAttempts } from './attempts.ts';
import { readEvent } from './incoming.ts';
import { AFTER_HEADER, ATTEMPT_HEADER, type Later } from './later.ts';
import { type Answer, readBody, writeAnswer } from './body.ts';
import { createSlots, type Slots } from './slots.ts';

/** Events are under 1 MiB; what a broker and JSON add to it is not much. */
const MAX_BODY = 2 * 1024 ** 2;
const MAX_WAITING = 1000;
const WAIT_FOR_TURN_MS = 10_000;
/** A wait up to so long is held here; a longer one goes to the delay queue. */
const MAX_HOLD_MS = 5000;
/** The broker's own retries are few (delivery.retry of the Broker): so many are used, then the delay queue takes over. */
const PATIENCE = 3;

export interface Receiver {
  subscribe(subscription: Subscription, deliver: (delivery: Delivery) => Promise<Settlement>): void;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Answers 503 from now on, waits for what is in hand, at most so long. */
  stop(grace_ms: number): Promise<void>;
}

export interface ReceiverOptions {
  later?: Pick<Later, 'put'> | undefined;
  log: Log;
  backoff: Backoff;
}

interface Subscribed extends Subscription {
  deliver: (delivery: Delivery) => Promise<Settlement>;
  slots: Slots;
  attempts: Attempts;
}

export function createReceiver({ later, log, backoff }: ReceiverOptions): Receiver {
  const subscribed = new Map<string, Subscribed>();
  const stopping = new AbortController();
  let inHand = 0;
  let idle: (() => void) | undefined;

  const answerTo = async (request: IncomingMessage): Promise<Answer> => {
    if (stopping.signal.aborted) return { status: 503, headers: { 'retry-after': '1', connection: 'close' }, reason: 'This process is about to end' };
    if (request.method !== 'POST') return { status: 405, headers: { allow: 'POST' }, reason: 'Events are sent by POST' };
    const to = find(new URL(request.url ?? '/', 'http://localhost').pathname.slice(1));
    if (!to) return { status: 404, reason: 'No function takes events here' };
    const body = await readBody(request, MAX_BODY);
    if (!body) return { status: 413, headers: { connection: 'close' }, reason: `An event has at most ${MAX_BODY} bytes` };
    let event: TidemillEvent;
    try {
      event = readEvent(request.headersDistinct, body);
    } catch (error) {
      if (!(error instanceof InvalidEvent)) throw error;
      log.warn({ function: to.name, reason: error.message }, 'an event that is none was refused');
      return { status: 400, reason: error.message };
    }
    if (!to.types.includes(event.type)) return { status: 422, reason: `${to.name} does not take ${event.type}: see the filters of its Trigger` };
    return handOver(to, event, queuedAttempt(request));
  };

  const find = (path: string) => subscribed.get(path) ?? (path === '' && subscribed.size === 1 ? subscribed.values().next().value : undefined);

  const handOver = async (to: Subscribed, event: TidemillEvent, queued: number | undefined): Promise<Answer> => {
    const key = `${event.source}\0${event.id}`;
    if (!(await to.slots.take())) return { status: 503, headers: { 'retry-after': '1' }, reason: `${to.name} has too much in hand` };
    const attempt = queued ?? to.attempts.of(key).failures + 1;
    let settlement: Settlement;
    let failed = false;
    try {
      settlement = await to.deliver({ event, attempt: Math.min(attempt, to.maxAttempts), subscription: to.name, checked: true });
      if (!settlement) throw new TypeError(`The subscriber ${to.name} did not say what came of the delivery`);
    } catch (error) {
      failed = true;
      settlement = { kind: 'retry', after_ms: pauseAfter(attempt - 1, backoff), reason: error instanceof Error ? error.message : String(error) };
    } finally {
      to.slots.give();
    }
    if (settlement.kind === 'retry' && (settlement.waiting || attempt < to.maxAttempts))
      return tryAgain(to, event, key, attempt, settlement, failed, queued !== undefined);
    to.attempts.forget(key);
    if (settlement.kind === 'done') return { status: 202 };
    const reason = settlement.kind === 'dead' ? settlement.reason : `Given up after ${attempt} attempts; the last one: ${settlement.reason}`;
    return { status: 422, reason, attempts: attempt };
  };

  const tryAgain = async (
    to: Subscribed,
    event: TidemillEvent,
    key: string,
    attempt: number,
    { after_ms, reason, waiting }: Extract<Settlement, { kind: 'retry' }>,
    failed: boolean,
    queued: boolean,
  ): Promise<Answer> => {
    const next = waiting ? attempt : attempt + 1;
    const asked = Math.max(0, after_ms || 0);
    const headers = { 'retry-after': String(Math.max(1, Math.ceil(asked / 1000))), [ATTEMPT_HEADER]: String(next), [AFTER_HEADER]: String(Math.ceil(asked)) };
    const answer = { status: failed ? 500 : 429, headers, reason, attempts: attempt };
    // The delay queue reads from these headers when to come again, and as what.
    if (queued) return answer;
    const answers = to.attempts.of(key).answers + 1;
    if (later && (asked > MAX_HOLD_MS || answers >= PATIENCE)) {
      await later.put({ subscription: to.name, event, attempt: next }, asked);
      to.attempts.forget(key);
      return { status: 202 };
    }
    to.attempts.note(key, { failures: next - 1, answers });
    // A broker goes by its own pauses, which may be none: so the wait is here. After a failure its pauses will do.
    if (!failed) await pause(Math.min(asked, MAX_HOLD_MS), stopping.signal);
    return answer;
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    inHand++;
    try {
      writeAnswer(response, await answerTo(request));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ reason }, 'an event could not be taken');
      writeAnswer(response, { status: 503, headers: { 'retry-after': '1' }, reason });
    } finally {
      inHand--;
      if (inHand === 0) idle?.();
    }
  };

  return {
    subscribe: (subscription, deliver) => {
      if (subscribed.has(subscription.name)) throw new Error(`There is a subscription named ${subscription.name} already: names are unique`);
      const slots = createSlots(subscription.concurrency, MAX_WAITING, WAIT_FOR_TURN_MS);
      subscribed.set(subscription.name, { ...subscription, deliver, slots, attempts: createAttempts() });
    },
    handle: (request, response) => void handle(request, response),
    stop: async (grace_ms) => {
      stopping.abort();
      for (const { slots } of subscribed.values()) slots.close();
      if (inHand > 0) await Promise.race([new Promise<void>((resolve) => (idle = resolve)), pause(grace_ms)]);
    },
  };
}

/** The attempt that the delay queue says it is; undefined: it comes from the broker. */
function queuedAttempt({ headers }: IncomingMessage): number | undefined {
  const attempt = Number(headers[ATTEMPT_HEADER]);
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : undefined;
}
