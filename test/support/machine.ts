// A tidemill server of one machine for tests: its own data folder, a free port, and the calls that a person would make.
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningServer, type ServerOptions, startServer } from '../../functions/one-machine/start.ts';
import { pushBody, type PushTold, signedHeaders } from './github.ts';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export interface Machine {
  server: RunningServer;
  data: string;
  /** Calls the API with the token; throws unless the status is 2xx. */
  api<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T>;
  /** Posts what GitHub would for this push. */
  push(told: PushTold): Promise<Answer>;
  /** GETs a page of the site served under this host label. */
  page(host: string, path?: string, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

export async function startMachine(options: Partial<ServerOptions> = {}): Promise<Machine> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'tidemill-data-'));
  const log = process.env.TEST_LOG ? { info: console.error, warn: console.error, error: console.error } : quiet;
  const server = await startServer({ port: 0, log, ...options, data });
  return {
    server,
    data,
    api: async (method, path, body) => {
      const headers = { authorization: `Bearer ${server.token}`, ...(body !== undefined && { 'content-type': 'application/json' }) };
      const answer = await send(server.port, method, `/api/v1${path}`, headers, body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      return (answer.text ? JSON.parse(answer.text) : undefined) as never;
    },
    push: (told) => {
      const body = pushBody(told);
      return send(server.port, 'POST', '/webhooks/github', signedHeaders(body, server.webhookSecret), body);
    },
    page: (host, path = '/', headers = {}) => send(server.port, 'GET', path, { host: `${host}.localhost:${server.port}`, ...headers }),
    stop: async () => {
      await server.close(5000);
      if (!options.data) rmSync(data, { recursive: true, force: true });
    },
  };
}

/** One HTTP exchange with 127.0.0.1; the Host header may be any. */
export function send(port: number, method: string, path: string, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, method, path, headers: { ...headers, ...(body && { 'content-length': body.length }) }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }));
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

/** Asks until the answer is given, or throws after so long with the last thing that was seen. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, limit_ms = 20_000): Promise<T> {
  const end = Date.now() + limit_ms;
  for (let last: unknown; ; await sleep(20)) {
    const answer = await ask().catch((error: unknown) => void (last = error));
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`${what}: not within ${limit_ms} ms`, { cause: last });
  }
}
