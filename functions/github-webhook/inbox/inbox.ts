// The inbox: what GitHub sent, durable before it is answered, and handed on from the file in order.
// At least once: what was in hand at a kill is handed on again.
import { join } from 'node:path';
import { unlink } from 'node:fs/promises';
import type { Log } from '../../../shared/host/contract.ts';
import { createAppender } from './appender.ts';
import { openCursor, type Position } from './cursor.ts';
import { createDrain, type Drain } from './drain.ts';
import { frameHead, type RawBody, type RecordHead } from './frame.ts';
import type { InboxRecord } from './reader.ts';
import { findSegments, type Segment } from './segments.ts';

export interface Inbox {
  /** Resolves when the record is on disk. Throws InboxUnavailable: it may not be, and the sender has to send again. */
  append(head: RecordHead, body: RawBody): Promise<void>;
  /** Begins to hand records on, with those left from before. Called once. A throw of the handler: the same again later. */
  drain(handle: (records: readonly InboxRecord[]) => Promise<void>): void;
  /** Resolves when all that was appended so far is handled. */
  caughtUp(): Promise<void>;
  status(): InboxStatus;
  /** Takes nothing more, syncs what waits, ends after the records in hand. */
  close(): Promise<void>;
}

export interface InboxStatus {
  /** Kept and not yet handled. */
  backlog_bytes: number;
  /** Why handling does not get on, while it does not. */
  trouble?: string;
}

/** Nothing can be kept now: the disk is full, or so much waits already that no more is taken. */
export class InboxUnavailable extends Error {
  override name = 'InboxUnavailable';
}

export interface InboxOptions {
  directory: string;
  log: Log;
  /** A segment is closed at this size. Default 64 MiB. */
  segment_bytes?: number;
  /** At most so much is kept unhandled; beyond, append throws. Default 4 GiB. */
  backlog_bytes?: number;
}

/** So long after the last append, accepting no longer counts as busy. */
const BUSY_MS = 10;

export async function openInbox(options: InboxOptions): Promise<Inbox> {
  const { directory, log, segment_bytes = 64 * 1024 * 1024, backlog_bytes: limit = 4 * 1024 ** 3 } = options;
  const segments = await findSegments(directory);
  const cursor = await openCursor(join(directory, 'cursor'));
  await dropHandled(segments, cursor.start);
  let backlog = segments.reduce((sum, segment) => sum + segment.length, 0) - handledOf(segments[0], cursor.start);
  let lastAppend = -Infinity;
  let drain: Drain | undefined;
  let closed = false;

  const appender = createAppender({
    directory,
    firstNumber: 1 + Math.max(segments.at(-1)?.number ?? 0, cursor.start?.segment ?? 0),
    segment_bytes,
    onSegment: (segment) => segments.push(segment),
    onDurable: (bytes) => {
      backlog += bytes;
      drain?.wake();
    },
  });

  return {
    append: async (head, body) => {
      if (closed) throw new InboxUnavailable('The server is stopping; send it again');
      const frame = frameHead(head, body);
      const bytes = frame.length + body.bytes;
      if (backlog + bytes > limit)
        throw new InboxUnavailable(`${backlog} bytes of webhooks wait to be handled and no more are taken; see what holds them up, then redeliver`);
      lastAppend = performance.now();
      try {
        await appender.append([frame, ...body.chunks], bytes);
      } catch (error) {
        throw new InboxUnavailable(`The webhook could not be written to disk (${(error as Error).message}); make room, then redeliver`, { cause: error });
      }
    },
    drain: (handle) => {
      if (drain) throw new Error('The inbox is drained already; it has one handler');
      const busy = (): boolean => performance.now() - lastAppend < BUSY_MS;
      drain = createDrain({ segments, cursor, handle, busy, fullness: () => backlog / limit, onHandled: (bytes) => (backlog -= bytes), log });
    },
    caughtUp: async () => drain?.caughtUp(),
    status: () => {
      const trouble = drain?.trouble();
      return { backlog_bytes: backlog, ...(trouble ? { trouble } : {}) };
    },
    close: async () => {
      closed = true;
      await appender.close();
      await drain?.stop();
      await cursor.close();
    },
  };
}

/** Segments before the cursor were handled; a kill came before they were deleted. Empty ones hold nothing. */
async function dropHandled(segments: Segment[], start: Position | undefined): Promise<void> {
  for (let first = segments[0]; first && first.number < (start?.segment ?? 0); first = segments[0]) {
    await unlink(first.path);
    segments.shift();
  }
}

function handledOf(first: Segment | undefined, start: Position | undefined): number {
  return first && first.number === start?.segment ? Math.min(first.length, start.offset) : 0;
}
