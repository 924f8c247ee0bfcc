// npm run bench [-- NAME…] [--report-only]: runs test/bench/*.bench.ts in turn, each in a process of its own, prints one table and keeps
// bench-results.json. Exit code 1: a target was missed or a bench failed; with --report-only only the latter.
import { fork } from 'node:child_process';
import { globSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { argv, exit, stderr, stdout, version } from 'node:process';
import type { BenchRow } from './row.ts';
import { table } from './table.ts';

/** A bench that takes longer hangs. */
const LIMIT_MS = 20 * 60_000;
const RESULTS = resolve(import.meta.dirname, '../../bench-results.json');

const known = globSync(join(import.meta.dirname, '*.bench.ts'))
  .map((file) => basename(file, '.bench.ts'))
  .toSorted();
const words = argv.slice(2).filter((word) => word !== '--report-only');
const unknown = words.filter((word) => !known.includes(word));
if (unknown.length > 0) {
  stderr.write(`No bench is called ${unknown.join(', ')}; there are ${known.join(', ')}\n`);
  exit(2);
}

/** Runs one bench. Resolves with its rows, or undefined when it failed; what it says goes to stderr. */
async function runBench(name: string): Promise<BenchRow[] | undefined> {
  const child = fork(join(import.meta.dirname, 'one.ts'), [name], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let rows: BenchRow[] | undefined;
  child.on('message', (message) => (rows = message as BenchRow[]));
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const code = await new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done));
  clearTimeout(timer);
  return code === 0 ? rows : undefined;
}

const rows: BenchRow[] = [];
const failed: string[] = [];
for (const name of words.length > 0 ? words : known) {
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
