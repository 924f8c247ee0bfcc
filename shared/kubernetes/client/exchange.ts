// One request on the wire, and what came back; nothing is tried twice here.
import type { ClientRequest, IncomingMessage } from 'node:http';
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
/** For the address, the connection and TLS. */
const CONNECT_MS = 10_000;

/** The answer when its head is there. Throws KubeError: Unreachable where nothing was sent, NoAnswer where it was; the signal's reason when that fired. */
export function open(sockets: Sockets, call: Call, streaming: boolean): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { base } = sockets;
    let sent = false;
    const fail = (error: Error) => {
      if (call.signal?.aborted) reject(call.signal.reason as Error);
      else if (error instanceof KubeError) reject(error);
      else reject(lost(sockets, call, sent, error));
    };
    const request = sockets.request({
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: base.port,
      path: base.pathname === '/' ? call.path : `${base.pathname.replace(/\/$/, '')}${call.path}`,
      method: call.method,
      headers: call.body === undefined ? call.headers : { ...call.headers, 'content-length': Buffer.byteLength(call.body) },
      agent: streaming ? sockets.streams : sockets.requests,
      ...(call.signal && { signal: call.signal }),
    });
    request.on('error', fail).on('response', resolve);
    onceConnected(request, base.protocol === 'https:', () => (sent = true));
    request.end(call.body);
  });
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

function lost({ base }: Sockets, { method, path }: Call, sent: boolean, error: Error): KubeError {
  const why = error.message || (error as NodeJS.ErrnoException).code || 'the connection ended';
  const what = `${method} ${path.replace(/\?.*/, '')}`;
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
    if (size > MAX_ANSWER) throw new Error(`the answer has more than ${MAX_ANSWER} bytes: ask for less of it`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
