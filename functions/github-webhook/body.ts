// Reads a request's raw body within bounds: its own size, all bodies in flight together, and the time it may take.
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import type { RawBody } from './inbox/frame.ts';

export interface BodyLimits {
  /** Of one body. GitHub sends at most 25 MB: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap */
  body_bytes: number;
  /** Of all bodies that are held at once. */
  inFlight_bytes: number;
  /** From the first to the last byte of one body. */
  body_ms: number;
}

export type BodyFailure = 'too-large' | 'busy' | 'too-slow' | 'gone';

/** The memory that bodies in flight take, counted as it really comes in. */
export interface Budget {
  used_bytes: number;
}

/**
 * Calls `done` once: with the body, whose bytes stay counted in `budget` until the caller takes them off,
 * or with why there is none, and then they are taken off already and the rest of the request is still unread.
 */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  budget: Budget,
  onChunk: (chunk: Uint8Array) => void,
  done: (result: RawBody | BodyFailure) => void,
): void {
  const body: RawBody = { chunks: [], bytes: 0, crc: 0 };
  let open = true;
  const timer = setTimeout(() => fail('too-slow'), limits.body_ms);

  const finish = (result: RawBody | BodyFailure): void => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    done(result);
  };
  const fail = (failure: BodyFailure): void => {
    if (!open) return;
    budget.used_bytes -= body.bytes;
    request.pause();
    finish(failure);
  };

  request.on('data', (chunk: Buffer) => {
    if (!open) return;
    if (body.bytes + chunk.length > limits.body_bytes) return fail('too-large');
    if (budget.used_bytes + chunk.length > limits.inFlight_bytes) return fail('busy');
    budget.used_bytes += chunk.length;
    body.bytes += chunk.length;
    body.crc = crc32(chunk, body.crc);
    body.chunks.push(chunk);
    onChunk(chunk);
  });
  request.on('end', () => finish(body));
  request.on('error', () => fail('gone'));
  request.on('close', () => fail('gone'));
}
