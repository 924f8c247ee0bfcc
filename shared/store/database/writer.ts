// Group commit: writes that wait together become one transaction and share its fsync; each fails or succeeds by itself.
import type { DatabaseSync } from 'node:sqlite';
import type { Checkpointer } from './checkpointer.ts';
import { StoreError, explain } from './errors.ts';

/** So many milliseconds of work go into one transaction; what is left waits for the next turn of the event loop. */
const BUDGET_MS = 4;

interface Job {
  run: () => unknown;
  committed: ((value: unknown) => void) | undefined;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  value?: unknown;
  error?: unknown;
  failed?: boolean;
}

export interface Writer {
  /**
   * Runs `fn` inside a transaction shared with other writes. Resolves when that is on disk. A throw undoes what this `fn`
   * wrote and nothing else. `fn` may be run twice, so it has no effect but on the database; `committed` is called once,
   * in the order of the writes, right after the commit and before anyone else can run.
   */
  write<T>(fn: () => T, committed?: (value: T) => void): Promise<T>;
  /** Transactions and writes so far. */
  readonly stats: { transactions: number; writes: number };
  /** Commits what waits; refuses what comes later. */
  close(): void;
}

export function createWriter(sql: DatabaseSync, path: string, checkpointer: Checkpointer): Writer {
  let queue: Job[] = [];
  let scheduled = false;
  let closed = false;
  const stats = { transactions: 0, writes: 0 };
  const begin = sql.prepare('BEGIN IMMEDIATE');
  const commit = sql.prepare('COMMIT');
  const rollback = sql.prepare('ROLLBACK');
  const save = sql.prepare('SAVEPOINT one');
  const release = sql.prepare('RELEASE one');
  const undo = sql.prepare('ROLLBACK TO one');

  const schedule = () => {
    if (scheduled || queue.length === 0) return;
    scheduled = true;
    const wait = checkpointer.before();
    if (wait) void wait.then(() => setImmediate(flush));
    else setImmediate(flush);
  };

  const flush = () => {
    scheduled = false;
    if (queue.length === 0) return;
    const batch = runBatch();
    finish(batch);
    schedule();
  };

  /** Runs as many as the budget allows in one transaction. Returns those, each with its value or error. */
  const runBatch = (): Job[] => {
    const start = performance.now();
    let taken = 0;
    try {
      begin.run();
      taken = runTogether();
      if (queue[taken - 1]?.failed) {
        // Its error is seen again when the same writes are run apart, each undone by itself.
        if (sql.isTransaction) rollback.run();
        begin.run();
        taken = runApart(taken);
      }
      commit.run();
    } catch (error) {
      taken ||= queue.length;
      failAll(queue.slice(0, taken), error);
    }
    stats.transactions++;
    stats.writes += taken;
    checkpointer.committed(performance.now() - start);
    const batch = queue.slice(0, taken);
    queue = taken === queue.length ? [] : queue.slice(taken);
    return batch;
  };

  /** The fast way, without savepoints: up to the first that throws. Returns how many were run. */
  const runTogether = (): number => {
    const end = performance.now() + BUDGET_MS;
    let taken = 0;
    do {
      const job = queue[taken++]!;
      try {
        job.value = job.run();
      } catch {
        job.failed = true;
        return taken;
      }
    } while (taken < queue.length && performance.now() < end);
    return taken;
  };

  /** The careful way: a throw undoes only itself. Runs at least so many. */
  const runApart = (least: number): number => {
    const end = performance.now() + BUDGET_MS;
    let taken = 0;
    while (taken < queue.length && (taken < least || performance.now() < end)) runAlone(queue[taken++]!);
    return taken;
  };

  const runAlone = (job: Job) => {
    save.run();
    job.failed = false;
    try {
      job.value = job.run();
    } catch (error) {
      // SQLite itself rolls all back on some errors, such as a full disk: then nobody's write was done.
      if (!sql.isTransaction) throw error;
      undo.run();
      job.failed = true;
      job.error = explain(error, path);
    }
    release.run();
  };

  const failAll = (jobs: Job[], cause: unknown) => {
    const error = explain(cause, path);
    if (sql.isTransaction) {
      try {
        rollback.run();
      } catch {
        // The commit's own error says more; the next BEGIN tells if this one left the connection unusable.
      }
    }
    for (const job of jobs) {
      job.failed = true;
      job.error ??= error;
    }
  };

  const finish = (batch: Job[]) => {
    for (const job of batch) {
      if (job.failed) job.reject(job.error);
      else job.resolve(job.value);
    }
    for (const job of batch) if (!job.failed) job.committed?.(job.value);
  };

  return {
    stats,
    write: <T>(fn: () => T, committed?: (value: T) => void) =>
      new Promise<T>((resolve, reject) => {
        if (closed) return reject(new StoreError('closed', 'The store is closed: the server is stopping. What was asked is to be tried again after its start'));
        queue.push({ run: fn, committed: committed as Job['committed'], resolve: resolve as Job['resolve'], reject });
        schedule();
      }),
    close: () => {
      closed = true;
      while (queue.length > 0) finish(runBatch());
    },
  };
}
