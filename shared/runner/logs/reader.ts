// Reads a log from its file, from any line on, and waits for more while there may be more.
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { LogLine } from '../../ports/runner.ts';

const CHUNK = 1 << 16;

/** How a reader hears that the file has grown. */
export interface LogWatch {
  version: number;
  waiting: (() => void)[];
  readers: number;
}

interface Options {
  after?: number;
  step?: string;
  follow?: boolean;
  signal?: AbortSignal;
}

/** Lines in order. With `follow`, until `live` says that no more will come and all have been told. */
export async function* readLog(path: string, options: Options, live: () => boolean, watch: LogWatch): AsyncIterable<LogLine> {
  let last = options.after ?? 0;
  for (;;) {
    const version = watch.version;
    const mayGrow = live();
    const file = await openIfThere(path);
    if (file) {
      try {
        let position: Position = { offset: 0, rest: '' };
        for (;;) {
          const seen = watch.version;
          const stillLive = live();
          for await (const line of linesFrom(file, position, (next) => (position = next), last)) {
            last = line.seq;
            if (!options.step || line.step === options.step) yield line;
            if (options.signal?.aborted) return;
          }
          if (!options.follow || !stillLive || options.signal?.aborted) return;
          await change(watch, seen, options.signal);
          if (await replaced(path, file)) break;
        }
      } finally {
        await file.close();
      }
      continue;
    }
    if (!options.follow || !mayGrow || options.signal?.aborted) return;
    await change(watch, version, options.signal);
  }
}

interface Position {
  offset: number;
  rest: string;
}

async function* linesFrom(file: FileHandle, from: Position, moved: (to: Position) => void, after: number): AsyncIterable<LogLine> {
  const buffer = Buffer.alloc(CHUNK);
  let { offset } = from;
  let pending = Buffer.from(from.rest, 'latin1');
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK, offset);
    if (!bytesRead) break;
    offset += bytesRead;
    pending = Buffer.concat([pending, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = pending.indexOf(10); end >= 0; end = pending.indexOf(10, start)) {
      const text = pending.toString('utf8', start, end);
      start = end + 1;
      const seq = Number(/^\{"seq":(\d+),/.exec(text)?.[1] ?? 0);
      if (seq > after) yield JSON.parse(text) as LogLine;
    }
    pending = pending.subarray(start);
  }
  moved({ offset, rest: pending.toString('latin1') });
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}

/** The log was trimmed: another file stands under its name. */
async function replaced(path: string, file: FileHandle): Promise<boolean> {
  const [now, open] = await Promise.all([stat(path).catch(() => undefined), file.stat()]);
  return now?.ino !== open.ino;
}

function change(watch: LogWatch, version: number, signal: AbortSignal | undefined): Promise<void> {
  if (watch.version !== version || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    signal?.addEventListener('abort', wake, { once: true });
    watch.waiting.push(wake);
  });
}
