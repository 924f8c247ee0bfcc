// The writing end of the inbox: one write and one sync for all records that wait, the next batch collecting meanwhile.
import type { FileHandle } from 'node:fs/promises';
import { unlink } from 'node:fs/promises';
import { createSegment, type Segment, writeAll } from './segments.ts';

export interface Appender {
  /** Resolves when the bytes are on disk. Rejects when they may not be: then nothing may be promised of them. */
  append(parts: readonly Uint8Array[], bytes: number): Promise<void>;
  /** Lets what waits finish and closes the segment. */
  close(): Promise<void>;
}

interface OpenSegment {
  segment: Segment;
  file: FileHandle;
}

interface Batch {
  parts: Uint8Array[];
  bytes: number;
  done: PromiseWithResolvers<void>;
}

export interface AppenderOptions {
  directory: string;
  /** Number of the first segment to make; above all that ever were. */
  firstNumber: number;
  segment_bytes: number;
  onSegment: (segment: Segment) => void;
  /** Bytes became durable at the end of this segment. */
  onDurable: (bytes: number) => void;
}

/** So much is written at once, unless one record alone is larger. */
const BATCH_BYTES = 8 * 1024 * 1024;

export function createAppender(options: AppenderOptions): Appender {
  const waiting: Batch[] = [];
  let current: OpenSegment | undefined;
  /** Made ahead, since making its name durable takes longer than most commits. */
  let next: Promise<OpenSegment> | undefined;
  let nextNumber = options.firstNumber;
  let running: Promise<void> | undefined;

  const prepare = (): Promise<OpenSegment> => createSegment(options.directory, nextNumber++);

  const roll = async (): Promise<OpenSegment> => {
    await seal();
    const prepared = next ?? prepare();
    next = undefined;
    current = await prepared;
    options.onSegment(current.segment);
    return current;
  };

  const seal = async (): Promise<void> => {
    const sealed = current;
    current = undefined;
    if (!sealed) return;
    await sealed.file.close();
    sealed.segment.sealed = true;
  };

  const commit = async (batch: Batch): Promise<void> => {
    const { segment, file } = current && current.segment.length < options.segment_bytes ? current : await roll();
    try {
      await writeAll(file, batch.parts, segment.length);
      await file.datasync();
    } catch (error) {
      await giveUp(segment, file);
      throw error;
    }
    segment.length += batch.bytes;
    options.onDurable(batch.bytes);
    if (!next && segment.length > options.segment_bytes / 2) {
      next = prepare();
      // Whoever takes it hears of the failure; until then it is nobody's.
      next.catch(() => undefined);
    }
  };

  /** After a failed write or sync nobody knows what the file's tail holds: it is cut off and another segment begun. */
  const giveUp = async (segment: Segment, file: FileHandle): Promise<void> => {
    current = undefined;
    // Best effort: the space is wanted back, and a tail that stays is one that the reader ends at.
    await file.truncate(segment.length).catch(() => undefined);
    await file.close().catch(() => undefined);
    if (segment.length === 0) await unlink(segment.path).catch(() => undefined);
    segment.sealed = true;
  };

  const run = async (): Promise<void> => {
    // What arrived in the same turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    for (let batch = waiting.shift(); batch; batch = waiting.shift()) await commit(batch).then(batch.done.resolve, batch.done.reject);
    running = undefined;
  };

  return {
    append: (parts, bytes) => {
      let batch = waiting.at(-1);
      if (!batch || batch.bytes >= BATCH_BYTES) {
        batch = { parts: [], bytes: 0, done: Promise.withResolvers() };
        waiting.push(batch);
      }
      for (const part of parts) batch.parts.push(part);
      batch.bytes += bytes;
      running ??= run();
      return batch.done.promise;
    },
    close: async () => {
      await running;
      await seal();
      const unused = await next?.catch(() => undefined);
      await unused?.file.close();
      if (unused) await unlink(unused.segment.path);
    },
  };
}
