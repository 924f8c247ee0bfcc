// How everyone in tidemill talks to the API server: plain requests over kept-alive connections, with the credentials of a kubeconfig or of the pod.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connect, Connection } from './connection.ts';
import { answerError, KubeError } from './error.ts';
import { ask, type Call, isSuccess, open, readText, whatOf } from './exchange.ts';
import { lines } from './lines.ts';
import { waitBeforeRetry } from './retry.ts';
import { createSockets, type Sockets } from './sockets.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
export type Query = Record<string, string | number | boolean | undefined>;

export interface RequestOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Default application/json; a patch must say which it is (PATCH below). */
  contentType?: string;
  /** Default application/json. */
  accept?: string;
  query?: Query;
  signal?: AbortSignal | undefined;
  /** For one try, from its start to the end of the answer. Default 30 s. */
  timeout_ms?: number;
}

export interface StreamOptions {
  query?: Query;
  signal?: AbortSignal | undefined;
  /** Throws KubeError "Stalled" when nothing comes for so long. Absent: waits for ever. */
  idle_ms?: number;
}

export interface KubeClient {
  /**
   * The answer's JSON. Throws KubeError for every other answer, and for none.
   * Tried again, for a few seconds, where that is safe: a GET whatever failed; anything that never left this process, or was answered 429 (Retry-After is kept).
   * A write whose answer was lost is the caller's to look after (`uncertain`).
   */
  request<T = unknown>(method: Method, path: string, options?: RequestOptions): Promise<T>;
  /** The answer's lines, as they come: watches and logs. Never tried again once a line was told. Ends when the server ends it; throws the signal's reason. */
  stream(path: string, options?: StreamOptions): AsyncGenerator<string, void, undefined>;
  /** The answer's text, tried again as request is: what is not JSON, such as a finished log or /readyz. */
  text(path: string, options?: Omit<RequestOptions, 'body' | 'contentType'>): Promise<string>;
  /** Of the kubeconfig's context or of the pod. */
  namespace(): Promise<string>;
  /** Ends every connection. */
  close(): void;
}

export const PATCH = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

const TIMEOUT_MS = 30_000;
const USER_AGENT = 'tidemill';

interface Link {
  connection: Connection;
  sockets: Sockets;
}

export function createKubeClient({ connect, userAgent = USER_AGENT }: { connect: Connect; userAgent?: string }): KubeClient {
  let linked: Promise<Link> | undefined;
  const link = () => {
    linked ??= connect()
      .then((connection) => ({ connection, sockets: createSockets(connection) }))
      .catch((error: unknown) => {
        linked = undefined;
        throw error;
      });
    return linked;
  };

  const identify = async (renew: boolean) => {
    const { connection, sockets } = await link();
    return { sockets, identity: await connection.headers(renew) };
  };

  const prepared = async (call: Call, renew: boolean): Promise<{ sockets: Sockets; call: Call }> => {
    const { sockets, identity } = await identify(renew).catch((error: unknown) => {
      const message = `${whatOf(call)}: there is no way to the API server: ${(error as Error).message}`;
      throw new KubeError({ status: 0, reason: 'NoCredentials', message, uncertain: false, cause: error });
    });
    return { sockets, call: { ...call, headers: { ...call.headers, ...identity } } };
  };

  /** The text of an answer of 2xx. A 401 is asked again once with credentials read anew: it was refused before anything was done. */
  const exchange = async (call: Call, timeout_ms: number): Promise<string> => {
    const until = performance.now() + timeout_ms;
    for (let renew = false; ; renew = true) {
      const ready = await prepared(call, renew);
      const { status, retryAfter, text } = await ask(ready.sockets, ready.call, renew ? until - performance.now() : timeout_ms).catch((error: unknown) => {
        if (error instanceof KubeError || call.signal?.aborted) throw error;
        throw new KubeError({ status: 0, reason: 'NoAnswer', message: `${whatOf(call)}: ${(error as Error).message}`, uncertain: true, cause: error });
      });
      if (isSuccess(status)) return text;
      if (status !== 401 || renew) throw answerError(whatOf(call), status, retryAfter, text);
    }
  };

  const answer = async (call: Call, renew = false): Promise<Awaited<ReturnType<typeof open>>> => {
    const ready = await prepared(call, renew);
    const response = await open(ready.sockets, ready.call);
    const status = response.statusCode ?? 0;
    if (isSuccess(status)) return response;
    const body = await readText(response).catch((error: unknown) => `the answer broke off: ${(error as Error).message}`);
    if (status === 401 && !renew) return answer(call, true);
    throw answerError(whatOf(call), status, response.headers['retry-after'], body);
  };

  /** The head of a stream has to come in time; what follows it may take as long as it likes. */
  const begin = async (call: Call) => {
    const late = new AbortController();
    const signal = call.signal ? AbortSignal.any([call.signal, late.signal]) : late.signal;
    const message = `${whatOf(call)}: no answer within ${TIMEOUT_MS} ms`;
    const timer = setTimeout(() => late.abort(new KubeError({ status: 0, reason: 'Timeout', message, uncertain: false })), TIMEOUT_MS);
    try {
      return await answer({ ...call, signal });
    } finally {
      clearTimeout(timer);
    }
  };

  const callOf = (method: Method, path: string, options: RequestOptions): Call => ({
    method,
    path: withQuery(path, options.query),
    headers: {
      accept: options.accept ?? 'application/json',
      'user-agent': userAgent,
      ...(options.body !== undefined && { 'content-type': options.contentType ?? 'application/json' }),
    },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    signal: options.signal,
  });

  const retried = async (call: Call, timeout_ms: number = TIMEOUT_MS): Promise<string> => {
    const start = performance.now();
    for (let tries = 1; ; tries++) {
      try {
        return await exchange(call, timeout_ms);
      } catch (error) {
        const wait = error instanceof KubeError ? waitBeforeRetry(call.method, error, tries, performance.now() - start) : undefined;
        if (wait === undefined) throw error;
        await sleep(wait, undefined, call.signal ? { signal: call.signal } : {});
      }
    }
  };

  return {
    request: async <T>(method: Method, path: string, options: RequestOptions = {}) => {
      const call = callOf(method, path, options);
      return parseJson<T>(call, await retried(call, options.timeout_ms));
    },
    text: async (path, options = {}) => {
      return retried(callOf('GET', path, { accept: '*/*', ...options }), options.timeout_ms);
    },
    async *stream(path, options = {}) {
      const call = callOf('GET', path, { accept: '*/*', ...options });
      const response = await begin(call);
      try {
        yield* lines(response, whatOf(call), options.idle_ms);
      } catch (error) {
        options.signal?.throwIfAborted();
        throw error;
      }
    },
    namespace: async () => (await link()).connection.namespace,
    close: () => {
      const closing = linked;
      linked = undefined;
      void closing?.then(
        ({ sockets }) => sockets.close(),
        () => undefined,
      );
    },
  };
}

function withQuery(path: string, query: Query | undefined): string {
  const entries = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return path;
  return `${path}?${entries.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`).join('&')}`;
}

function parseJson<T>(call: Call, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    const message = `${whatOf(call)}: the answer is no JSON; is it the API server that answers at this address?`;
    throw new KubeError({ status: 0, reason: 'BadAnswer', message, uncertain: true, cause: error });
  }
}
