// Opens the one SQLite file that holds objects, events and deliveries, and brings its schema up to date.
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError, explain } from './errors.ts';
import { migrations } from './schema.ts';
import { type Writer, createWriter } from './writer.ts';

export interface Database {
  readonly sql: DatabaseSync;
  readonly write: Writer['write'];
  readonly stats: Writer['stats'];
  /** Commits what waits, then closes the file. Later writes are refused. */
  close(): void;
}

/**
 * EXCLUSIVE: one server per data folder; a second one is told so, and needs no shared memory for the WAL's index.
 * FULL: a commit has returned only when it is on disk.
 * Checkpoints are small and often: each holds up the event loop for a few milliseconds.
 */
export const PRAGMAS = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA temp_store = MEMORY;
  PRAGMA cache_size = -16000;
  PRAGMA wal_autocheckpoint = 500;
  PRAGMA journal_size_limit = 67108864;
`;

/** Opens (or makes, mode 0600) the file; ':memory:' for one that goes with the process. Throws StoreError. */
export function openDatabase(path: string): Database {
  if (path !== ':memory:') makePrivate(path);
  const sql = open(path);
  const writer = createWriter(sql, path);
  let open_ = true;
  return {
    sql,
    write: writer.write,
    stats: writer.stats,
    close: () => {
      if (!open_) return;
      open_ = false;
      writer.close();
      sql.close();
    },
  };
}

function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function open(path: string): DatabaseSync {
  let sql: DatabaseSync | undefined;
  try {
    sql = new DatabaseSync(path, { allowExtension: false, enableDoubleQuotedStringLiterals: false });
    sql.exec(PRAGMAS);
    migrate(sql, path);
    return sql;
  } catch (error) {
    sql?.close();
    throw explain(error, path);
  }
}

function migrate(sql: DatabaseSync, path: string): void {
  const { user_version: version } = sql.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) {
    throw new StoreError('failed', `The store ${path} was written by a newer tidemill (schema ${version}, this one knows ${migrations.length}): use that one`);
  }
  for (let step = version; step < migrations.length; step++) {
    sql.exec(`BEGIN IMMEDIATE; ${migrations[step]} PRAGMA user_version = ${step + 1}; COMMIT`);
  }
}
