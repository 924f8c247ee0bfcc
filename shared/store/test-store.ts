// What the tests of this folder share: a store in a temp folder that goes away, and objects and events to put into it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { TidemillEvent } from '../events/event.ts';
import type { NewObj, Obj } from '../objects/kinds.ts';
import type { Settlement } from '../ports/broker.ts';
import { type Database, openDatabase } from './database.ts';
import { type Store, type StoreOptions, createStore } from './store.ts';

export const REQUESTED = 'dev.tidemill.artifact.requested.v1';
export const RESOLVED = 'dev.tidemill.artifact.resolved.v1';
export const DONE: Settlement = { kind: 'done' };

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

export const testEvent = (id: string, type: typeof REQUESTED | typeof RESOLVED = REQUESTED, size = 0): TidemillEvent => ({
  specversion: '1.0',
  id,
  source: '/test',
  type,
  time: '2026-11-21T10:00:00.000Z',
  datacontenttype: 'application/json',
  chainid: '0f8fad5b-d9cb-469f-a165-70867728950e',
  data: { namespace: 'default', project: 'example', execution: 'e1', artifact: 'a1', type: 'git', digest: `sha1:${'a'.repeat(40)}`, ...(size > 0 && { filler: 'x'.repeat(size) }) },
});

export const testPipeline = (name: string): NewObj<'Pipeline'> => ({
  kind: 'Pipeline',
  metadata: { name, namespace: 'default' },
  spec: { stages: [{ name: 'build', steps: [{ name: 'one', taskSpec: { steps: [{ script: 'true' }] } }] }] },
});

export const withCondition = (object: Obj<'Pipeline'>, reason: string): Obj<'Pipeline'> => ({
  ...object,
  status: { conditions: [{ type: 'Ready', status: 'True', reason, lastTransitionTime: '2026-11-21T10:00:00.000Z' }] },
});

/** Rows in a table. */
export function count(db: Database, table: 'events' | 'deliveries' | 'objects' | 'labels' | 'changes' | 'dead_letters'): number {
  return (db.sql.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
}
