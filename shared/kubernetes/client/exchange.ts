// One request on the wire, and what came back; nothing is tried twice here.
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { KubeError } from './error.ts';
import type { Sockets } from './sockets.ts';

export interface Call {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

const MAX_ANSWER = 128 * 1024 * 1024;
const TOO_LARGE = `the answer has more than ${MAX_ANSWER} bytes: ask for less of it`;
/** For the address, the connection and TLS. */
const CONNECT_MS = 10_000;

/** A whole answer. */
export interface Answer {
  status: number;
  /** The header Retry-After. */
  retryAfter: string | undefined;
  text: string;
}

/** The answer to the beginning of a stream, when its head is there. Throws as `ask` does. */
export function open(sockets: Sockets, call: Call): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let sent = false;
    const fail = (error: Error) => {
      if (call.signal?.aborted) reject(call.signal.reason as Error);
      else if (error instanceof KubeError) reject(error);
      else reject(lost(sockets, call, sent, error));
    };
    const request = sockets.request({ ...optionsOf(sockets, call), agent: sockets.streams, ...(call.signal && { signal: call.signal }) });
    request.on('error', fail).on('response', resolve);
    onceConnected(request, sockets.secure, () => (sent = true));
    request.end(call.body);
  });
}

/**
 * The whole answer, whatever its status. Throws KubeError: Unreachable where nothing was sent, NoAnswer where it was, Timeout; the signal's reason when
 * that fired. By events and one timer: a signal of its own for each request, and reading by iterator, cost as much as all the rest.
 */
export function ask(sockets: Sockets, call: Call, timeout_ms: number): Promise<Answer> {
  const { signal } = call;
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    let sent = false;
    let response: IncomingMessage | undefined;
    const request = sockets.request({ ...optionsOf(sockets, call), agent: sockets.requests });
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    /** Whatever comes after the first of these changes nothing. */
    const fail = (error: Error) => {
      over();
      const status = response?.statusCode ?? 0;
      if (signal?.aborted) reject(signal.reason as Error);
      // Refused is refused, though its reason was not heard to the end.
      else if (response && !isSuccess(status)) resolve(answerOf(response, `the answer broke off: ${error.message}`));
      else reject(error instanceof KubeError ? error : lost(sockets, call, sent, error));
      request.destroy();
    };
    const late = () => fail(new KubeError({ status: 0, reason: 'Timeout', message: `${whatOf(call)}: no answer within ${timeout_ms} ms`, uncertain: true }));
    const abort = () => fail(signal!.reason as Error);
    const timer = setTimeout(late, Math.max(0, timeout_ms));
    signal?.addEventListener('abort', abort, { once: true });
    request.on('error', fail).on('response', (head: IncomingMessage) => {
      response = head;
      const chunks: Buffer[] = [];
      let size = 0;
      head
        .on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER) fail(new Error(TOO_LARGE));
          else chunks.push(chunk);
        })
        .on('end', () => {
          over();
          resolve(answerOf(head, (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString()));
        })
        .on('error', fail)
        .on('close', () => head.complete || fail(new Error('aborted')));
    });
    onceConnected(request, sockets.secure, () => (sent = true));
    request.end(call.body);
  });
}

export const isSuccess = (status: number): boolean => status >= 200 && status < 300;
export const whatOf = ({ method, path }: Call): string => `${method} ${path.replace(/\?.*/, '')}`;

function answerOf({ statusCode = 0, headers }: IncomingMessage, text: string): Answer {
  return { status: statusCode, retryAfter: headers['retry-after'], text };
}

function optionsOf({ address, below }: Sockets, { method, path, headers, body }: Call): RequestOptions {
  return { ...address, path: below + path, method, headers: body === undefined ? headers : { ...headers, 'content-length': Buffer.byteLength(body) } };
}

/** Tells when the connection stands, and gives it up when that takes too long. */
function onceConnected(request: ClientRequest, secure: boolean, connected: () => void): void {
  request.once('socket', (socket) => {
    if (request.reusedSocket || !socket.connecting) return connected();
    const timer = setTimeout(() => request.destroy(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    const done = () => clearTimeout(timer);
    socket
      .once(secure ? 'secureConnect' : 'connect', () => {
        done();
        connected();
      })
      .once('close', done);
  });
}

function lost({ base }: Sockets, call: Call, sent: boolean, error: Error): KubeError {
  const why = error.message || (error as NodeJS.ErrnoException).code || 'the connection ended';
  const what = whatOf(call);
  if (!sent)
    return new KubeError({
      status: 0,
      reason: 'Unreachable',
      message: `${what}: the API server at ${base.host} cannot be reached: ${why}`,
      uncertain: false,
      cause: error,
    });
  return new KubeError({
    status: 0,
    reason: 'NoAnswer',
    message: `${what}: no answer from the API server at ${base.host}: ${why}`,
    uncertain: true,
    cause: error,
  });
}

/** The whole body as text. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error(TOO_LARGE);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
