// A tidemill server in a process of its own, on the Node that runs the bench: what a person starts, without the launcher.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { execPath } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataPaths } from '../../shared/host/machine/data-folder.ts';
import { send } from '../support/machine.ts';

const ENTRY = resolve(import.meta.dirname, '../../cli/main.mjs');
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

export interface ServerProcess {
  pid: number;
  port: number;
  token: string;
  webhookSecret: string;
  /** From the spawn to the first answer of /healthz. */
  started_ms: number;
  /** From the spawn to the first "ready" of /readyz: from then on it serves sites and the API. */
  ready_ms: number;
  /** Resident memory in MB (10^6 bytes), from /proc. */
  rss_mb(): number;
  /** SIGINT, and then it has to end. */
  stop(): Promise<void>;
}

/** Starts `tidemill server` on a kept data folder, and waits for its first answer. */
export async function startServerProcess(data: string, args: readonly string[] = []): Promise<ServerProcess> {
  const port = await freePort();
  const begin = performance.now();
  const child = spawn(execPath, [ENTRY, 'server', '--data', data, '--port', String(port), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-4096)));
  const ended = new Promise<number | null>((done) => child.once('close', done));
  let gone = false;
  void ended.then(() => (gone = true));
  const waitFor = async (path: string): Promise<number> => {
    while (!(await answers(port, path))) {
      if (gone || performance.now() - begin > START_LIMIT_MS) {
        child.kill('SIGKILL');
        throw new Error(`The server did not answer ${path} on port ${port}. It said:\n${output}`);
      }
      await sleep(1);
    }
    return performance.now() - begin;
  };
  const started_ms = await waitFor('/healthz');
  const ready_ms = await waitFor('/readyz');
  const { pid } = child;
  if (pid === undefined) throw new Error('The server has no process id');
  const paths = dataPaths(data);
  return {
    pid,
    port,
    started_ms,
    ready_ms,
    token: readFileSync(paths.token, 'utf8').trim(),
    webhookSecret: readFileSync(paths.webhookSecret, 'utf8').trim(),
    rss_mb: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(join('/proc', String(pid), 'status'), 'utf8'))?.[1]) * 1.024e-3,
    stop: async () => {
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      const code = await ended;
      clearTimeout(timer);
      if (code !== 0) throw new Error(`The server ended with exit code ${code}. It said:\n${output}`);
    },
  };
}

async function answers(port: number, path: string): Promise<boolean> {
  // Refused until it listens: that is what is waited for.
  return (await send(port, 'GET', path, {}).catch(() => undefined))?.status === 200;
}

/** A port that nobody has now; the gap until the server takes it is the bench's risk. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((ready) => probe.once('listening', ready));
  const address = probe.address();
  await new Promise((closed) => probe.close(closed));
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return address.port;
}
