// One subscription at work: so many deliveries in hand at once, each settled durably, with backoff and the dead letter.
import type { Delivery, Settlement, Subscription } from '../../ports/broker.ts';
import type { Backlog, Held } from './backlog.ts';
import type { Chaos } from './chaos.ts';
import type { Database } from '../database/database.ts';
import type { Ledger } from './ledger.ts';

const MAX_REASON = 4096;
const MAX_WAIT_MS = 86_400_000;
const MAX_TIMER_MS = 2_147_483_647;
/** A settlement that cannot be written (a full disk) is tried again at most so far apart. */
const MAX_SETTLE_PAUSE_MS = 5000;

export interface Backoff {
  /** Before the second attempt; doubles from there. */
  base_ms: number;
  cap_ms: number;
}

export interface Tools {
  db: Database;
  ledger: Ledger;
  now: () => number;
  backoff: Backoff;
  chaos: Chaos | undefined;
}

export interface Subscriber {
  readonly id: number;
  readonly subscription: Subscription;
  readonly backlog: Backlog;
  /** Looks for something to do, soon. */
  wake(): void;
  /** Takes nothing more. Resolves when nothing is in hand. */
  stop(): Promise<void>;
}

export function createSubscriber(
  subscription: Subscription,
  id: number,
  backlog: Backlog,
  deliver: (delivery: Delivery) => Promise<Settlement>,
  tools: Tools,
): Subscriber {
  const { db, ledger, now, backoff, chaos } = tools;
  let inHand = 0;
  let awake = false;
  let stopped = false;
  let idle: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  const copies: Held[] = [];
  const pauses = new Set<() => void>();

  const wake = () => {
    if (awake || stopped) return;
    awake = true;
    queueMicrotask(pump);
  };

  const pump = () => {
    awake = false;
    while (!stopped && inHand < subscription.concurrency) {
      const held = copies.pop() ?? backlog.take();
      if (!held) break;
      inHand++;
      void handle(held);
    }
    setAlarm();
  };

  const setAlarm = () => {
    clearTimeout(timer);
    timer = undefined;
    const due = backlog.nextDue();
    if (stopped || due === undefined || inHand >= subscription.concurrency) return;
    timer = setTimeout(wake, Math.min(Math.max(1, due - now()), MAX_TIMER_MS));
  };

  const handle = async (held: Held) => {
    if (chaos) copyLater(held, chaos);
    const settlement = await attempt(held);
    if (!held.struck) await settle(held, settlement);
    backlog.release(held);
    inHand--;
    if (stopped && inHand === 0) idle?.();
    wake();
  };

  const attempt = async (held: Held): Promise<Settlement> => {
    try {
      const event = JSON.parse(held.text) as Delivery['event'];
      const settlement = await deliver({ event, attempt: held.attempts + 1, subscription: subscription.name, checked: held.checked, receipt: held });
      if (settlement) return settlement;
      throw new TypeError(`The subscriber ${subscription.name} did not say what came of the delivery`);
    } catch (error) {
      return { kind: 'retry', after_ms: pauseAfter(held.attempts, backoff), reason: error instanceof Error ? error.message : String(error) };
    }
  };

  /** Until it is written. What cannot be written before the stop comes again after the next start. */
  const settle = async (held: Held, settlement: Settlement) => {
    for (let failures = 0; ; failures++) {
      try {
        await db.write(() => write(held, settlement), backlog.expect);
        return;
      } catch {
        // The disk is full or failing. The delivery stays in its table and in hand, so that nothing is lost or done again.
        if (stopped) return;
        await pause(Math.min(pauseAfter(failures, backoff), MAX_SETTLE_PAUSE_MS));
      }
    }
  };

  /** Returns when it is due again; Infinity: never. */
  const write = (held: Held, settlement: Settlement): number => {
    if (settlement.kind === 'done') return strike(held);
    const waits = settlement.kind === 'retry' && settlement.waiting === true;
    const attempts = held.attempts + (waits ? 0 : 1);
    if (settlement.kind === 'dead') return bury(held, attempts, settlement.reason);
    if (!waits && attempts >= subscription.maxAttempts) return bury(held, attempts, `Given up after ${attempts} attempts; the last one: ${settlement.reason}`);
    const delay = Math.ceil(Math.min(Math.max(0, settlement.after_ms || 0), MAX_WAIT_MS));
    const due = now() + delay;
    return ledger.postpone(id, held.event, attempts, due, delay) ? due : Infinity;
  };

  const strike = (held: Held): number => {
    ledger.strike(id, held.event);
    return Infinity;
  };

  const bury = (held: Held, attempts: number, reason: string): number => {
    if (!ledger.strike(id, held.event)) return Infinity;
    ledger.bury({
      subscription: subscription.name,
      event: held.event,
      body: held.text,
      attempts,
      reason: String(reason).slice(0, MAX_REASON),
      at: new Date().toISOString(),
    });
    return Infinity;
  };

  const copyLater = (held: Held, { duplicateAfter }: Chaos) => {
    const after = duplicateAfter();
    if (after === undefined) return;
    setTimeout(() => {
      copies.push({ ...held });
      wake();
    }, after);
  };

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(rest);
        pauses.delete(end);
        resolve();
      };
      const rest = setTimeout(end, ms);
      pauses.add(end);
    });

  return {
    id,
    subscription,
    backlog,
    wake,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      for (const end of pauses) end();
      return inHand === 0 ? Promise.resolve() : new Promise((resolve) => (idle = resolve));
    },
  };
}

/** Doubles with each failure; half of it is chance, so that what failed together does not come back together. */
function pauseAfter(failures: number, { base_ms, cap_ms }: Backoff): number {
  const full = Math.min(base_ms * 2 ** Math.min(failures, 40), cap_ms);
  return full / 2 + (Math.random() * full) / 2;
}
