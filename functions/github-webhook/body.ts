// Reads requests' raw bodies within bounds: the size of each, the memory of all in flight together, and the time one may take.
import type { IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';
import { createDeadlines } from './deadlines.ts';
import type { RawBody } from './inbox/frame.ts';

export interface BodyLimits {
  /** Of one body. GitHub sends at most 25 MB: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap */
  body_bytes: number;
  /** Memory of all bodies that are held at once. */
  inFlight_bytes: number;
  /** From the first to the last byte of one body. */
  body_ms: number;
}

export type BodyFailure = 'too-large' | 'busy' | 'too-slow' | 'gone';

/** A whole body; its memory counts as taken until it is released. */
export interface HeldBody extends RawBody {
  held_bytes: number;
}

export interface BodyReader {
  /**
   * `onPiece` gets the bytes as they come; `done` is called once: with the body, which is then to be released,
   * or with why there is none, and then the rest of the request is unread.
   */
  read(request: IncomingMessage, onPiece: (piece: Uint8Array) => void, done: (result: HeldBody | BodyFailure) => void): void;
  release(body: HeldBody): void;
  /** There is room for so much more. */
  hasRoom(bytes: number): boolean;
}

/** Pieces smaller than this are copied together: one byte in a piece of its own takes hundreds. */
const SMALL_BYTES = 4096;
const BLOCK_BYTES = 16_384;

export function createBodyReader(limits: BodyLimits): BodyReader {
  const deadlines = createDeadlines(limits.body_ms);
  let used = 0;
  return {
    hasRoom: (bytes) => used + bytes <= limits.inFlight_bytes,
    release: (body) => {
      used -= body.held_bytes;
    },
    read: (request, onPiece, done) => {
      const body: HeldBody = { chunks: [], bytes: 0, crc: 0, held_bytes: 0 };
      let open = true;
      let block: Buffer | undefined;
      let filled = 0;

      const finish = (result: HeldBody | BodyFailure): void => {
        open = false;
        deadlines.delete(tooSlow);
        done(result);
      };
      const fail = (failure: BodyFailure): void => {
        if (!open) return;
        used -= body.held_bytes;
        request.pause();
        finish(failure);
      };
      const tooSlow = (): void => fail('too-slow');
      deadlines.add(tooSlow);

      const hold = (bytes: number): void => {
        body.held_bytes += bytes;
        used += bytes;
      };
      const keep = (piece: Uint8Array): void => {
        body.crc = crc32(piece, body.crc);
        body.chunks.push(piece);
        onPiece(piece);
      };
      const closeBlock = (): void => {
        if (block && filled > 0) keep(block.subarray(0, filled));
        block = undefined;
        filled = 0;
      };
      const copy = (chunk: Buffer): void => {
        if (block && filled + chunk.length > block.length) closeBlock();
        if (!block) {
          block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
          hold(BLOCK_BYTES);
        }
        filled += chunk.copy(block, filled);
      };

      request.on('data', (chunk: Buffer) => {
        if (!open) return;
        body.bytes += chunk.length;
        if (body.bytes > limits.body_bytes) return fail('too-large');
        if (used + Math.max(chunk.length, block ? 0 : BLOCK_BYTES) > limits.inFlight_bytes) return fail('busy');
        if (chunk.length < SMALL_BYTES) return copy(chunk);
        closeBlock();
        hold(chunk.length);
        keep(chunk);
      });
      request.on('end', () => {
        if (!open) return;
        closeBlock();
        finish(body);
      });
      request.on('error', () => fail('gone'));
      request.on('close', () => fail('gone'));
    },
  };
}
