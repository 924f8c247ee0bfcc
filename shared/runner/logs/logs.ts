// Logs of TaskRuns: a file of JSON lines each, written behind a small buffer, kept to its latest part, and followed while it grows.
import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type LogLine, RUNNER_STEP } from '../../ports/runner.ts';
import type { Ref } from '../../ports/objects.ts';
import { type LogWatch, readLog } from './reader.ts';

/** What waits to be written; past it, whoever writes lines waits. Characters. */
const BUFFER_LIMIT = 1 << 20;

export const LOG_LIMIT = 64 * 1024 * 1024;

export interface LogWriter {
  /** Resolves at once, or when the file has caught up. */
  append(line: Omit<LogLine, 'seq'>): Promise<void> | void;
  /** All that was appended is in the file. Throws what kept it from being written. */
  close(): Promise<void>;
}

export interface LogStore {
  /** Goes on after the last line that is there. One writer at a time for each TaskRun. */
  writer(ref: Ref): Promise<LogWriter>;
  /** `live`: whether more lines may come. */
  read(ref: Ref, options: { after?: number; step?: string; follow?: boolean; signal?: AbortSignal }, live: () => boolean): AsyncIterable<LogLine>;
  /** Wakes those who follow. */
  changed(ref: Ref): void;
}

/** `limit`: bytes that one log may take; the older half goes when it is passed. */
export function createLogStore(directory: string, limit = LOG_LIMIT): LogStore {
  const watches = new Map<string, LogWatch>();
  const pathOf = ({ namespace, name }: Ref) => join(directory, namespace, `${name}.jsonl`);
  const changed = (path: string) => {
    const watch = watches.get(path);
    if (!watch) return;
    watch.version++;
    for (const wake of watch.waiting.splice(0)) wake();
  };
  return {
    writer: async (ref) => {
      const path = pathOf(ref);
      await mkdir(dirname(path), { recursive: true });
      return createWriter(path, limit, () => changed(path));
    },
    async *read(ref, options, live) {
      const path = pathOf(ref);
      const watch = watches.get(path) ?? { version: 0, waiting: [], readers: 0 };
      watches.set(path, watch);
      watch.readers++;
      try {
        yield* readLog(path, options, live, watch);
      } finally {
        if (--watch.readers === 0) watches.delete(path);
      }
    },
    changed: (ref) => changed(pathOf(ref)),
  };
}

async function createWriter(path: string, limit: number, changed: () => void): Promise<LogWriter> {
  let file = await open(path, 'a+', 0o600);
  let { seq, size } = await resume(file);
  let waiting: string[] = [];
  let held = 0;
  let writing: Promise<void> | undefined;
  let failure: Error | undefined;
  const flush = async () => {
    while (waiting.length) {
      const text = waiting.join('');
      waiting = [];
      held = 0;
      await file.appendFile(text);
      size += Buffer.byteLength(text);
      if (size > limit) ({ file, size } = await trim(path, file, size, limit));
      changed();
    }
  };
  const write = () =>
    (writing ??= flush()
      .catch((error: unknown) => {
        failure ??= error as Error; // told by close(): the run itself goes on without its log
        waiting = [];
        held = 0;
      })
      .finally(() => (writing = undefined)));
  return {
    append(line) {
      if (failure) return;
      const text = `${JSON.stringify({ seq: ++seq, ...line })}\n`;
      waiting.push(text);
      held += text.length;
      const done = write();
      return held > BUFFER_LIMIT ? done : undefined;
    },
    async close() {
      while (writing) await writing;
      await file.close();
      if (failure) throw failure;
    },
  };
}

const TAIL = 1 << 19;

/** The last number given out, and the size, with a line that was cut off by a kill removed. */
async function resume(file: FileHandle): Promise<{ seq: number; size: number }> {
  const { size } = await file.stat();
  if (!size) return { seq: 0, size };
  const from = Math.max(0, size - TAIL);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
  const tail = buffer.subarray(0, bytesRead);
  const end = tail.lastIndexOf(10);
  const whole = from + end + 1;
  if (whole < size) await file.truncate(whole);
  const last = tail.subarray(tail.lastIndexOf(10, end - 1) + 1, end).toString('utf8');
  return { seq: Number(/^\{"seq":(\d+),/.exec(last)?.[1] ?? 0), size: whole };
}

/** Keeps the latest half. Readers that have the old file open read it to its end. */
async function trim(path: string, file: FileHandle, size: number, limit: number): Promise<{ file: FileHandle; size: number }> {
  const keep = Math.min(size, Math.floor(limit / 2));
  const { buffer } = await file.read(Buffer.alloc(keep), 0, keep, size - keep);
  const start = buffer.indexOf(10) + 1;
  const kept = buffer.subarray(start);
  const [, first = '1', time = ''] = /^\{"seq":(\d+),.*?"time":"([^"]*)"/.exec(kept.subarray(0, 4096).toString('utf8')) ?? [];
  const text = `The lines before this one are gone: a log is kept to its latest ${Math.floor(limit / 2)} bytes when it grows past ${limit}.`;
  const note: LogLine = { seq: Math.max(1, Number(first) - 1), step: RUNNER_STEP, stream: 'stderr', time, text };
  const head = Buffer.from(`${JSON.stringify(note)}\n`);
  const beside = await open(`${path}.new`, 'w+', 0o600);
  await beside.write(head);
  await beside.write(kept);
  await beside.close();
  await rename(`${path}.new`, path);
  await file.close();
  return { file: await open(path, 'a+', 0o600), size: head.length + kept.length };
}
