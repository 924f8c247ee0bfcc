// Starts, kills and asks the server process of the chaos tests.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { send } from '../support/machine.ts';
import type { KillPoint } from './instrument.ts';
import type { FromServer, ToServer } from './server.ts';

export interface ServerProcess {
  pid: number;
  port: number;
  webhookSecret: string;
  api<T>(path: string, method?: string, body?: unknown): Promise<T>;
  arm(point: KillPoint | undefined): Promise<void>;
  counts(): Promise<Record<string, number>>;
  alive(): boolean;
  /** SIGKILL, now. */
  kill(): void;
  /** Resolves when the process has ended, by which signal or code soever. */
  ended: Promise<void>;
}

const SERVER = new URL('./server.ts', import.meta.url).pathname;

export async function startProcess(data: string): Promise<ServerProcess> {
  const child = fork(SERVER, [data], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: { ...process.env, NODE_COMPILE_CACHE: `${data}/compiled` } });
  const ended = once(child, 'exit').then(() => undefined);
  const { ready } = await message(child, 'ready');
  const ask = async <K extends 'armed' | 'counts'>(question: ToServer, answer: K) => {
    const answered = message(child, answer);
    // Where the server ended, `answered` says so.
    child.send(question, () => undefined);
    return answered;
  };
  return {
    pid: child.pid!,
    port: ready.port,
    webhookSecret: ready.webhookSecret,
    api: async <T>(path: string, method = 'GET', body?: unknown) => {
      const headers = { authorization: `Bearer ${ready.token}`, ...(body !== undefined && { 'content-type': 'application/json' }) };
      const answer = await send(ready.port, method, `/api/v1${path}`, headers, body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      return JSON.parse(answer.text) as T;
    },
    arm: async (point) => void (await ask({ arm: point ?? null }, 'armed')),
    counts: async () => (await ask({ counts: true }, 'counts')).counts,
    alive: () => child.exitCode === null && child.signalCode === null,
    kill: () => void child.kill('SIGKILL'),
    ended,
  };
}

type Message<K extends string> = Extract<FromServer, Record<K, unknown>>;

/** The next message of this kind; throws when the process ends first. */
function message<K extends 'ready' | 'armed' | 'counts'>(child: ChildProcess, kind: K): Promise<Message<K>> {
  return new Promise((resolve, reject) => {
    const onMessage = (received: FromServer) => {
      if (!(kind in received)) return;
      done();
      resolve(received as Message<K>);
    };
    const onExit = (code: number | null, signal: string | null) => {
      done();
      reject(new Error(`the server ended (${signal ?? code}) before it said "${kind}"`));
    };
    const done = () => {
      child.off('message', onMessage);
      child.off('exit', onExit);
    };
    child.on('message', onMessage);
    child.on('exit', onExit);
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
  });
}
