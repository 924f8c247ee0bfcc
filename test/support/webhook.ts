// A webhook server for tests, in this process, with an inbox in a folder of its own; and raw exchanges with it.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGithubWebhook, type GithubWebhookOptions } from '../../functions/github-webhook/accept.ts';
import { type Inbox, openInbox } from '../../functions/github-webhook/inbox/inbox.ts';
import type { InboxRecord } from '../../functions/github-webhook/inbox/reader.ts';
import type { Log } from '../../shared/host/contract.ts';
import { signedHeaders } from './github.ts';

export const SECRET = 'It’s a secret to everybody';

export const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface Answer {
  status: number;
  headers: Headers;
  body: { status?: string; error?: string; reason?: string; delivery?: string };
}

export interface WebhookServer {
  port: number;
  inbox: Inbox;
  /** What was handed on, bodies copied. */
  handled: InboxRecord[];
  /** Posts a body, signed as GitHub does unless headers say otherwise; one that is undefined is left out. */
  post(body: Buffer, headers?: Record<string, string | undefined>, event?: string): Promise<Answer>;
  close(): Promise<void>;
}

export async function startWebhook(options: Partial<GithubWebhookOptions> = {}): Promise<WebhookServer> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemill-webhook-'));
  const inbox = await openInbox({ directory, log: quiet });
  const handled: InboxRecord[] = [];
  inbox.drain(async (records) => void handled.push(...records.map(({ head, body }) => ({ head, body: Buffer.from(body) }))));
  const server = createServer(createGithubWebhook({ secret: () => SECRET, inbox, log: quiet, ...options }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    inbox,
    handled,
    post: (body, headers = {}, event = 'push') => post(port, body, headers, event),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await inbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function post(port: number, body: Buffer, headers: Record<string, string | undefined> = {}, event = 'push', method = 'POST'): Promise<Answer> {
  const all = { ...signedHeaders(body, SECRET, event), ...headers };
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const response = await fetch(`http://127.0.0.1:${port}/webhooks/github`, {
    method,
    headers: given,
    ...(method === 'POST' && { body: new Uint8Array(body) }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

export interface RawExchange {
  socket: Socket;
  /** Everything that came back, once the server has closed the connection. */
  answer: Promise<string>;
}

/** A connection on which a test writes what no client library would. */
export function rawExchange(port: number, host = '127.0.0.1'): RawExchange {
  const socket = connect(port, host);
  const answer = new Promise<string>((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A reset after the answer is how a server that will not read on ends it.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
  return { socket, answer };
}

/** Head of a POST with these headers, as it goes over the wire. */
export function rawHead(headers: Record<string, string>, path = '/webhooks/github'): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}
