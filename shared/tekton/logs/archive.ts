// Logs of TaskRuns in Storage: written while they run, as the kubelet keeps little and nothing once a pod is gone, and read from there.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine, Runner } from '../../ports/runner.ts';
import type { Ref } from '../../ports/objects.ts';
import { AlreadyStored, type Storage } from '../../ports/storage.ts';
import { chunksAfter, endKey, firstSeq, readChunk } from './chunks.ts';
import type { LogPosition, SourceLine } from './follow.ts';
import { openWriter } from './writer.ts';

export interface LogArchiveOptions {
  storage: Storage;
  /** Bytes that one TaskRun's log may have; then it says so and ends. Default 64 MiB. */
  limit?: number;
  log?: { warn(fields: object, message: string): void };
}

export interface LogArchive {
  /**
   * Keeps the lines that `open` gives, and when there are no more, that this is the end. Called again after whatever happened it goes on behind the
   * last line that is kept: `open` is told which that is. Throws what `open` threw, and the signal's reason.
   */
  record(ref: Ref, open: (after: LogPosition | undefined) => AsyncIterable<SourceLine>, signal: AbortSignal): Promise<void>;
  /** Whether it is known that nothing more comes. */
  isWhole(ref: Ref): Promise<boolean>;
  /** Lines in order. With `follow` until its end is known, or `mayGrow` says that nothing more will come. */
  read(ref: Ref, options: NonNullable<Parameters<Runner['logs']>[1]>, mayGrow: () => Promise<boolean>): AsyncIterable<LogLine>;
}

export const LOG_LIMIT = 64 * 1024 * 1024;

/** Between looks for a new chunk. Milliseconds. */
const POLL_MS = 300;
/** Looks between two questions whether there may be more at all. */
const LOOKS = 10;
/** Chunks that are fetched ahead of the one that is told. */
const AHEAD = 8;
/** Times that somebody else may have written in between. */
const ROUNDS = 10;

export function createLogArchive({ storage, limit = LOG_LIMIT, log }: LogArchiveOptions): LogArchive {
  const warn = (fields: object, message: string) => log?.warn(fields, message);
  return {
    async record(ref, open, signal) {
      for (let round = 1; ; round++) {
        const writer = await openWriter(ref, { storage, limit, warn, signal });
        if (!writer) return;
        try {
          for await (const line of open(writer.after)) if (!(await writer.append(line))) break;
          return await writer.end();
        } catch (error) {
          if (!(error instanceof AlreadyStored) || round >= ROUNDS) {
            await writer.leave();
            throw error;
          }
        }
      }
    },
    isWhole: async (ref) => (await storage.stat(endKey(ref))) !== undefined,
    read: (ref, options, mayGrow) => readLines(storage, ref, options, mayGrow),
  };
}

async function* readLines(
  storage: Storage,
  ref: Ref,
  { after = 0, step, follow, signal }: NonNullable<Parameters<Runner['logs']>[1]>,
  mayGrow: () => Promise<boolean>,
): AsyncGenerator<LogLine> {
  let key: string | undefined;
  let last = after;
  for (let looks = 0; ; looks++) {
    // Asked before looking: what was written up to then is seen.
    const goesOn = follow === true && (looks % LOOKS !== 0 || (await mayGrow()));
    const { keys, ended } = await chunksAfter(storage, ref, key);
    key = keys.at(-1) ?? key;
    for await (const chunk of ahead(storage, fromSeq(keys, last + 1))) {
      for (const line of chunk) {
        if (signal?.aborted) return;
        if (line.seq <= last) continue;
        last = line.seq;
        if (step === undefined || line.step === step) yield line;
      }
    }
    if (ended || !goesOn || signal?.aborted) return;
    await sleep(POLL_MS, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      if (!signal?.aborted) throw error;
    });
    if (signal?.aborted) return;
  }
}

/** Without the chunks that end before this line. */
function fromSeq(keys: readonly string[], seq: number): readonly string[] {
  const next = keys.findIndex((key) => firstSeq(key)! > seq);
  return keys.slice(Math.max(0, (next < 0 ? keys.length : next) - 1));
}

async function* ahead(storage: Storage, keys: readonly string[]): AsyncGenerator<LogLine[]> {
  const pending: ReturnType<typeof readChunk>[] = [];
  let next = 0;
  while (next < keys.length || pending.length) {
    while (pending.length < AHEAD && next < keys.length) {
      const chunk = readChunk(storage, keys[next++]!);
      chunk.catch(() => undefined); // thrown when it is its turn
      pending.push(chunk);
    }
    yield (await pending.shift())?.lines ?? [];
  }
}
