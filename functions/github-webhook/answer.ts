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
    ...headers,
  });
  response.end(json);
}

/** Refuses a request whose body was not read: answers, and ends the connection unless what comes is next to nothing. */
export function refuse(request: IncomingMessage, response: ServerResponse, status: number, error: string, headers: Record<string, string> = {}): void {
  if (request.complete || isSmall(request)) return answer(response, status, { error }, headers);
  refuseAndClose(request, response, status, error, headers);
}

/** As `refuse`, for a request whose body cannot be read to its end. */
export function refuseAndClose(request: IncomingMessage, response: ServerResponse, status: number, error: string, headers: Record<string, string> = {}): void {
  linger(request);
  answer(response, status, { error }, { ...headers, Connection: 'close' });
}

/**
 * To be called before a request whose body was not read is answered with "Connection: close".
 * Node would destroy the socket with the answer's last byte; what still comes in would then make the sender's system
 * throw the answer away unread. So only our side is closed, and a little of what still comes is discarded first.
 */
export function linger(request: IncomingMessage): void {
  const { socket } = request;
  let discarded = 0;
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > DISCARD_BYTES) socket.destroy();
  });
  request.once('end', () => socket.end());
  socket.destroySoon = () => {
    socket.end();
    request.resume();
    const timer = setTimeout(() => socket.destroy(), DISCARD_MS);
    socket.once('close', () => clearTimeout(timer));
  };
}

/** No body, or so little that Node throws it away by itself and the connection can be kept. */
export function isSmall(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] === undefined && Number(request.headers['content-length'] ?? 0) <= 16_384 && !request.headers.expect;
}
