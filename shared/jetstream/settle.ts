// What a function said of one delivery, made so on the server. Throws what hinders it; then the delivery comes again by itself.
import type { Settlement, Subscription } from '../ports/broker.ts';
import type { Session } from './connection.ts';
import type { DeadLetters } from './dead-letters.ts';
import { acknowledge, again, type Received, terminate } from './delivery.ts';
import { type Backoff, pauseAfter } from '../host/pause.ts';
import type { Count, Counts } from './counts.ts';

const MAX_WAIT_MS = 86_400_000;

/** A delivery in hand. `received` is replaced when the server delivers the same again meanwhile. */
export interface Held {
  received: Received;
  count: Count;
  attempt: number;
}

export interface Settling {
  subscription: Subscription;
  counts: Counts;
  deadLetters: DeadLetters;
  backoff: Backoff;
  now: () => number;
}

export async function settle(session: Session, held: Held, settlement: Settlement, settling: Settling): Promise<void> {
  if (settlement.kind === 'done') {
    acknowledge(held.received.message);
    return;
  }
  if (settlement.kind === 'dead') return bury(session, held, settlement.reason, settling);
  if (settlement.waiting) return postpone(session, held, settlement.after_ms, settling);
  if (held.attempt >= settling.subscription.maxAttempts)
    return bury(session, held, `Given up after ${held.attempt} attempts; the last one: ${settlement.reason}`, settling);
  again(held.received.message, bounded(settlement.after_ms));
}

/** What a throw is. */
export function afterFailure(error: unknown, attempt: number, backoff: Backoff): Settlement {
  return { kind: 'retry', after_ms: pauseAfter(attempt - 1, backoff), reason: error instanceof Error ? error.message : String(error) };
}

/** Again, and this delivery does not count. */
export async function postpone(session: Session, held: Held, after_ms: number, { subscription, counts }: Settling): Promise<void> {
  const { received } = held;
  held.count = { ...held.count, waits: held.count.waits + 1 };
  await counts.write(session, subscription.name, received.sequence, held.count);
  again(held.received.message, bounded(after_ms));
}

async function bury(session: Session, held: Held, reason: string, { subscription, deadLetters, now }: Settling): Promise<void> {
  const { message, sequence, stored } = held.received;
  await deadLetters.bury(session, {
    subscription: subscription.name,
    body: message.data,
    attempts: held.attempt,
    reason: String(reason),
    at: new Date(now()).toISOString(),
    delivery: `${sequence} ${stored}`,
  });
  terminate(held.received.message);
}

const bounded = (ms: number) => Math.min(Math.max(0, Math.ceil(ms) || 0), MAX_WAIT_MS);
