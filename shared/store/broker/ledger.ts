// The rows behind the broker: events, what is still to be delivered of them, and dead letters. All of it runs inside somebody's transaction.
import type { DatabaseSync } from 'node:sqlite';
import type { TidemillEvent } from '../../events/event.ts';

/** Characters of an event as JSON: above what an object may have, since Tekton's events carry one. */
const MAX_EVENT = 2_097_152;

/** An event on its way into a row. */
export interface EventText {
  id: string;
  source: string;
  type: string;
  text: string;
}

export interface DeliveryRow {
  event: number;
  attempts: number;
  text: string;
}

export interface DeadRow {
  id: number;
  subscription: string;
  event: number;
  body: string;
  attempts: number;
  reason: string;
  at: string;
}

export interface Ledger {
  /** Number of a subscription, given out at the first call. */
  subscription(name: string): number;
  /** The event's number; undefined when one of its source and id is kept already. */
  insert(event: EventText): number | undefined;
  enqueue(subscription: number, event: number): void;
  /** Whether there was something to strike. */
  strike(subscription: number, event: number): boolean;
  /** Puts off; nothing happens when it was struck. */
  postpone(subscription: number, event: number, attempts: number, due: number, delay: number): boolean;
  /** Never tried ones of events after this one, in order. */
  fresh(subscription: number, after: number, limit: number): DeliveryRow[];
  /** Those due by then, the longest due first. */
  due(subscription: number, now: number, limit: number): DeliveryRow[];
  /** The earliest time after `after` that something is due at; undefined: there is nothing. */
  nextDue(subscription: number, after: number): number | undefined;
  bury(row: Omit<DeadRow, 'id'>): void;
  deadLetters(after: number, limit: number): DeadRow[];
  /** Takes a dead letter out of its grave; undefined when there is none. */
  exhume(id: number): DeadRow | undefined;
}

/** Throws where an event cannot be stored. */
export function eventText(event: TidemillEvent): EventText {
  const { id, source, type } = event;
  requireText('id', id);
  requireText('source', source);
  requireText('type', type);
  const text = JSON.stringify(event);
  if (text.length > MAX_EVENT) {
    throw new Error(`Event ${id} of ${source} has ${text.length} characters; ${MAX_EVENT} are the most: put what is large into Storage and refer to it`);
  }
  return { id, source, type, text };
}

function requireText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw new Error(`An event without ${name} cannot be published: give it one`);
}

/** `now` in milliseconds: deliveries that would wait for longer than they were put off are brought forward (the clock stepped back). */
export function createLedger(sql: DatabaseSync, now: number): Ledger {
  const findSubscription = sql.prepare('SELECT id FROM subscriptions WHERE name = ?');
  const addSubscription = sql.prepare('INSERT INTO subscriptions (name) VALUES (?)');
  const addEvent = sql.prepare('INSERT INTO events (id, source, type, event) VALUES (?, ?, ?, ?) ON CONFLICT (id, source) DO NOTHING');
  const addDelivery = sql.prepare('INSERT INTO deliveries (subscription, event, attempts, due, delay) VALUES (?, ?, 0, 0, 0)');
  const dropDelivery = sql.prepare('DELETE FROM deliveries WHERE subscription = ? AND event = ?');
  const putOff = sql.prepare('UPDATE deliveries SET attempts = max(attempts, ?), due = ?, delay = ? WHERE subscription = ? AND event = ?');
  const readFresh = sql.prepare(
    'SELECT d.event, d.attempts, e.event AS text FROM deliveries d CROSS JOIN events e ON e.seq = d.event WHERE d.subscription = ? AND d.event > ? AND d.due = 0 ORDER BY d.event LIMIT ?',
  );
  const readDue = sql.prepare(
    'SELECT d.event, d.attempts, e.event AS text FROM deliveries d INDEXED BY deliveries_due CROSS JOIN events e ON e.seq = d.event WHERE d.subscription = ? AND d.due > 0 AND d.due <= ? ORDER BY d.due LIMIT ?',
  );
  const readNext = sql.prepare('SELECT due FROM deliveries INDEXED BY deliveries_due WHERE subscription = ? AND due > 0 AND due > ? ORDER BY due LIMIT 1');
  const addDead = sql.prepare('INSERT INTO dead_letters (subscription, event, body, attempts, reason, at) VALUES (?, ?, ?, ?, ?, ?)');
  const readDead = sql.prepare('SELECT * FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?');
  const dropDead = sql.prepare('DELETE FROM dead_letters WHERE id = ? RETURNING *');

  sql.prepare('UPDATE deliveries INDEXED BY deliveries_due SET due = ? + delay WHERE due > 0 AND due > ? + delay').run(now, now);

  return {
    subscription: (name) => {
      const found = findSubscription.get(name) as { id: number } | undefined;
      return found?.id ?? Number(addSubscription.run(name).lastInsertRowid);
    },
    insert: ({ id, source, type, text }) => {
      const { changes, lastInsertRowid } = addEvent.run(id, source, type, text);
      return changes === 0 ? undefined : Number(lastInsertRowid);
    },
    enqueue: (subscription, event) => void addDelivery.run(subscription, event),
    strike: (subscription, event) => dropDelivery.run(subscription, event).changes !== 0,
    postpone: (subscription, event, attempts, due, delay) => putOff.run(attempts, due, delay, subscription, event).changes !== 0,
    fresh: (subscription, after, limit) => readFresh.all(subscription, after, limit) as unknown as DeliveryRow[],
    due: (subscription, time, limit) => readDue.all(subscription, time, limit) as unknown as DeliveryRow[],
    nextDue: (subscription, after) => (readNext.get(subscription, after) as { due: number } | undefined)?.due,
    bury: (row) => void addDead.run(row.subscription, row.event, row.body, row.attempts, row.reason, row.at),
    deadLetters: (after, limit) => readDead.all(after, limit) as unknown as DeadRow[],
    exhume: (id) => dropDead.get(id) as DeadRow | undefined,
  };
}
