// The port that carries events: durable, at least once, in any order.
// Adapters: shared/store (SQLite). Contract: test/contracts/broker.ts
import type { TidemillEvent } from '../events/event.ts';
import type { EventType } from '../events/types.ts';

export interface Subscription {
  /** Name of the function; one delivery of each event for each name. */
  name: string;
  types: readonly EventType[];
  /** So many handled at once. */
  concurrency: number;
  /** Then the dead letter. Waiting (`retry` with `waiting`) does not count. */
  maxAttempts: number;
}

export interface Delivery {
  event: TidemillEvent;
  /** 1 for the first. */
  attempt: number;
  subscription: string;
  /** The event comes from the memory of this very process, which checked it when a function emitted it: no need to check it again. */
  checked?: boolean;
  /** The adapter's own mark of this delivery; opaque to everyone else. */
  receipt?: unknown;
}

/** What a subscriber says of one delivery. A throw is `retry` with backoff. */
export type Settlement =
  | { kind: 'done' }
  /** Not yet: again after so long. `waiting`: nothing failed, and the attempt does not count. */
  | { kind: 'retry'; after_ms: number; reason: string; waiting?: boolean }
  /** Never: it cannot be parsed, or is refused for good. */
  | { kind: 'dead'; reason: string };

export interface DeadLetter {
  id: string;
  subscription: string;
  event: unknown;
  attempts: number;
  reason: string;
  at: string;
}

export interface Broker {
  /** Durable when it resolves. An event whose source and id were published before is dropped: that is success. */
  publish(events: readonly TidemillEvent[]): Promise<void>;
  /** Deliveries begin at once, with those left from before. All subscriptions are made before the first publish. */
  subscribe(subscription: Subscription, deliver: (delivery: Delivery) => Promise<Settlement>): void;
  /** Oldest first. */
  deadLetters(page?: { limit?: number; after?: string }): Promise<DeadLetter[]>;
  /** Delivers a dead letter again, from attempt 1. Throws when there is none of this id. */
  redrive(id: string): Promise<void>;
  /** Takes no more deliveries, waits for those in hand, at most so long. What was not settled comes again after a restart. */
  stop(grace_ms: number): Promise<void>;
}
