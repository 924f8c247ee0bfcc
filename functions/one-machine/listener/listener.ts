// The one port of one machine: on loopback only, IPv4 and where there is one IPv6, with limits, and closed without cutting off answers.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createRouter, type Routes } from './routes.ts';

// Importing the module by name would look at each of its exports, and some of them load a whole HTTP client: 25 ms of every start.
const { createServer } = process.getBuiltinModule('node:http');

export interface ListenerOptions extends Routes {
  /** The port wanted; another free one when it is taken. 0: any. */
  port: number;
  limits?: Partial<typeof LIMITS>;
}

export interface Listener {
  port: number;
  /** http://localhost:<port> */
  url: string;
  /** Takes no new connections, lets requests in hand finish for so long, then ends them. */
  close(grace_ms: number): Promise<void>;
}

const LIMITS = {
  headersTimeout: 10_000,
  /** For the request to come in, not for its answer: a log may be followed for hours. */
  requestTimeout: 120_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
};
const MAX_CONNECTIONS = 4096;
/** A port that is free on IPv4 can be taken on IPv6; so often another is tried. */
const PORT_TRIES = 20;

export async function createListener(options: ListenerOptions): Promise<Listener> {
  const router = createRouter(options);
  let closing = false;
  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    if (closing) response.setHeader('Connection', 'close');
    router(request, response);
  };
  const servers = await listenOnLoopback(options.port, () => makeServer(respond, { ...LIMITS, ...options.limits }));
  // Such as no file descriptor left for a connection: that one is lost, the server is not.
  for (const server of servers) server.on('error', (error) => options.log.error({ error: error.message }, 'The listener reports an error'));
  const port = portOf(servers[0]);

  return {
    port,
    url: `http://localhost:${port}`,
    close: async (grace_ms) => {
      closing = true;
      const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      // A connection kept alive by a request in hand is idle once that is answered.
      const sweep = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 50);
      const end = setTimeout(() => servers.forEach((server) => server.closeAllConnections()), grace_ms);
      await closed;
      clearInterval(sweep);
      clearTimeout(end);
    },
  };
}

function makeServer(respond: (request: IncomingMessage, response: ServerResponse) => void, limits: typeof LIMITS): Server {
  const server = createServer({ ...limits, noDelay: true, shouldUpgradeCallback: isWebSocket }, respond);
  server.maxConnections = MAX_CONNECTIONS;
  // "100 Continue" is for the routes to say, once they have found nothing to refuse.
  server.on('checkContinue', respond);
  server.on('upgrade', (_request: IncomingMessage, socket: Socket) => {
    end(socket, '403 Forbidden', 'This server speaks no WebSocket.');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const [status, text] = CLIENT_ERRORS[error.code ?? ''] ?? ['400 Bad Request', 'The request is not valid HTTP.'];
    return end(socket, status, text);
  });
  return server;
}

const CLIENT_ERRORS: Record<string, [string, string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The header of the request is too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive.'],
};

function isWebSocket(request: IncomingMessage): boolean {
  return /\bwebsocket\b/i.test(request.headers.upgrade ?? '');
}

function end(socket: Socket, status: string, text: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length + 1}\r\nConnection: close\r\n\r\n${text}\n`, () =>
    socket.destroy(),
  );
}

/** Both families on one port, so that localhost is this server whichever way it resolves. */
async function listenOnLoopback(wanted: number, make: () => Server): Promise<[Server, ...Server[]]> {
  for (let attempt = 0, port = wanted; attempt < PORT_TRIES; attempt++, port = 0) {
    const v4 = await listen(make(), port, '127.0.0.1');
    if (v4 === 'taken') continue;
    if (v4 === 'none') throw new Error('This machine has no loopback address 127.0.0.1 to listen on');
    const v6 = await listen(make(), portOf(v4), '::1');
    if (v6 === 'none') return [v4];
    if (v6 !== 'taken') return [v4, v6];
    await new Promise((resolve) => v4.close(resolve));
  }
  throw new Error('No free port was found on 127.0.0.1 and ::1');
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** "taken": the port is another's. "none": there is no such address here. */
function listen(server: Server, port: number, host: string): Promise<Server | 'taken' | 'none'> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve('taken');
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') resolve('none');
      else if (error.code === 'EACCES') reject(new Error(`Port ${port} may not be used by this user; give one above 1023 with --port`, { cause: error }));
      else reject(error);
    };
    server.once('error', failed);
    server.listen({ port, host, ipv6Only: host === '::1' }, () => {
      server.removeListener('error', failed);
      resolve(server);
    });
  });
}
