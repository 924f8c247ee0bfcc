// A real git server for tests and benches: git http-backend behind node:http, on a free port, with the faults that a test asks for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GitServerOptions {
  /** Folder whose repositories are served. */
  root: string;
  /** What the Authorization header must carry; absent: anybody may read. */
  basic?: { username: string; password: string };
  /** Address that it listens on. Default 127.0.0.1. */
  address?: string;
  /** Answers to the partial fetch of protocol 2; false: as an old server, everything or nothing. Default true. */
  filter?: boolean;
  /** Leaves out protocol 2, so that only advertised objects may be asked for. */
  protocol0?: boolean;
  /** Waits so long after each piece that it sends. */
  slow_ms?: number;
  /** Looked at first; true: it has answered (or will never). */
  before?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface GitServer {
  /** http://<address>:<port> */
  url: string;
  /** <address>:<port> */
  host: string;
  /** Every request so far. */
  requests: { method: string; url: string; headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const requests: GitServer['requests'] = [];
  const server = createServer((request, response) => {
    requests.push({ method: request.method!, url: request.url!, headers: request.headers });
    if (options.before?.(request, response)) return;
    if (options.basic && request.headers.authorization !== `Basic ${Buffer.from(`${options.basic.username}:${options.basic.password}`).toString('base64')}`) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    runBackend(request, response, options);
  });
  const { address = '127.0.0.1' } = options;
  server.listen(0, address);
  await once(server, 'listening');
  const host = `${address}:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function runBackend(request: IncomingMessage, response: ServerResponse, options: GitServerOptions): void {
  const { pathname, search } = new URL(request.url!, 'http://localhost');
  const config = { 'uploadpack.allowFilter': String(options.filter ?? true), 'safe.directory': '*' };
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: options.root,
      GIT_HTTP_EXPORT_ALL: '1',
      ...gitConfig(config),
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-length'] && { CONTENT_LENGTH: request.headers['content-length'] }),
      ...(request.headers['content-encoding'] && { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
      ...(!options.protocol0 && request.headers['git-protocol'] && { GIT_PROTOCOL: String(request.headers['git-protocol']) }),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {}); // The backend may answer before it has read everything.
  request.pipe(child.stdin);
  response.on('close', () => child.kill());
  sendCgi(child.stdout, response, options.slow_ms ?? 0);
}

export function gitConfig(config: Record<string, string>): Record<string, string> {
  const entries = Object.entries(config);
  const pairs = entries.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(entries.length), ...Object.fromEntries(pairs) };
}

/** A CGI answer is a header block, an empty line, and the body. */
function sendCgi(output: NodeJS.ReadableStream, response: ServerResponse, slow_ms: number): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    output.removeListener('data', onData);
    output.pause();
    let status = 200;
    for (const line of head.subarray(0, end).toString().split('\r\n')) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      if (name === 'status') status = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    if (slow_ms > 0) void sendSlowly(output, response, slow_ms);
    else output.pipe(response);
  };
  output.on('data', onData);
  output.on('end', () => {
    if (!response.headersSent) response.writeHead(500).end();
  });
}

async function sendSlowly(output: NodeJS.ReadableStream, response: ServerResponse, slow_ms: number): Promise<void> {
  for await (const piece of output) {
    if (response.destroyed) return;
    response.write(piece);
    await new Promise((resolve) => setTimeout(resolve, slow_ms));
  }
  response.end();
}
