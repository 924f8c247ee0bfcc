// What the store's tests share: a store in a temp folder that goes away with the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { type Store, type StoreOptions, createStore } from '../store.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Path of a database in a folder of its own, removed after the test. */
export function tempPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-store-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store.db');
}

/** A store, closed after the test, with the database it stands on. */
export function openTestStore(path = tempPath(), options: StoreOptions = {}): Store & { db: Database; path: string } {
  const db = openDatabase(path);
  const store = createStore(db, { backoff: { base_ms: 10, cap_ms: 50 }, ...options });
  cleanups.push(() => store.close());
  return { ...store, db, path };
}

/** Rows in a table. */
export function count(db: Database, table: 'events' | 'deliveries' | 'objects' | 'labels' | 'changes' | 'dead_letters'): number {
  return (db.sql.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
}
