// A function's whole outcome in one transaction: what it made, the status it wrote, what it tells, and that its cause is done.
import type { TidemillEvent } from '../events/event.ts';
import type { NewObj, Obj } from '../objects/kinds.ts';
import type { Delivery } from '../ports/broker.ts';
import { Conflict } from '../ports/objects.ts';
import type { Held } from './broker/backlog.ts';
import type { StoreBroker } from './broker/broker.ts';
import type { Database } from './database/database.ts';
import { eventText } from './broker/ledger.ts';
import { prepareNew, prepareStatus } from './objects/prepare.ts';
import type { Records } from './objects/records.ts';

export interface Change {
  /** New objects; one that is there already is success. */
  create: NewObj[];
  /** Written only if nobody wrote since it was read. */
  status?: Obj | undefined;
  /** A new object too, and a Conflict where it is there already. */
  record?: NewObj | undefined;
  /** Published; with a delivery they were checked by their schemas. One of a source and id that is kept already is dropped. */
  events: TidemillEvent[];
}

/**
 * Durable when it resolves: all of it, or nothing. Strikes the delivery, so that the broker neither acknowledges it again
 * nor delivers it again; a delivery that was struck before (a duplicate) changes nothing and is success.
 * Throws Conflict, NotFound, InvalidObject, StoreError: then nothing was written.
 */
export type Commit = (delivery: Delivery | undefined, change: Change) => Promise<void>;

export function createCommit(db: Database, records: Records, broker: StoreBroker): Commit {
  return async (delivery, { create, status, record, events }) => {
    const held = delivery && receiptOf(delivery);
    const newObjects = create.map(prepareNew);
    const newStatus = status && prepareStatus(status);
    const newRecord = record && prepareNew(record);
    const texts = events.map(eventText);
    const touchesObjects = newObjects.length > 0 || newStatus !== undefined || newRecord !== undefined;

    const write = () => {
      if (held && !broker.ledger.strike(held.subscription, held.event)) return [];
      if (newStatus) records.replaceStatus(newStatus);
      if (newRecord && !records.insertIfAbsent(newRecord)) throw new Conflict(newRecord.kind, newRecord);
      for (const object of newObjects) records.insertIfAbsent(object);
      return broker.insert(texts);
    };

    await db.write(write, (fresh) => {
      if (held) held.struck = true;
      if (touchesObjects) records.wake();
      broker.offer(fresh, held !== undefined);
    });
  };
}

function receiptOf(delivery: Delivery): Held {
  const held = delivery.receipt as Held | undefined;
  if (typeof held?.event !== 'number') throw new TypeError('This delivery is not one of this store: commit it where it came from');
  return held;
}
