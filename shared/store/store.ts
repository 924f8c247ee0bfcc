// The store of one machine: objects, events and deliveries in one SQLite file, so that an outcome is one transaction.
import type { Broker } from '../ports/broker.ts';
import type { Objects } from '../ports/objects.ts';
import { type BrokerOptions, createBroker } from './broker/broker.ts';
import { type Commit, createCommit } from './commit.ts';
import { type Database, openDatabase } from './database/database.ts';
import { createObjects } from './objects/objects.ts';
import { createRecords } from './objects/records.ts';

export type StoreOptions = BrokerOptions;

export interface Store {
  objects: Objects;
  broker: Broker;
  commit: Commit;
  /** Transactions and writes so far. */
  readonly stats: { readonly transactions: number; readonly writes: number };
  /** Takes no more deliveries, commits what waits, closes the file. To drain first: broker.stop(grace). */
  close(): Promise<void>;
}

/** Opens or makes the store (file of mode 0600, or ':memory:'). Throws StoreError, also when another process has it open. */
export function openStore(path: string, options: StoreOptions = {}): Store {
  return createStore(openDatabase(path), options);
}

/** The store on a database that is open already; close() closes it. */
export function createStore(db: Database, options: StoreOptions = {}): Store {
  const records = createRecords(db.sql);
  const broker = createBroker(db, options);
  return {
    objects: createObjects(db, records),
    broker,
    commit: createCommit(db, records, broker),
    stats: db.stats,
    close: async () => {
      await broker.stop(0);
      await db.close();
    },
  };
}
