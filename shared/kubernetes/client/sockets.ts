// Sockets to one API server: kept alive, bounded, watches apart from requests so that neither waits for the other.
import type { Agent, AgentOptions, RequestOptions } from 'node:http';
import https from 'node:https';
import { getBuiltinModule } from 'node:process';
import tls from 'node:tls';
import type { Connection } from './connection.ts';

/** Not by import: that reads every export, WebSocket among them, which loads a client of its own and doubles the time that a process takes to start. */
const http = getBuiltinModule('node:http');

const MAX_SOCKETS = 64;
const MAX_STREAMS = 256;
/** The API server closes what is idle for 90 s: we go first, so that no request meets a socket that is being closed. */
const IDLE_MS = 60_000;

export interface Sockets {
  request: typeof http.request;
  base: URL;
  secure: boolean;
  /** What each request says of where it goes, read from `base` once. */
  address: Pick<RequestOptions, 'protocol' | 'hostname' | 'port'>;
  /** Stands before each path: "" or "/folder". */
  below: string;
  requests: Agent;
  streams: Agent;
  close(): void;
}

export function createSockets(connection: Connection): Sockets {
  const base = new URL(connection.server);
  const secure = base.protocol === 'https:';
  if (!secure && base.protocol !== 'http:') throw new Error(`The API server's address ${base.protocol}//${base.host} is neither http nor https`);
  const make = (maxSockets: number) => connection.agent ?? (secure ? secureAgent(connection, maxSockets) : new http.Agent(common(maxSockets)));
  const requests = make(MAX_SOCKETS);
  const streams = make(MAX_STREAMS);
  const close = () => {
    requests.destroy();
    streams.destroy();
  };
  const address = { protocol: base.protocol, hostname: base.hostname.replace(/^\[(.*)\]$/, '$1'), port: base.port };
  const below = base.pathname.replace(/\/$/, '');
  return { request: secure ? https.request : http.request, base, secure, address, below, requests, streams, close };
}

const common = (maxSockets: number): AgentOptions => ({ keepAlive: true, keepAliveMsecs: 30_000, maxSockets, timeout: IDLE_MS });

function secureAgent({ tls: given }: Connection, maxSockets: number): https.Agent {
  const { ca, cert, key, servername, insecure } = given ?? {};
  return new https.Agent({
    ...common(maxSockets),
    // Parsed once: given as they are, they would be parsed for each connection, and be part of the key that each request looks its socket up by.
    secureContext: tls.createSecureContext({ ca, cert, key }),
    ...(servername && { servername }),
    ...(insecure && { rejectUnauthorized: false }),
  });
}
