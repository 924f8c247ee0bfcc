// resolve: a pinned SHA that is held already, against asking git for it again.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createGit } from '../../shared/git/git.ts';
import { makeRepository, type TestRepository } from '../contracts/git-repository.ts';
import { startGitServer } from '../contracts/git-server.ts';
import type { BenchRow, RunBench } from './row.ts';

const FILES = 4000;
const FETCHES = 20;
const RESOLVES = 20_000;
const STARTS = 50;
const execute = promisify(execFile);
const ENV = { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };

export const run: RunBench = async (log) => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-bench-resolve-'));
  try {
    const origin = await makeRepository(join(folder, 'origin'));
    const sha = await manyFiles(origin);
    const server = await startGitServer({ root: folder });
    try {
      return await measure(folder, `${server.url}/origin`, sha, log);
    } finally {
      await server.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
};

async function measure(folder: string, url: string, sha: string, log: (line: string) => void): Promise<BenchRow[]> {
  const clone = join(folder, 'clone');
  await execute('git', ['clone', '-q', url, clone], { env: ENV });
  log(`resolve: ${FILES} files, fetched over loopback HTTP`);
  const theirs = await median(FETCHES, () => execute('git', ['fetch', '-q', 'origin', sha], { cwd: clone, env: ENV }));

  const directory = join(folder, 'held');
  const credentials = async () => Promise.reject(new Error('none'));
  const git = createGit({ directory, credentials });
  const began = performance.now();
  await git.resolve({ url }, sha);
  const first = performance.now() - began;
  const ours = await mean(RESOLVES, () => git.resolve({ url }, sha));
  const cold = await median(STARTS, () => createGit({ directory, credentials }).resolve({ url }, sha));
  log(
    `resolve: first ${first.toFixed(1)} ms, held ${(ours * 1000).toFixed(2)} µs, held by an earlier process ${cold.toFixed(2)} ms, git fetch ${theirs.toFixed(1)} ms`,
  );

  const peer = 'git fetch origin SHA, into a clone that has it';
  const row = (what: string, mine: number, target: number | undefined, note: string): BenchRow => ({
    bench: 'resolve',
    what,
    ours: mine,
    peer,
    theirs,
    unit: 'ms',
    ratio: theirs / mine,
    target: target === undefined ? 'reported' : `>= ${target}`,
    ok: target === undefined || theirs / mine >= target,
    note,
  });
  return [
    row('times faster, pinned SHA already held', ours, 300, `mean of ${RESOLVES}, one after the other; the first resolve took ${first.toFixed(0)} ms`),
    row('times faster, held by an earlier process', cold, undefined, `median of ${STARTS} new adapters: the record is read from its file`),
  ];
}

async function manyFiles(origin: TestRepository): Promise<string> {
  const files = Array.from({ length: FILES }, (_, i) => [`packages/p${i % 40}/src/file-${i}.ts`, `export const value${i} = ${i};\n`.repeat(20)]);
  return origin.commit(Object.fromEntries(files) as Record<string, string>);
}

async function median(times: number, task: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await task();
    taken.push(performance.now() - began);
  }
  return taken.sort((a, b) => a - b)[Math.floor(times / 2)]!;
}

async function mean(times: number, task: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < times; i++) await task();
  return (performance.now() - began) / times;
}
