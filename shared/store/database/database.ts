// Opens the one SQLite file that holds objects, events and deliveries, and brings its schema up to date.
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createCheckpointer } from './checkpointer.ts';
import { StoreError, explain } from './errors.ts';
import { lockFile } from './lock.ts';
import { migrations } from './schema.ts';
import { type Writer, createWriter } from './writer.ts';

export interface Database {
  readonly sql: DatabaseSync;
  readonly write: Writer['write'];
  readonly stats: Writer['stats'];
  /** Commits what waits, then closes the file. Later writes are refused. */
  close(): Promise<void>;
}

/** FULL: a commit has returned only when it is on disk. */
export const PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA temp_store = MEMORY;
  PRAGMA cache_size = -8000;
  PRAGMA journal_size_limit = 67108864;
`;

/** Opens (or makes, mode 0600) the file; ':memory:' for one that goes with the process. Throws StoreError, also when another process has it. */
export function openDatabase(path: string): Database {
  const unlock = path === ':memory:' ? () => {} : claim(path);
  const sql = open(path, unlock);
  const checkpointer = createCheckpointer(sql, path);
  const writer = createWriter(sql, path, checkpointer);
  let closed: Promise<void> | undefined;
  const close = async () => {
    writer.close();
    await checkpointer.close();
    sql.close();
    unlock();
  };
  return { sql, write: writer.write, stats: writer.stats, close: () => (closed ??= close()) };
}

/** Makes the file where there is none, its owner's only, and takes its lock. */
function claim(path: string): () => void {
  try {
    makePrivate(path);
    return lockFile(path);
  } catch (error) {
    throw explain(error, path);
  }
}

function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}

function open(path: string, unlock: () => void): DatabaseSync {
  let sql: DatabaseSync | undefined;
  try {
    sql = new DatabaseSync(path, { allowExtension: false, enableDoubleQuotedStringLiterals: false });
    sql.exec(PRAGMAS);
    migrate(sql, path);
    return sql;
  } catch (error) {
    sql?.close();
    unlock();
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
