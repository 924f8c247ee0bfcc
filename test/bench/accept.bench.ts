// accept: signed 5 KB push → on disk → 202, through our listener, against octokit's node middleware and a real Tekton EventListener.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildRequests } from './accept/requests.ts';
import type { BenchRow, RunBench } from './row.ts';

const SECRET = 'bench-secret';
const DISTINCT = 4096;
const ROUNDS = 3;
const CONNECTIONS = 64;
const SECONDS = 3;
const TMPFS = 0x01021994;
const HERE = new URL('./accept/', import.meta.url);

/** A Tekton Triggers EventListener, answering before it has kept anything, measured on a machine like this: requests a second. */
const EVENT_LISTENER: Record<number, number> = { 1: 280, 16: 535 };

interface Load {
  perSecond: number;
  p50_ms: number;
  p99_ms: number;
}

interface Drained {
  whileAccepting: number;
  after: number;
  ms: number;
}

interface Server {
  port: number;
  /** Asks our server how long it takes to handle what it has accepted. */
  drain(): Promise<Drained>;
  stop(): Promise<void>;
}

export const run: RunBench = async (log) => {
  const directory = await mkdtemp(join(await diskFolder(), 'tidemill-accept-'));
  try {
    const requests = join(directory, 'requests');
    await writeFile(requests, buildRequests(DISTINCT, SECRET));
    const ours: Load[] = [];
    const theirs: Load[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      theirs.push(await measure('octokit.ts', directory, requests, CONNECTIONS));
      ours.push(await measure('ours.ts', directory, requests, CONNECTIONS));
      log(`accept, round ${round + 1}: octokit ${figures(theirs.at(-1))}; ours ${figures(ours.at(-1))}`);
    }
    const { loads, drained } = await fewInFlight(directory, requests);
    return [...against(median(ours), median(theirs), drained), ...againstEventListener(loads)];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

function against(ours: Load, theirs: Load, drained: Drained): BenchRow[] {
  const peer = 'octokit createNodeMiddleware, handler does nothing';
  const rate = Math.round((drained.after / drained.ms) * 1000);
  const ratio = ours.perSecond / theirs.perSecond;
  const slower = ours.p99_ms / theirs.p99_ms;
  return [
    {
      bench: 'accept',
      what: `requests per second, signed 5 KB push → fsynced 202, ${CONNECTIONS} in flight`,
      ours: Math.round(ours.perSecond),
      peer,
      theirs: Math.round(theirs.perSecond),
      unit: '1/s',
      ratio,
      target: '>= 1.3',
      ok: ratio >= 1.3,
      note: `median of ${ROUNDS} alternating runs by wrk, ${DISTINCT} distinct bodies in turn, all kept and handled; the rest drained at ${rate} a second (${drained.whileAccepting} while accepting, ${drained.after} after)`,
    },
    { bench: 'accept', what: 'p99 of the same', ours: ours.p99_ms, peer, theirs: theirs.p99_ms, unit: 'ms', ratio: slower, target: '<= 1', ok: slower <= 1 },
  ];
}

function againstEventListener(loads: Map<number, Load>): BenchRow[] {
  return [...loads].map(([inFlight, { perSecond }]) => {
    const theirs = EVENT_LISTENER[inFlight] ?? Number.NaN;
    const ratio = perSecond / theirs;
    const judged = inFlight === 16;
    return {
      bench: 'accept',
      what: `requests per second, ${inFlight} in flight`,
      ours: Math.round(perSecond),
      peer: 'Tekton Triggers EventListener (fixed figure of a machine like this)',
      theirs,
      unit: '1/s',
      ratio,
      target: judged ? '>= 10' : 'none (one fsync each)',
      ok: !judged || ratio >= 10,
    };
  });
}

async function fewInFlight(directory: string, requests: string): Promise<{ loads: Map<number, Load>; drained: Drained }> {
  const server = await start('ours.ts', directory);
  try {
    await load(server.port, requests, 16, 1);
    const loads = new Map<number, Load>();
    for (const inFlight of [1, 16]) loads.set(inFlight, await load(server.port, requests, inFlight, SECONDS));
    return { loads, drained: await server.drain() };
  } finally {
    await server.stop();
  }
}

async function measure(script: string, directory: string, requests: string, connections: number): Promise<Load> {
  const data = await mkdtemp(join(directory, 'data-'));
  const server = await start(script, data);
  try {
    await load(server.port, requests, connections, 1);
    return await load(server.port, requests, connections, SECONDS);
  } finally {
    await server.stop();
    await rm(data, { recursive: true, force: true });
  }
}

async function start(script: string, data: string): Promise<Server> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, HERE)), data, SECRET], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const { port } = JSON.parse(await nextLine(lines)) as { port: number };
  return {
    port,
    drain: async () => {
      child.stdin.write('drain\n');
      return JSON.parse(await nextLine(lines)) as Drained;
    },
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

async function nextLine(lines: Interface): Promise<string> {
  const [line] = (await once(lines, 'line', { close: ['close'] } as object)) as [string];
  return line;
}

async function load(port: number, requests: string, connections: number, seconds: number): Promise<Load> {
  const script = fileURLToPath(new URL('load.lua', HERE));
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, `http://127.0.0.1:${port}`, '--', requests];
  const { stdout } = await promisify(execFile)('wrk', args).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? new Error('The accept bench needs wrk: apt-get install wrk, or brew install wrk') : error;
  });
  const figures = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    requests: number;
    duration_us: number;
    p50_us: number;
    p99_us: number;
    failed: number;
  };
  if (figures.failed > 0) throw new Error(`${figures.failed} of ${figures.requests} requests failed`);
  return { perSecond: (figures.requests / figures.duration_us) * 1e6, p50_ms: figures.p50_us / 1000, p99_ms: figures.p99_us / 1000 };
}

/** A folder on a disk: where the temporary one is memory, a sync costs nothing and the figures would flatter. */
async function diskFolder(): Promise<string> {
  return (await statfs(tmpdir())).type === TMPFS ? process.cwd() : tmpdir();
}

function median(loads: Load[]): Load {
  const middle = (pick: (load: Load) => number): number => loads.map(pick).sort((a, b) => a - b)[Math.floor(loads.length / 2)] ?? Number.NaN;
  return { perSecond: middle((load) => load.perSecond), p50_ms: middle((load) => load.p50_ms), p99_ms: middle((load) => load.p99_ms) };
}

function figures(load: Load | undefined): string {
  return load ? `${Math.round(load.perSecond)}/s, p50 ${load.p50_ms} ms, p99 ${load.p99_ms} ms` : 'none';
}
