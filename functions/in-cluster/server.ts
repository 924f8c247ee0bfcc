// The HTTP server of one process in a cluster: probes, requests, and an end that cuts nothing off.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import type { Log } from '../../shared/host/contract.ts';

// Importing the module by name would look at each of its exports, and some of them load a whole HTTP client: 25 ms of every start.
const { createServer } = process.getBuiltinModule('node:http');

export type Respond = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Part of what a process leans on: resolves when it is well, throws why it is not. */
export type Check = () => Promise<unknown>;

export interface ProcessServer {
  port: number;
  /** From now on requests come through. */
  open(respond: Respond): void;
  /** Takes no new connections, lets requests in hand finish for so long, then ends them. */
  close(grace_ms: number): Promise<void>;
}

export interface ServerOptions {
  port: number;
  log: Log;
  /** What GET /readyz?verbose looks at, by name. */
  checks?: Readonly<Record<string, Check>>;
}

const LIMITS = { headersTimeout: 10_000, requestTimeout: 120_000, connectionsCheckingInterval: 2_000, keepAliveTimeout: 65_000, maxHeaderSize: 65_536 };
const CHECK_MS = 5_000;

/** Listens at once; until it is opened every request but a probe is answered 503. */
export async function startProcessServer({ port, log, checks = {} }: ServerOptions): Promise<ProcessServer> {
  let respond: Respond | undefined;
  let closing = false;
  const server = createServer({ ...LIMITS, noDelay: true }, (request, response) => {
    if (closing) response.setHeader('Connection', 'close');
    const [path, query] = (request.url ?? '').split('?', 2);
    if (request.method === 'GET' && path === '/healthz') return sendText(response, 200, 'ok\n');
    if (request.method === 'GET' && path === '/readyz') return void answerReady(response, query === 'verbose' ? checks : {}, respond !== undefined && !closing);
    if (!respond || closing) return sendText(response, 503, closing ? 'stopping\n' : 'starting\n', { 'Retry-After': '1' });
    return void handle(respond, request, response, log);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => void server.emit('request', request, response));
  server.on('error', (error) => log.error({ error: error.message }, 'the server reports an error'));
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    open: (with_) => void (respond = with_),
    close: async (grace_ms) => {
      closing = true;
      const closed = new Promise((resolve) => server.close(resolve));
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const end = setTimeout(() => server.closeAllConnections(), grace_ms);
      await closed;
      clearInterval(sweep);
      clearTimeout(end);
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::', ipv6Only: false }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function handle(respond: Respond, request: IncomingMessage, response: ServerResponse, log: Log): Promise<void> {
  try {
    await respond(request, response);
  } catch (error) {
    log.error({ error: (error as Error).message, method: request.method, path: request.url?.split('?')[0]?.slice(0, 200) }, 'a request could not be answered');
    if (response.headersSent) response.destroy();
    else sendText(response, 500, 'Something went wrong here; the log of this function says what.\n');
  }
}

async function answerReady(response: ServerResponse, checks: Readonly<Record<string, Check>>, isOpen: boolean): Promise<void> {
  const told = await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await outcome(check)] as const));
  const bad = told.filter(([, said]) => said !== 'ok');
  const lines = [isOpen ? 'ready' : 'starting or stopping', ...told.map(([name, said]) => `${name}: ${said}`)];
  sendText(response, isOpen && bad.length === 0 ? 200 : 503, `${lines.join('\n')}\n`);
}

async function outcome(check: Check): Promise<string> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS} ms`)), CHECK_MS);
  try {
    await Promise.race([check(), promise]);
    return 'ok';
  } catch (error) {
    return (error as Error).message.replaceAll('\n', ' ').slice(0, 500);
  } finally {
    clearTimeout(timer);
  }
}

export function sendText(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(text);
}
