// Moves committed pages from the WAL into the database on a thread of its own, so that the event loop never waits for it.
import type { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';

/** A checkpoint is asked for after so many milliseconds of transactions: their time goes with the pages that they write. */
const ASK_MS = 25;
/** After so many more, writers wait for it. */
const WAIT_MS = 100;
/** Pages: from here on writers wait until the checkpoint has caught up, so that the WAL begins anew and does not grow for ever. */
const MAX_WAL_PAGES = 2000;
/** Pages: where there is no thread, SQLite checkpoints by itself at the end of a transaction, in pieces of this size. */
const OWN_PAGES = 500;
/** The thread ends when nothing was written for so long; it is started again when it is needed. */
const IDLE_MS = 10_000;

/** Plain JavaScript as text: it starts without a loader, and from a bundle too. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const sql = new DatabaseSync(workerData);
  sql.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
  const checkpoint = sql.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  parentPort.on('message', () => {
    let pages = 0;
    let failed = false;
    try {
      const { log, checkpointed } = checkpoint.get();
      pages = log;
      failed = checkpointed < 0;
    } catch {
      failed = true;
    }
    parentPort.postMessage({ pages, failed });
  });
`;

interface Answer {
  /** In the WAL. */
  pages: number;
  /** No room, or a failing disk: tried again later, and nobody waits for it. */
  failed: boolean;
}

export interface Checkpointer {
  /** To be called after each transaction, with the milliseconds that it took. */
  committed(ms: number): void;
  /** What the next transaction has to wait for, if anything. */
  before(): Promise<void> | undefined;
  close(): Promise<void>;
}

/** For a database in a file. For one in memory there is nothing to do. */
export function createCheckpointer(sql: DatabaseSync, path: string): Checkpointer {
  let worker: Worker | undefined;
  let alone = path === ':memory:';
  /** Milliseconds of transactions since the last checkpoint began. */
  let spent = 0;
  let running: PromiseWithResolvers<void> | undefined;
  let catchUp = false;
  let idle: NodeJS.Timeout | undefined;

  if (!alone) sql.exec('PRAGMA wal_autocheckpoint = 0');

  const settle = () => {
    running?.resolve();
    running = undefined;
  };

  const answered = ({ pages, failed }: Answer) => {
    // The pages of a pass with nobody writing are all moved: the next transaction begins the WAL anew.
    catchUp = !failed && !catchUp && pages >= MAX_WAL_PAGES;
    settle();
  };

  /** There can be no thread: SQLite does it at the end of transactions. */
  const goAlone = () => {
    alone = true;
    catchUp = false;
    worker = undefined;
    settle();
    if (sql.isOpen) sql.exec(`PRAGMA wal_autocheckpoint = ${OWN_PAGES}`);
  };

  const startWorker = (): Worker => {
    const started = new Worker(THREAD, {
      eval: true,
      workerData: path,
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
    });
    started.unref();
    started.on('message', answered);
    started.on('error', goAlone);
    return started;
  };

  const stopWorker = async () => {
    const stopped = worker;
    worker = undefined;
    stopped?.removeAllListeners();
    await stopped?.terminate();
    settle();
  };

  const begin = (): PromiseWithResolvers<void> => {
    worker ??= startWorker();
    worker.postMessage('checkpoint');
    spent = 0;
    clearTimeout(idle);
    idle = setTimeout(() => void stopWorker(), IDLE_MS).unref();
    return Promise.withResolvers<void>();
  };

  return {
    committed: (ms) => {
      spent += ms;
      if (!alone && !running && spent >= ASK_MS) running = begin();
    },
    before: () => {
      if (alone) return undefined;
      if (catchUp) running ??= begin();
      else if (spent < WAIT_MS) return undefined;
      return running?.promise;
    },
    close: async () => {
      clearTimeout(idle);
      alone = true;
      await stopWorker();
    },
  };
}
