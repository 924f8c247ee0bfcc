// What the whole chain adds to a build: from the webhook to the new page, less what the install and build commands take by themselves.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { planFiles, planPipeline, type Reader } from '../../shared/decisions/plan.ts';
import { inheritedEnv } from '../../shared/runner/engine/env.ts';
import { hostPath } from '../../shared/runner/isolation/plain.ts';
import { pushBody, signedHeaders } from '../support/github.ts';
import { send } from '../support/machine.ts';
import { createRepository, type TestRepository } from '../support/repository.ts';
import { median } from './figures.ts';
import type { RunBench } from './row.ts';
import { type ServerProcess, startServerProcess } from './server.ts';

const SITE = resolve(import.meta.dirname, '../../examples/site');
const PROJECT = 'bench';
const ROUNDS = 9;
const LIVE_LIMIT_MS = 60_000;
const TARGET_MS = 300;

export const run: RunBench = async (log) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-overhead-'));
  const data = join(folder, 'data');
  const repository = createRepository(siteFiles(SITE));
  try {
    const commands = await buildCommands(repository.path);
    // Kept state without a site: the server does not build the example for itself.
    const first = await startServerProcess(emptyState(data));
    try {
      await call(first, 'POST', '/projects', { name: PROJECT, source: { url: repository.path } });
      const chain: number[] = [];
      const alone: number[] = [];
      for (let round = 0; round <= ROUNDS; round += 1) {
        const live = await timeToLive(first, repository, round);
        const bare = timeAlone(commands, repository, join(folder, `alone-${round}`));
        log(`round ${round}: live after ${live.toFixed(0)} ms, the commands by themselves ${bare.toFixed(0)} ms`);
        // The first round fills caches: npm's, the file system's, compiled code.
        if (round === 0) continue;
        chain.push(live);
        alone.push(bare);
      }
      const overhead = median(chain) - median(alone);
      return [
        {
          bench: 'overhead',
          what: "webhook of a push to its page live, the example site, less its install and build commands' own time",
          ours: overhead,
          peer: 'install and build by themselves',
          theirs: median(alone),
          unit: 'ms',
          ratio: overhead / median(alone),
          target: `ours < ${TARGET_MS}`,
          ok: overhead < TARGET_MS,
          note: `medians of ${ROUNDS}; live after ${median(chain).toFixed(0)} ms`,
        },
      ];
    } finally {
      await first.stop();
    }
  } finally {
    repository.remove();
    rmSync(folder, { recursive: true, force: true });
  }
};

function emptyState(data: string): string {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  writeFileSync(join(data, 'welcomed'), '');
  return data;
}

async function call(server: ServerProcess, method: string, path: string, body: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  const answer = await send(server.port, method, `/api/v1${path}`, headers, Buffer.from(JSON.stringify(body)));
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
}

/** Commits a change, tells of it as GitHub would, and waits for the page. Milliseconds from the POST. */
async function timeToLive(server: ServerProcess, repository: TestRepository, round: number): Promise<number> {
  const mark = `round-${round}-of-the-bench`;
  const page = readFileSync(join(repository.path, 'src/pages/index.html'), 'utf8');
  const after = repository.commit({ 'src/pages/index.html': `${page.replace(/<!-- round-.*-->\n$/, '')}<!-- ${mark} -->\n` });
  const body = pushBody({ repository: repository.path, after, pushedAt: 1_790_000_000 + round });
  const begin = performance.now();
  const answer = await send(server.port, 'POST', '/webhooks/github', signedHeaders(body, server.webhookSecret), body);
  if (answer.status !== 202) throw new Error(`The webhook was answered ${answer.status}: ${answer.text}`);
  while (performance.now() - begin < LIVE_LIMIT_MS) {
    const { text } = await send(server.port, 'GET', '/', { host: `${PROJECT}.localhost:${server.port}` });
    if (text.includes(mark)) return performance.now() - begin;
    await sleep(5);
  }
  throw new Error(`Round ${round} was not live within ${LIVE_LIMIT_MS / 1000} s`);
}

/** The scripts that the planned pipeline runs for this repository, without tidemill's own steps. */
async function buildCommands(path: string): Promise<string[]> {
  const reader: Reader = {
    list: async (folder) => readdirSync(join(path, folder), { withFileTypes: true }).map((entry) => entry.name + (entry.isDirectory() ? '/' : '')),
    read: async (file) => readFileSync(join(path, file)),
  };
  const project = { source: { url: path } };
  const planned = planPipeline({ project, files: await planFiles(project, reader), sha: 'a'.repeat(40) });
  if ('error' in planned) throw new Error(planned.error);
  const scripts = planned.stages.flatMap((stage) => stage.steps.flatMap((step) => step.taskSpec.steps.flatMap(({ script }) => script ?? [])));
  if (scripts.length !== 2) throw new Error(`The example has ${scripts.length} scripts to time, where install and build were expected`);
  return scripts;
}

/** The same commands on a checkout of the same commit, in the environment that a step is given, with nobody around them. */
function timeAlone(commands: readonly string[], repository: TestRepository, folder: string): number {
  execFileSync('git', ['clone', '-q', repository.path, folder], { stdio: 'pipe' });
  // Proxies and certificates of the machine are among it: reading certificates costs each Node process some 30 ms.
  const env = { ...inheritedEnv(process.env), PATH: hostPath(process.env.PATH), HOME: process.env.HOME, CI: 'true' };
  const begin = performance.now();
  for (const command of commands) execFileSync('sh', ['-c', command], { cwd: folder, env, stdio: 'pipe' });
  const took = performance.now() - begin;
  if (!statSync(join(folder, 'dist/index.html')).isFile()) throw new Error('The commands by themselves built nothing');
  rmSync(folder, { recursive: true });
  return took;
}

/** What git would carry of the example: no build, no packages. */
function siteFiles(root: string): Record<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => !/^(dist|node_modules)(\/|$)/.test(name));
  return Object.fromEntries(names.filter((name) => statSync(join(root, name)).isFile()).map((name) => [name, readFileSync(join(root, name), 'utf8')]));
}
