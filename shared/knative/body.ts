// The body of a request and the answer to it, each with its bound.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What is too long is read up to here and thrown away, so that the sender hears why; beyond that the connection ends. */
const MOST_THROWN_AWAY = 64 * 1024 ** 2;
const MAX_REASON = 2048;

/** Undefined: it is longer than it may be. Rejects when the sender went away. */
export async function readBody(request: IncomingMessage, most: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length <= most) chunks.push(chunk as Buffer);
    if (length > MOST_THROWN_AWAY) return undefined;
  }
  return length > most ? undefined : Buffer.concat(chunks);
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  /** Why not; becomes the reason of the dead letter when it comes to that. */
  reason?: string;
  attempts?: number;
}

/** A 2xx has no body: some brokers take one for an event in reply. */
export function writeAnswer(response: ServerResponse, { status, headers, reason, attempts }: Answer): void {
  if (response.destroyed || response.headersSent) return;
  if (reason === undefined) {
    response.writeHead(status, { ...headers, 'content-length': '0' }).end();
    return;
  }
  const body = JSON.stringify({ reason: reason.slice(0, MAX_REASON), ...(attempts !== undefined && { attempts }) });
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
}

/** What an answer of this form says; nothing where it has another. */
export function readAnswer(text: string): { reason?: string; attempts?: number } {
  try {
    const { reason, attempts } = JSON.parse(text) as { reason?: unknown; attempts?: unknown };
    return { ...(typeof reason === 'string' && { reason }), ...(Number.isSafeInteger(attempts) && { attempts: attempts as number }) };
  } catch {
    return {};
  }
}
