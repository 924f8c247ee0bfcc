// npm run bench [-- NAME…] [--report-only]: runs test/bench/*.bench.ts in turn, each in a process of its own, prints one table and keeps
// bench-results.json. Exit code 1: a target was missed or a bench failed; with --report-only only the latter.
// npm run bench -- cluster [ROW…]: what needs a cluster (test/cluster/env.ts), and is left out unless it is asked for.
import { type ChildProcess, fork } from 'node:child_process';
import { globSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { basename, join, resolve } from 'node:path';
import process, { argv, exit, stderr, stdout, version } from 'node:process';
import { ROWS as CLUSTER_ROWS } from './cluster/names.ts';
import type { BenchRow } from './row.ts';
import { table } from './table.ts';

const CLUSTER = 'cluster';
/** A bench that takes longer hangs; it is told so, and has this long to put back what it changed. */
const LIMIT_MS = 20 * 60_000;
const CLUSTER_LIMIT_MS = 40 * 60_000;
const END_MS = 2 * 60_000;
const RESULTS = resolve(import.meta.dirname, '../../bench-results.json');

const known = globSync(join(import.meta.dirname, '*.bench.ts'))
  .map((file) => basename(file, '.bench.ts'))
  .toSorted();
const words = argv.slice(2).filter((word) => word !== '--report-only');
const onCluster = words[0] === CLUSTER;
const [names, rowsWanted] = onCluster ? [[CLUSTER], words.slice(1)] : [words, []];
const rowNames: readonly string[] = CLUSTER_ROWS;
const unknown = names.filter((word) => !known.includes(word)).concat(rowsWanted.filter((word) => !rowNames.includes(word)));
if (unknown.length > 0) {
  const there = onCluster ? `rows of ${CLUSTER}: ${CLUSTER_ROWS.join(', ')}` : known.join(', ');
  stderr.write(`No bench is called ${unknown.join(', ')}; there are ${there}\n`);
  exit(2);
}

let running: ChildProcess | undefined;

/** Runs one bench. Resolves with its rows, or undefined when it failed; what it says goes to stderr. */
async function runBench(name: string): Promise<BenchRow[] | undefined> {
  const child = fork(join(import.meta.dirname, 'one.ts'), [name, ...rowsWanted], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  running = child;
  let rows: BenchRow[] | undefined;
  const limit_ms = name === CLUSTER ? CLUSTER_LIMIT_MS : LIMIT_MS;
  child.on('message', (message) => (rows = message as BenchRow[]));
  const timers = [setTimeout(() => child.kill('SIGTERM'), limit_ms), setTimeout(() => child.kill('SIGKILL'), limit_ms + END_MS)];
  const code = await new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done));
  for (const timer of timers) clearTimeout(timer);
  running = undefined;
  return code === 0 ? rows : undefined;
}

const rows: BenchRow[] = [];
const failed: string[] = [];
// The bench puts back what it changed, and is waited for.
let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopped = true;
    running?.kill(signal);
  });
}
for (const name of names.length > 0 ? names : known.filter((each) => each !== CLUSTER)) {
  if (stopped) break;
  stderr.write(`\n── ${name}\n`);
  const result = await runBench(name);
  if (result) rows.push(...result);
  else failed.push(name);
}

const machine = { cores: cpus().length, cpu: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30), node: version };
writeFileSync(RESULTS, `${JSON.stringify({ at: new Date().toISOString(), machine, rows, failed }, null, 2)}\n`);
stdout.write(`\n${table(rows)}\n\n${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, Node ${machine.node}\n`);
const missed = rows.filter((row) => !row.ok);
if (missed.length > 0) stdout.write(`Missed: ${missed.map((row) => `${row.bench} (${row.what})`).join('; ')}\n`);
if (failed.length > 0) stdout.write(`Failed: ${failed.join(', ')}\n`);
exit(failed.length > 0 || (missed.length > 0 && !argv.includes('--report-only')) ? 1 : 0);
