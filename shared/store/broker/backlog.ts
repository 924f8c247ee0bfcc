// What one subscription has in memory of its deliveries: a bounded head of the queue; the rest stays in the table until its turn.
import type { Chaos } from './chaos.ts';
import type { DeliveryRow, Ledger } from './ledger.ts';

const MAX_FRESH = 1000;
/** Characters of events held in memory. */
const MAX_SIZE = 8_388_608;
const REFILL = 250;
const DUE_AT_ONCE = 64;

/** One delivery in memory. It is the receipt that a subscriber's delivery carries. */
export interface Held {
  readonly subscription: number;
  readonly event: number;
  readonly text: string;
  /** Emitted by a function of this process, and never out of its memory. */
  readonly checked: boolean;
  /** Attempts that failed before. */
  attempts: number;
  /** Its row is gone: nothing is left to be said about it. */
  struck: boolean;
}

export interface Backlog {
  /** A delivery that was just committed, in the order of the events. */
  offer(event: number, text: string, checked: boolean): void;
  /** Something is due at this time; Infinity: nothing. */
  expect(due: number): void;
  /** The next one to be tried; undefined: none now. */
  take(): Held | undefined;
  /** It is no longer in hand: put off, struck, or left in the table. */
  release(held: Held): void;
  /** When to look again, though nothing new comes; undefined: no need. */
  nextDue(): number | undefined;
}

export function createBacklog(subscription: number, ledger: Ledger, now: () => number, chaos: Chaos | undefined): Backlog {
  let fresh: (Held | undefined)[] = [];
  let head = 0;
  let size = 0;
  let last = 0;
  /** The table holds fresh ones after `last`. */
  let behind = true;
  const due: Held[] = [];
  /** Events whose delivery was put off before, and is in `due` or in hand now. */
  const heldDue = new Set<number>();
  let next = ledger.nextDue(subscription, 0);
  let dueFirst = true;

  const hold = ({ event, text, attempts }: DeliveryRow, checked = false): Held => ({ subscription, event, text, checked, attempts, struck: false });

  const push = (held: Held) => {
    fresh.push(held);
    size += held.text.length;
    last = held.event;
  };

  const refillFresh = () => {
    if (!behind || fresh.length - head > 0) return;
    fresh = [];
    head = 0;
    const rows = ledger.fresh(subscription, last, REFILL);
    for (const row of rows) {
      if (size > MAX_SIZE) return;
      push(hold(row));
    }
    behind = rows.length === REFILL;
  };

  const refillDue = () => {
    const time = now();
    if (next === undefined || next > time || due.length > 0) return;
    const limit = heldDue.size + DUE_AT_ONCE;
    const rows = ledger.due(subscription, time, limit);
    for (const row of rows) {
      if (heldDue.has(row.event)) continue;
      heldDue.add(row.event);
      due.push(hold(row));
    }
    // A full answer: there may be more of them. Else what is due next is later than now.
    next = rows.length === limit ? time : ledger.nextDue(subscription, time);
  };

  const takeFresh = (): Held | undefined => {
    refillFresh();
    const count = fresh.length - head;
    if (count === 0) return undefined;
    const at = head + (chaos?.pick(count) ?? 0);
    const held = fresh[at]!;
    fresh[at] = fresh[head];
    fresh[head++] = undefined;
    size -= held.text.length;
    if (head > MAX_FRESH) {
      fresh = fresh.slice(head);
      head = 0;
    }
    return held;
  };

  const takeDue = (): Held | undefined => {
    refillDue();
    return due.shift();
  };

  return {
    offer: (event, text, checked) => {
      if (behind || event <= last) return;
      if (fresh.length - head >= MAX_FRESH || size > MAX_SIZE) behind = true;
      else push(hold({ event, attempts: 0, text }, checked));
    },
    expect: (time) => {
      if (time < (next ?? Infinity)) next = time;
    },
    take: () => {
      // In turns, so that neither many new ones nor many old ones hold up the others.
      dueFirst = !dueFirst;
      return dueFirst ? (takeDue() ?? takeFresh()) : (takeFresh() ?? takeDue());
    },
    release: (held) => void heldDue.delete(held.event),
    nextDue: () => next,
  };
}
