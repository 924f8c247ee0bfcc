// The port Broker on SQLite: events and their deliveries are rows; what was just committed is delivered from memory.
import type { TidemillEvent } from '../../events/event.ts';
import type { Broker, DeadLetter } from '../../ports/broker.ts';
import { createBacklog } from './backlog.ts';
import { type ChaosOptions, createChaos } from './chaos.ts';
import { steadyClock } from './clock.ts';
import type { Database } from '../database/database.ts';
import { type DeadRow, type EventText, type Ledger, createLedger, eventText } from './ledger.ts';
import { type Backoff, type Subscriber, createSubscriber } from './subscriber.ts';

const BACKOFF: Backoff = { base_ms: 200, cap_ms: 300_000 };
const MAX_PAGE = 1000;

export interface BrokerOptions {
  backoff?: Partial<Backoff>;
  /** For tests: duplicates and any order, on demand. */
  chaos?: ChaosOptions;
  /** Wall clock in milliseconds, read once. Default Date.now. */
  clock?: () => number;
}

/** An event that was stored just now, with those who are to have it. */
interface Fresh {
  seq: number;
  text: string;
  subscribers: readonly Subscriber[];
}

export interface StoreBroker extends Broker {
  readonly ledger: Ledger;
  /** Inside a transaction: stores events with their deliveries, leaving out those stored before. */
  insert(events: readonly EventText[]): Fresh[];
  /** After that transaction: has them delivered. `checked`: their data were checked by their schemas. */
  offer(fresh: readonly Fresh[], checked: boolean): void;
}

export function createBroker(db: Database, options: BrokerOptions = {}): StoreBroker {
  const now = steadyClock(options.clock);
  const ledger = createLedger(db.sql, now());
  const chaos = options.chaos && createChaos(options.chaos);
  const tools = { db, ledger, now, backoff: { ...BACKOFF, ...options.backoff }, chaos };
  const subscribers = new Map<string, Subscriber>();
  const byType = new Map<string, Subscriber[]>();
  const nobody: readonly Subscriber[] = [];

  const insert = (events: readonly EventText[]): Fresh[] => {
    const fresh: Fresh[] = [];
    for (const event of events) {
      const seq = ledger.insert(event);
      if (seq === undefined) continue;
      const those = byType.get(event.type) ?? nobody;
      for (const { id } of those) ledger.enqueue(id, seq);
      fresh.push({ seq, text: event.text, subscribers: those });
    }
    return fresh;
  };

  const offer = (fresh: readonly Fresh[], checked: boolean) => {
    for (const { seq, text, subscribers: those } of fresh) {
      for (const { backlog, wake } of those) {
        backlog.offer(seq, text, checked);
        wake();
      }
    }
  };

  return {
    ledger,
    insert,
    offer,
    publish: async (events: readonly TidemillEvent[]) => {
      const texts = events.map(eventText);
      if (texts.length > 0)
        await db.write(
          () => insert(texts),
          (fresh) => offer(fresh, false),
        );
    },
    subscribe: (subscription, deliver) => {
      const { name, types } = subscription;
      if (subscribers.has(name)) throw new Error(`There is a subscription named ${name} already: names are unique`);
      const id = ledger.subscription(name);
      const backlog = createBacklog(id, ledger, now, chaos);
      const subscriber = createSubscriber(subscription, id, backlog, deliver, tools);
      subscribers.set(name, subscriber);
      for (const type of new Set(types)) byType.set(type, [...(byType.get(type) ?? []), subscriber]);
      subscriber.wake();
    },
    deadLetters: async ({ limit = 100, after = '0' } = {}) => {
      return ledger.deadLetters(rowId(after), Math.min(Math.max(1, limit), MAX_PAGE)).map(toDeadLetter);
    },
    redrive: async (id) => {
      const due = now();
      const row = await db.write(() => {
        const dead = ledger.exhume(rowId(id));
        if (!dead) throw new Error(`There is no dead letter ${id}: it was redriven before, or never was`);
        const subscription = ledger.subscription(dead.subscription);
        ledger.enqueue(subscription, dead.event);
        ledger.postpone(subscription, dead.event, 0, due, 0);
        return dead;
      });
      const subscriber = subscribers.get(row.subscription);
      subscriber?.backlog.expect(due);
      subscriber?.wake();
    },
    stop: async (grace_ms) => {
      const idle = Promise.all([...subscribers.values()].map((subscriber) => subscriber.stop()));
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([idle, new Promise((resolve) => (timer = setTimeout(resolve, grace_ms)))]);
      clearTimeout(timer);
    },
  };
}

/** Ids of dead letters are the numbers of their rows; anything else is none's. */
function rowId(id: string): number {
  return /^\d{1,15}$/.test(id) ? Number(id) : -1;
}

function toDeadLetter(row: DeadRow): DeadLetter {
  return { id: String(row.id), subscription: row.subscription, event: readBody(row.body), attempts: row.attempts, reason: row.reason, at: row.at };
}

function readBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // A row that rotted: shown as the text that it is.
    return body;
  }
}
