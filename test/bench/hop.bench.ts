// Hop: how fast events pass through the broker of one machine, every hop durable, against bare inserts into SQLite.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import type { TidemillEvent } from '../../shared/events/event.ts';
import { rootId } from '../../shared/events/ids.ts';
import type { Ports } from '../../shared/host/contract.ts';
import { type AnyHandler, type Entry, inOneTransaction, startHost } from '../../shared/host/host.ts';
import { type Database, PRAGMAS, openDatabase } from '../../shared/store/database/database.ts';
import { createStore, openStore } from '../../shared/store/store.ts';
import { median } from './figures.ts';
import type { BenchRow, RunBench } from './row.ts';

const CHAINS = 10_000;
const IN_FLIGHT = 64;
const WARM_UP = 2000;
const ROUNDS = 5;
const KEPT = 1_000_000;
const DAY_MS = 86_400_000;

const execution = { namespace: 'default', project: 'example', execution: 'example-000001-abcdefghij' };
/** What the root event is, and what each of the four functions tells in turn. */
const STEPS = [
  { type: 'dev.tidemill.artifact.requested.v1', data: { ...execution, artifact: 'example-000001-source' } },
  { type: 'dev.tidemill.artifact.resolved.v1', data: { ...execution, artifact: 'example-000001-source', type: 'git', digest: `sha1:${'a'.repeat(40)}` } },
  { type: 'dev.tidemill.execution.started.v1', data: { ...execution, number: 1, sha: 'a'.repeat(40), ref: 'refs/heads/main' } },
  { type: 'dev.tidemill.execution.finished.v1', data: { ...execution, lane: 'example-main', number: 1, outcome: 'Succeeded' } },
  { type: 'dev.tidemill.artifact.failed.v1', data: { ...execution, artifact: 'example-000001-source', reason: 'the end of the chain' } },
] as const;
const HOPS = STEPS.length - 1;

interface Figure {
  /** Events stored and handled per second. */
  perSecond: number;
  perTransaction: number;
  /** 99th percentile of how late a timer of 1 ms was, in milliseconds. */
  delay: number;
}

interface EventRow {
  id: string;
  source: string;
  type: string;
  event: string;
}

interface Round {
  empty: Figure;
  full: Figure;
  /** Rows per second of the peer, for the rows and the grouping of `empty`. */
  bare: number;
}

export const run: RunBench = async (log) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-hop-'));
  const open: Chain[] = [];
  try {
    await fill(join(folder, 'full.db'), KEPT, log);
    const empty = openChain(join(folder, 'empty.db'));
    const full = openChain(join(folder, 'full.db'));
    open.push(empty, full);
    for (const chain of open) await chain.run(WARM_UP);
    const rounds: Round[] = [];
    while (rounds.length < ROUNDS) rounds.push(await oneRound(empty, full, folder, log));
    return rows(rounds);
  } finally {
    for (const chain of open) await chain.close();
    rmSync(folder, { recursive: true, force: true });
  }
};

/** All three in turn, so that what else the machine does meets each of them. */
async function oneRound(empty: Chain, full: Chain, folder: string, log: (line: string) => void): Promise<Round> {
  const ours = await empty.run(CHAINS);
  const bare = insertBare(join(folder, 'bare.db'), empty.newest(CHAINS * STEPS.length), Math.round(ours.perTransaction));
  const round = { empty: ours, bare, full: await full.run(CHAINS) };
  log(
    `hop: ${ours.perSecond.toFixed(0)} events/s, with ${KEPT} kept ${round.full.perSecond.toFixed(0)}, bare ${bare.toFixed(0)}; ` +
      `${ours.perTransaction.toFixed(0)} per transaction, delay p99 ${ours.delay.toFixed(1)} and ${round.full.delay.toFixed(1)} ms`,
  );
  return round;
}

type Chain = ReturnType<typeof openChain>;

/** Four functions behind the host, on a store at this path. */
function openChain(path: string) {
  const db = openDatabase(path);
  const store = createStore(db);
  let total = 0;
  let started = 0;
  let done = 0;
  let end = () => {};

  const startNext = () => {
    if (started >= total) return;
    started++;
    void store.broker.publish([rootEvent(Date.now())]);
  };
  const chainEnded = () => {
    if (++done === total) end();
    else startNext();
  };

  startHost({
    functions: Object.fromEntries(Array.from({ length: HOPS }, (_, i): [string, Entry] => [`hop-${i}`, entryOf(i)])),
    load: async (name) => handlerOf(Number(name.slice('hop-'.length))),
    ports: {} as Ports,
    broker: store.broker,
    begin: inOneTransaction(async (delivery, outcome) => {
      await store.commit(delivery, outcome);
      if (delivery.subscription === `hop-${HOPS - 1}`) chainEnded();
    }),
    log: { info: () => {}, warn: () => {}, error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`) },
    now: () => new Date().toISOString(),
  });

  return {
    async run(count: number): Promise<Figure> {
      total = count;
      started = done = 0;
      const before = store.stats.transactions;
      const delay = monitorEventLoopDelay({ resolution: 1 });
      const ended = new Promise<void>((resolve) => (end = resolve));
      delay.enable();
      const start = performance.now();
      for (let i = 0; i < IN_FLIGHT; i++) startNext();
      await ended;
      const seconds = (performance.now() - start) / 1000;
      delay.disable();
      const events = count * STEPS.length;
      return { perSecond: events / seconds, perTransaction: events / (store.stats.transactions - before), delay: delay.percentile(99) / 1e6 };
    },
    newest: (count: number) => newestRows(db, count),
    close: store.close,
  };
}

function entryOf(i: number): Entry {
  return { consumes: [STEPS[i]!.type], emits: [STEPS[i + 1]!.type], needs: [], concurrency: IN_FLIGHT };
}

function handlerOf(i: number): AnyHandler {
  const { type, data } = STEPS[i + 1]!;
  return async () => ({ outputs: [{ type, data } as never] });
}

let roots = 0;

function rootEvent(ms: number): TidemillEvent {
  return {
    specversion: '1.0',
    id: rootId(ms, 'hop', String(roots++)),
    source: '/bench/hop',
    ...STEPS[0],
    time: new Date(ms).toISOString(),
    datacontenttype: 'application/json',
    chainid: '0f8fad5b-d9cb-469f-a165-70867728950e',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  };
}

function newestRows({ sql }: Database, count: number): EventRow[] {
  return (sql.prepare('SELECT id, source, type, event FROM events ORDER BY seq DESC LIMIT ?').all(count) as unknown as EventRow[]).toReversed();
}

const TABLE =
  'CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL, event TEXT NOT NULL, UNIQUE (id, source)) STRICT';
const INSERT = 'INSERT INTO events (id, source, type, event) VALUES (?, ?, ?, ?)';

/** The peer: the same rows, so many in a transaction, in a loop that does nothing else. Returns rows per second. */
function insertBare(path: string, events: EventRow[], grouping: number): number {
  const sql = new DatabaseSync(path);
  sql.exec(PRAGMAS);
  sql.exec(TABLE);
  const insert = sql.prepare(INSERT);
  const begin = sql.prepare('BEGIN IMMEDIATE');
  const commit = sql.prepare('COMMIT');
  const start = performance.now();
  for (let at = 0; at < events.length; at += grouping) {
    begin.run();
    for (const { id, source, type, event } of events.slice(at, at + grouping)) insert.run(id, source, type, event);
    commit.run();
  }
  const seconds = (performance.now() - start) / 1000;
  sql.close();
  rmSync(path, { force: true });
  return events.length / seconds;
}

/** Events of the last thirty days, as a store has them that handled them all. */
async function fill(path: string, count: number, log: (line: string) => void): Promise<void> {
  await openStore(path).close();
  const start = performance.now();
  const sql = new DatabaseSync(path);
  sql.exec(PRAGMAS);
  const insert = sql.prepare(INSERT);
  const from = Date.now() - 30 * DAY_MS;
  for (let i = 0; i < count;) {
    sql.exec('BEGIN');
    for (let j = 0; j < 10_000 && i < count; j++, i++) {
      const event = rootEvent(from + (i / count) * 30 * DAY_MS);
      insert.run(event.id, event.source, event.type, JSON.stringify(event));
    }
    sql.exec('COMMIT');
  }
  sql.close();
  log(`hop: ${count} events put there in ${((performance.now() - start) / 1000).toFixed(0)} s`);
}

function rows(rounds: Round[]): BenchRow[] {
  const perSecond = median(rounds.map(({ empty }) => empty.perSecond));
  const perTransaction = median(rounds.map(({ empty }) => empty.perTransaction)).toFixed(0);
  const ratio = median(rounds.map(({ empty, bare }) => empty.perSecond / bare));
  const kept = median(rounds.map(({ empty, full }) => full.perSecond / empty.perSecond));
  const delay = median(rounds.map(({ empty, full }) => Math.max(empty.delay, full.delay)));
  const unit = 'events/s';
  return [
    {
      bench: 'hop',
      what: 'events through host, broker and commit, every hop durable',
      ours: perSecond,
      peer: 'bare node:sqlite inserts, same rows, same grouping',
      theirs: median(rounds.map(({ bare }) => bare)),
      unit,
      ratio,
      target: '>= 0.4',
      ok: ratio >= 0.4,
      note: `${IN_FLIGHT} chains of ${HOPS} functions in flight, ${perTransaction} events per transaction; every event checked by its schema when it is emitted; ours checkpoints on a thread of its own, the peer as SQLite does by default`,
    },
    {
      bench: 'hop',
      what: `the same with ${KEPT.toLocaleString('en')} events kept`,
      ours: median(rounds.map(({ full }) => full.perSecond)),
      peer: 'the same with an empty store',
      theirs: perSecond,
      unit,
      ratio: kept,
      target: '>= 0.8',
      ok: kept >= 0.8,
    },
    {
      bench: 'hop',
      what: 'event loop delay meanwhile, p99',
      ours: delay,
      peer: 'limit',
      theirs: 20,
      unit: 'ms',
      ratio: delay / 20,
      target: '<= 1',
      ok: delay <= 20,
    },
  ];
}
