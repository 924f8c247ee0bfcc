// Hands the inbox's records to a handler, in order, giving way to accepting: while requests come it takes a small share.
import { unlink } from 'node:fs/promises';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { Log } from '../../../shared/host/contract.ts';
import type { Cursor } from './cursor.ts';
import { type InboxRecord, readSlice } from './reader.ts';
import type { Segment } from './segments.ts';

export interface Drain {
  /** There may be something to read. */
  wake(): void;
  /** Resolves when all that was durable at the call is handled. */
  caughtUp(): Promise<void>;
  /** Ends after the records in hand. */
  stop(): Promise<void>;
  /** What keeps the records in hand from being handled, while something does. */
  trouble(): string | undefined;
}

export interface DrainOptions {
  segments: Segment[];
  cursor: Cursor;
  /** Resolves when all of them are taken over for good. A throw: again later, one by one. The bodies are lent until then. */
  handle: (records: readonly InboxRecord[]) => Promise<void>;
  /** Requests were accepted just now. */
  busy: () => boolean;
  /** Kept and not yet handled, as a part (0 to 1) of what may be. */
  fullness: () => number;
  onHandled: (bytes: number) => void;
  log: Log;
}

const SLICE_BYTES = 256 * 1024;
const BUSY_BYTES = 32 * 1024;
const IDLE_RECORDS = 64;
const BUSY_RECORDS = 1;
/** Share of the time that handling takes while requests come; it grows to nearly all as the inbox fills. */
const BUSY_SHARE = 0.05;
const FULL_SHARE = 0.9;
const MAX_PAUSE_MS = 500;
const RETRY_MS = { first: 100, most: 30_000 };

export function createDrain(options: DrainOptions): Drain {
  const { segments, cursor, log } = options;
  const stopping = new AbortController();
  let offset = startOffset(segments, cursor);
  let wakeUp = Promise.withResolvers<void>();
  let failures = 0;
  let trouble: string | undefined;
  const waiters: { segment: number; offset: number; resolve: () => void }[] = [];

  /** Handles one slice. False: there is nothing to read now. */
  const step = async (): Promise<boolean> => {
    const segment = segments[0];
    if (!segment) return false;
    if (offset >= segment.length) {
      if (!segment.sealed) return false;
      await unlink(segment.path).catch(unlessGone);
      segments.shift();
      offset = 0;
      return true;
    }
    const most = failures > 0 ? 1 : options.busy() ? BUSY_RECORDS : IDLE_RECORDS;
    const slice = await readSlice(segment.path, offset, segment.length, { records: most, bytes: most === 1 ? BUSY_BYTES : SLICE_BYTES });
    if (slice.damaged_bytes > 0) reportDamage(log, segment, offset, slice.damaged_bytes, slice.next === segment.length);
    if (slice.records.length > 0) await options.handle(slice.records);
    await cursor.save({ segment: segment.number, offset: slice.next });
    options.onHandled(slice.next - offset);
    offset = slice.next;
    return true;
  };

  const settleWaiters = (): void => {
    const first = segments[0];
    for (const waiter of waiters.splice(0)) {
      const behind = first && (first.number < waiter.segment || (first.number === waiter.segment && offset < waiter.offset));
      if (behind) waiters.push(waiter);
      else waiter.resolve();
    }
  };

  /** Leaves the event loop, the disk and the thread pool to accepting for as long as its share asks. */
  const giveWay = async (took_ms: number): Promise<void> => {
    const share = BUSY_SHARE + (FULL_SHARE - BUSY_SHARE) * Math.min(1, options.fullness());
    const until = performance.now() + Math.min(MAX_PAUSE_MS, (took_ms * (1 - share)) / share);
    while (options.busy() && performance.now() < until && !stopping.signal.aborted) await wait(5);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const asleep = wakeUp.promise;
      const began = performance.now();
      try {
        const more = await step();
        failures = 0;
        trouble = undefined;
        settleWaiters();
        if (!more) {
          await asleep;
          continue;
        }
        await turn();
      } catch (error) {
        failures += 1;
        trouble = `${(error as Error).message}`;
        const after_ms = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
        log.error({ error: trouble, failures, after_ms: Math.round(after_ms) }, 'A kept webhook could not be handled; trying again');
        // Stopping ends the wait at once; the record is handled after the next start.
        await wait(after_ms, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
      await giveWay(performance.now() - began);
    }
  };

  const running = run();
  return {
    wake: () => {
      wakeUp.resolve();
      wakeUp = Promise.withResolvers();
    },
    caughtUp: () => {
      const last = segments.at(-1);
      if (!last) return Promise.resolve();
      return new Promise((resolve) => {
        waiters.push({ segment: last.number, offset: last.length, resolve });
        settleWaiters();
      });
    },
    stop: async () => {
      stopping.abort();
      wakeUp.resolve();
      await running;
    },
    trouble: () => trouble,
  };
}

/** A segment whose first write failed is deleted by the appender. */
function unlessGone(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

function startOffset(segments: readonly Segment[], cursor: Cursor): number {
  const first = segments[0];
  return first && cursor.start?.segment === first.number ? Math.min(cursor.start.offset, first.length) : 0;
}

function reportDamage(log: Log, segment: Segment, offset: number, bytes: number, atEnd: boolean): void {
  const fields = { segment: segment.path, offset, bytes };
  if (atEnd) log.warn(fields, 'The inbox ends in a record that was not written whole; it was never answered 202');
  else log.error(fields, 'The inbox is damaged here; what was kept in these bytes is lost, reading goes on after them');
}
