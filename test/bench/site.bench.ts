// The site server against nginx on the same files and one thread each: hot, and cold (no file is in our own memory). And the memory that 1 GB takes.
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { median } from './figures.ts';
import type { BenchRow, RunBench } from './row.ts';
import type { Done, MakeFiles, RunOutput } from './site/server.ts';

const FILES = 8_000;
const FILE_BYTES = 10 * 1024;
const CONNECTIONS = 32;
const SECONDS = 4;
const ROUNDS = 3;
const GIGABYTE = 2 ** 30;
const MEMORY_TARGET_MB = 150;
const HOT_TARGET = 0.5;

const run_ = promisify(execFile);

export const run: RunBench = async (log) => {
  const nginx = findTool('nginx', ['/usr/sbin/nginx', '/usr/bin/nginx']);
  findTool('wrk', ['/usr/bin/wrk', '/usr/local/bin/wrk']);
  const temp = mkdtempSync(join(tmpdir(), 'tidemill-site-bench-'));
  try {
    return [...(await speed(nginx, temp, log)), await memory(temp, log)];
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
};

function findTool(name: string, places: string[]): string {
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`The bench needs ${name}, which is not installed: apt-get install -y nginx-light wrk`);
  return found;
}

async function speed(nginx: string, temp: string, log: (line: string) => void): Promise<BenchRow[]> {
  const ours = await startOurs();
  try {
    log(`storing ${FILES} files of 10 KB`);
    const { port, directory } = await ours.ask({ what: 'files', count: FILES, size: FILE_BYTES });
    const peer = await startNginx(nginx, temp, join(directory, 'bench/1'));
    try {
      const hot = await compare('hot', port, peer.port, hotScript(temp), log);
      const cold = await compare('cold', port, peer.port, coldScript(temp), log);
      return [
        row(
          'GET of one 10 KB file, hot',
          hot,
          `>= ${HOT_TARGET}`,
          hot.ratio >= HOT_TARGET,
          'one thread each, 32 connections, wrk on the same machine; nginx with sendfile',
        ),
        row(
          'GET of 8,000 10 KB files in turn, none in our memory',
          cold,
          'reported',
          true,
          'the page cache is warm for both; ours checks each digest, nginx sends what is there',
        ),
      ];
    } finally {
      await peer.stop();
    }
  } finally {
    await ours.stop();
  }
}

interface Compared {
  ours: number;
  theirs: number;
  ratio: number;
}

function row(what: string, { ours, theirs, ratio }: Compared, target: string, ok: boolean, note: string): BenchRow {
  return { bench: 'site', what, ours: Math.round(ours), peer: 'nginx', theirs: Math.round(theirs), unit: 'requests/s', ratio, target, ok, note };
}

/** In turn, so that both have the same neighbours; the medians. */
async function compare(what: string, ours: number, theirs: number, script: string, log: (line: string) => void): Promise<Compared> {
  await wrk(ours, script, 2);
  await wrk(theirs, script, 1);
  const rounds: { ours: number; theirs: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push({ theirs: await wrk(theirs, script, SECONDS), ours: await wrk(ours, script, SECONDS) });
  for (const round of rounds) log(`${what}: ours ${Math.round(round.ours)}, nginx ${Math.round(round.theirs)} requests/s`);
  return {
    ours: median(rounds.map((round) => round.ours)),
    theirs: median(rounds.map((round) => round.theirs)),
    ratio: median(rounds.map((round) => round.ours / round.theirs)),
  };
}

async function wrk(port: number, script: string, seconds: number): Promise<number> {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-H', 'Host: bench.localhost', '-s', script, `http://127.0.0.1:${port}`];
  const { stdout } = await run_('wrk', args);
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  if (!(rate > 0) || stdout.includes('Non-2xx') || stdout.includes('Socket errors')) throw new Error(`wrk against port ${port} went wrong:\n${stdout}`);
  return rate;
}

function hotScript(temp: string): string {
  const path = join(temp, 'hot.lua');
  writeFileSync(path, 'wrk.path = "/f0.bin"\n');
  return path;
}

function coldScript(temp: string): string {
  const path = join(temp, 'cold.lua');
  writeFileSync(path, `local n = 0\nrequest = function()\n  n = (n + 1) % ${FILES}\n  return wrk.format("GET", "/f" .. n .. ".bin")\nend\n`);
  return path;
}

async function startNginx(binary: string, temp: string, root: string): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const config = join(temp, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${temp}/${name};`).join(' ');
  writeFileSync(
    config,
    `${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; daemon off; pid ${temp}/nginx.pid; error_log ${temp}/error.log;
events { worker_connections 512; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; ${paths}
  server { listen 127.0.0.1:${port}; root ${root}; } }
`,
  );
  const child = spawn(binary, ['-p', temp, '-c', config, '-e', join(temp, 'error.log')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  for (let i = 0; !(await answers(port)); i++) {
    if (i === 200 || child.exitCode !== null) throw new Error(`nginx did not start; its log is in ${temp}/error.log`);
    await sleep(25);
  }
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function memory(temp: string, log: (line: string) => void): Promise<BenchRow> {
  const workspace = join(temp, 'workspace');
  await makeGigabyte(join(workspace, 'dist'));
  const ours = await startOurs();
  try {
    await sleep(500);
    const idle = statusOf(ours.child, 'VmRSS');
    log(`storing 1 GB; idle at ${Math.round(idle)} MB`);
    const began = performance.now();
    const { port } = await ours.ask({ what: 'output', workspace });
    const stored = statusOf(ours.child, 'VmHWM');
    log(`stored, archive included, in ${((performance.now() - began) / 1000).toFixed(1)} s; peak ${Math.round(stored)} MB`);
    const bytes = (await Promise.all([download(port), download(port)])).reduce((sum, each) => sum + each, 0);
    if (bytes !== 2 * GIGABYTE) throw new Error(`Two downloads of 1 GB gave ${bytes} bytes`);
    const peak = statusOf(ours.child, 'VmHWM');
    const above = Math.round(peak - idle);
    log(`served twice at once; peak ${Math.round(peak)} MB`);
    return {
      bench: 'site',
      what: 'memory above idle while 1 GB is stored and served twice at once',
      ours: above,
      peer: 'itself, idle',
      theirs: Math.round(idle),
      unit: 'MB',
      ratio: peak / idle,
      target: `< ${MEMORY_TARGET_MB} MB above`,
      ok: above < MEMORY_TARGET_MB,
      note: 'peak resident memory as the kernel counts it (VmHWM)',
    };
  } finally {
    await ours.stop();
  }
}

/** MB of a field of /proc/<pid>/status. */
function statusOf({ pid }: ChildProcess, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(join('/proc', String(pid), 'status'), 'utf8'))?.[1]) / 1000;
}

async function makeGigabyte(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), 'big');
  const block = randomBytes(16 * 2 ** 20);
  const file = await open(join(folder, 'big.bin'), 'w');
  for (let done = 0; done < GIGABYTE; done += block.length) await file.write(block);
  await file.close();
}

async function download(port: number): Promise<number> {
  const call = get({ host: '127.0.0.1', port, path: '/big.bin', headers: { host: 'bench.localhost' }, agent: false });
  const [response] = (await once(call, 'response')) as [AsyncIterable<Buffer>];
  let bytes = 0;
  for await (const chunk of response) bytes += chunk.length;
  return bytes;
}

async function startOurs(): Promise<{ child: ChildProcess; ask(message: MakeFiles | RunOutput): Promise<Done>; stop(): Promise<void> }> {
  const child = fork(join(import.meta.dirname, 'site/server.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const failed = ended.then(() => {
    throw new Error('The site server of the bench ended by itself');
  });
  failed.catch(() => undefined); // only of interest to who waits for an answer
  await Promise.race([once(child, 'message'), failed]);
  return {
    child,
    ask: async (message) => {
      child.send(message);
      const [done] = (await Promise.race([once(child, 'message'), failed])) as [Done];
      return done;
    },
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const probe = get({ host: '127.0.0.1', port, path: '/f0.bin', agent: false });
  try {
    const [response] = (await once(probe, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    return response.statusCode === 200;
  } catch {
    return false; // refused until it listens
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return address.port;
}
