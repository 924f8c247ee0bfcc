// One process for one store: a lock that the system gives back when its holder dies, however that happens.
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Takes the lock beside the file; returns what gives it back. Throws SQLite's "busy" when another has it. */
export function lockFile(path: string): () => void {
  const beside = `${path}-lock`;
  closeSync(openSync(beside, 'a', 0o600));
  chmodSync(beside, 0o600);
  // An empty database with a transaction open on it, for its file lock alone.
  const sql = new DatabaseSync(beside);
  try {
    sql.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    sql.close();
    throw error;
  }
  return () => sql.close();
}
