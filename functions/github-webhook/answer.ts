// The answers of the webhook address: JSON that says what happened, why, and what to do.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** So much of a refused body is read and thrown away, so that the sender gets to read the answer. */
const DISCARD_BYTES = 1024 * 1024;
const DISCARD_MS = 2000;

export function answer(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  if (response.destroyed || response.headersSent) return;
  const json = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(json);
}

/**
 * Refuses a request whose body was not read: answers, and closes the connection so that the rest is never taken in.
 * Closing at once would make the sender's system throw the answer away, so a little of what still comes is discarded first.
 */
export function refuse(request: IncomingMessage, response: ServerResponse, status: number, error: string, headers: Record<string, string> = {}): void {
  if (request.complete || isSmall(request)) return answer(response, status, { error }, headers);
  answer(response, status, { error }, { ...headers, Connection: 'close' });
  discard(request);
}

/** For a request that was answered with its body unread: takes in a little of what still comes, then ends the connection. */
export function discard(request: IncomingMessage): void {
  const { socket } = request;
  let discarded = 0;
  const timer = setTimeout(() => socket.destroy(), DISCARD_MS);
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > DISCARD_BYTES) socket.destroy();
  });
  socket.once('close', () => clearTimeout(timer));
  request.resume();
}

/** No body, or so little that Node throws it away by itself and the connection can be kept. */
export function isSmall(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] === undefined && Number(request.headers['content-length'] ?? 0) <= 16_384 && !request.headers.expect;
}
