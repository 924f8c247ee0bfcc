// The connection to NATS: made when first needed, made again for ever, and waited for with patience only so long.
import { connect, type NatsConnection } from 'nats';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamOptions } from './options.ts';
import { isFinal, messageOf, Refusal } from './errors.ts';
import { pause, pauseAfter } from '../host/pause.ts';

/** One connection while it lasts; it survives lost sockets by itself. */
export interface Session {
  nc: NatsConnection;
  js: JetStreamClient;
  jsm: JetStreamManager;
  /** Calls back at each loss of the socket, and at the end. Returns how to end that. */
  onLost(heard: () => void): () => void;
}

export interface Connection {
  /** As one line, for errors: never holds a credential. */
  readonly address: string;
  /** Waits until there is one, or the stop. */
  session(): Promise<Session>;
  /** Does it, again and again while what hinders it may pass; rejects with a clear error when it does not pass in time. */
  patiently<T>(what: string, work: (session: Session) => Promise<T>): Promise<T>;
  readonly stopping: AbortSignal;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 5000;
const DEFAULT_PATIENCE_MS = 15_000;
const CLOSE_WITHIN_MS = 2000;
const PING_EVERY_MS = 10_000;
const RECONNECT = { base_ms: 200, cap_ms: 5000 };
const TRY_AGAIN = { base_ms: 50, cap_ms: 1000 };

export function createConnection(options: JetStreamOptions): Connection {
  const { log, patience_ms = DEFAULT_PATIENCE_MS } = options;
  const servers = serversOf(options.url);
  const address = servers.join(', ');
  const stop = new AbortController();
  let current: Promise<Session> | undefined;
  let open: NatsConnection | undefined;
  let lastError: unknown;

  const connectOnce = async (): Promise<Session> => {
    let failures = 0;
    const nc = await connect({
      servers,
      name: 'tidemill',
      ...(options.user !== undefined && { user: options.user, pass: options.password ?? '' }),
      ...(options.token !== undefined && { token: options.token }),
      ...(servers.some((server) => server.startsWith('tls:')) && { tls: {} }),
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      // A password that was changed in between is asked for again after a restart; until then the server may take the old one back.
      ignoreAuthErrorAbort: true,
      reconnectDelayHandler: () => pauseAfter(failures++, RECONNECT),
      pingInterval: PING_EVERY_MS,
      noAsyncTraces: true,
    });
    const version = nc.info?.version ?? '';
    const refusal = refusalOf(version);
    if (refusal || stop.signal.aborted) {
      await nc.close();
      throw new Refusal(refusal ?? 'The broker was stopped');
    }
    open = nc;
    const listeners = new Set<() => void>();
    const lost = () => {
      for (const listener of listeners) listener();
    };
    void tellStatus(nc, lost, () => (failures = 0));
    void nc.closed().then(() => {
      current = undefined;
      lost();
    });
    return {
      nc,
      js: jetstream(nc, { timeout: REQUEST_TIMEOUT_MS }),
      jsm: await jetstreamManager(nc, { timeout: REQUEST_TIMEOUT_MS, checkAPI: false }),
      onLost: (heard) => {
        listeners.add(heard);
        return () => listeners.delete(heard);
      },
    };
  };

  const tellStatus = async (nc: NatsConnection, onLost: () => void, onReconnect: () => void) => {
    for await (const status of nc.status()) {
      if (status.type === 'disconnect') {
        if (!stop.signal.aborted) log.warn({ server: address }, 'the connection to NATS was lost; it is made again');
        onLost();
      }
      if (status.type === 'reconnect') {
        onReconnect();
        log.info({ server: address }, 'connected to NATS again');
      }
      if (status.type === 'error') lastError = status.error;
    }
  };

  const connectForEver = async (): Promise<Session> => {
    for (let failures = 0; !stop.signal.aborted; failures++) {
      try {
        return await connectOnce();
      } catch (error) {
        lastError = error;
        if (failures === 0 || failures % 10 === 9) log.warn({ server: address, reason: messageOf(error) }, 'NATS cannot be reached; it is tried again');
        await pause(pauseAfter(failures, RECONNECT), stop.signal);
      }
    }
    throw new Refusal('The broker was stopped');
  };

  const session = () => {
    if (!current) {
      const mine = connectForEver();
      current = mine;
      mine.catch(() => {
        if (current === mine) current = undefined;
      });
    }
    return current;
  };

  const patiently = async <T>(what: string, work: (on: Session) => Promise<T>): Promise<T> => {
    const until = performance.now() + patience_ms;
    for (let failures = 0; ; failures++) {
      try {
        const on = await within(session(), until - performance.now());
        return await within(work(on), until - performance.now());
      } catch (error) {
        if (isFinal(error)) throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
        const left = until - performance.now();
        if (left <= 0 || stop.signal.aborted) throw new Error(reasonOf(what, error), { cause: error });
        await pause(Math.min(pauseAfter(failures, TRY_AGAIN), left), stop.signal);
      }
    }
  };

  const reasonOf = (what: string, error: unknown) => {
    const inner = error instanceof OutOfTime && lastError ? lastError : error;
    const hint = 'See that the server runs, with JetStream, and that the address and the credentials are right';
    return `${what}: NATS at ${address} did not take it within ${patience_ms / 1000} s (${messageOf(inner)}). ${hint}`;
  };

  return {
    address,
    session,
    patiently,
    stopping: stop.signal,
    close: async () => {
      stop.abort();
      const nc = open;
      if (!nc || nc.isClosed()) return;
      // What was said last (acknowledgements) is to reach the server, if there is one.
      await Promise.race([nc.flush().catch(() => undefined), pause(CLOSE_WITHIN_MS)]);
      await nc.close();
    },
  };
}

class OutOfTime extends Error {
  override name = 'OutOfTime';
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => (timer = setTimeout(() => reject(new OutOfTime('no answer')), Math.max(0, ms))));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function serversOf(url: string): string[] {
  const servers = url.split(',').map((server) => server.trim());
  for (const server of servers) {
    const parsed = URL.canParse(server) ? new URL(server) : undefined;
    if (!parsed || !['nats:', 'tls:'].includes(parsed.protocol))
      throw new Error('The address of NATS must be nats://HOST:PORT or tls://HOST:PORT, several separated by commas');
    if (parsed.username || parsed.password)
      throw new Error(
        'The address of NATS must not hold a user or password: give them as TIDEMILL_NATS_USER and TIDEMILL_NATS_PASSWORD, or TIDEMILL_NATS_TOKEN',
      );
  }
  return servers;
}

/** Why a server of this version is not used; undefined: it is. */
export function refusalOf(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/, 3).map(Number);
  if (major < 2 || (major === 2 && minor < 10)) return `NATS ${version || 'of an unknown version'} is too old: tidemill needs 2.10 or later`;
  if (major === 2 && minor === 10 && patch >= 20 && patch <= 22) return `NATS ${version} loses streams: take 2.10.23 or later`;
  return undefined;
}
