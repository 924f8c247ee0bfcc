// Writes the lines of one TaskRun to Storage in chunks, soon after they came, going on where an earlier writer stopped.
// The number of a chunk's first line is its key, and a key is written once: of two writers one loses, and starts again behind the other.
import { setTimeout as sleep } from 'node:timers/promises';
import { type LogLine, RUNNER_STEP } from '../../ports/runner.ts';
import type { Ref } from '../../ports/objects.ts';
import { AlreadyStored, type Storage } from '../../ports/storage.ts';
import { type Chunk, type ChunkHead, chunkKey, chunksAfter, encodeChunk, endKey, readChunk } from './chunks.ts';
import type { LogPosition, SourceLine } from './follow.ts';

/** A chunk is written when it has so many bytes. */
const CHUNK_BYTES = 262_144;
/** Or so long after its first line; sooner for the first few, which somebody may be watching. Milliseconds. */
const CHUNK_MS = 1000;
const FIRST_CHUNK_MS = 250;
const FIRST_CHUNKS = 12;
/** Between two tries at a Storage that fails. Milliseconds. */
const RETRY_MS = [200, 500, 1000, 2000, 5000] as const;

export interface WriterOptions {
  storage: Storage;
  /** Bytes that one TaskRun's log may have. */
  limit: number;
  warn: (fields: object, message: string) => void;
  signal: AbortSignal;
}

export interface LogWriter {
  /** Where to go on reading. */
  after: LogPosition | undefined;
  /** Waits while much is waiting to be written. False: no more is kept. Throws AlreadyStored when somebody else writes here. */
  append(line: SourceLine): Promise<boolean>;
  /** Writes what waits, and the end marker. */
  end(): Promise<void>;
  /** Writes what waits, as far as that works at once. */
  leave(): Promise<void>;
}

/** Undefined: this log has its end already. */
export async function openWriter(ref: Ref, options: WriterOptions): Promise<LogWriter | undefined> {
  const { storage, limit } = options;
  const { keys, ended } = await chunksAfter(storage, ref, undefined);
  if (ended) return undefined;
  const last = await lastChunks(storage, keys);
  let seq = last.at(-1)?.lines.at(-1)?.seq ?? 0;
  let written = last.length ? last.at(-1)!.head.before + last.at(-1)!.bytes : 0;
  let chunks = keys.length;
  let head: ChunkHead = { before: written };
  let waiting: string[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let failure: Error | undefined;
  let full = last.at(-1)?.lines.at(-1)?.text === cutNote(limit);

  const put = async (key: string, body: Buffer) => {
    for (let tries = 0; ; tries++) {
      try {
        await storage.put(key, body, { ifAbsent: true });
        return;
      } catch (error) {
        if (error instanceof AlreadyStored || options.signal.aborted) throw error;
        options.warn({ key, error: (error as Error).message }, 'a part of a log could not be stored; trying again');
        await sleep(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)], undefined, { signal: options.signal });
      }
    }
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (!waiting.length) return writing;
    const body = encodeChunk(head, waiting);
    const key = chunkKey(ref, seq - waiting.length + 1);
    written += body.length;
    chunks++;
    waiting = [];
    bytes = 0;
    head = { ...head, before: written };
    writing = writing.then(() => put(key, body)).catch((error: unknown) => void (failure ??= error as Error));
    return writing;
  };
  const add = (line: Omit<LogLine, 'seq'>) => {
    const text = JSON.stringify({ seq: ++seq, ...line } satisfies LogLine);
    waiting.push(text);
    bytes += Buffer.byteLength(text) + 1;
    timer ??= setTimeout(() => void flush(), chunks < FIRST_CHUNKS ? FIRST_CHUNK_MS : CHUNK_MS);
  };
  const check = () => {
    if (failure) throw failure;
  };

  return {
    after: positionOf(last),
    async append({ pod, ...line }) {
      check();
      if (full) return false;
      if (pod !== undefined && pod !== head.pod) {
        void flush();
        head = { before: written, pod };
      }
      add(line);
      if (written + bytes > limit) {
        full = true;
        add({ step: RUNNER_STEP, stream: 'stderr', time: line.time, text: cutNote(limit) });
      }
      if (bytes >= CHUNK_BYTES || full) await flush();
      check();
      return !full;
    },
    async end() {
      await flush();
      check();
      await put(endKey(ref), Buffer.from(`${JSON.stringify({ lines: seq, bytes: written })}\n`)).catch((error: unknown) => {
        if (!(error instanceof AlreadyStored)) throw error; // ended twice is ended
      });
    },
    leave: () => flush(),
  };
}

function cutNote(limit: number): string {
  const mebibytes = limit / (1024 * 1024);
  return `The log was cut here: it has more than ${mebibytes >= 1 ? `${Math.floor(mebibytes)} MiB` : `${limit} bytes`}.`;
}

/** As many from the end as it takes to find the last line of a step, and all that came at the same time. */
async function lastChunks(storage: Storage, keys: readonly string[]): Promise<Chunk[]> {
  const found: Chunk[] = [];
  for (const key of keys.toReversed()) {
    const chunk = await readChunk(storage, key);
    if (chunk) found.unshift(chunk);
    const times = new Set(found.flatMap(({ lines }) => lines.filter((line) => line.step !== RUNNER_STEP).map((line) => line.time)));
    if (times.size > 1) break;
  }
  return found;
}

function positionOf(chunks: readonly Chunk[]): LogPosition | undefined {
  const lines = chunks.flatMap((chunk) => chunk.lines.map((line) => ({ ...line, pod: chunk.head.pod })));
  const last = lines.findLast((line) => line.step !== RUNNER_STEP);
  if (!last?.pod) return undefined;
  const same = lines.filter((line) => line.step === last.step && line.time === last.time && line.pod === last.pod).length;
  const end = lines.at(-1)!;
  return { pod: last.pod, step: last.step, time: last.time, same, ...(end.step === RUNNER_STEP && { note: end.text }) };
}
