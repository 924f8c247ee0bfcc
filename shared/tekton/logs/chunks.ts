// How logs lie in Storage: logs/<namespace>/<TaskRun>/<number of its first line>.ndjson for each chunk, and end.json when nothing more comes.
import type { LogLine } from '../../ports/runner.ts';
import type { Ref } from '../../ports/objects.ts';
import type { Storage } from '../../ports/storage.ts';

/** First line of a chunk: what a writer that goes on later has to know. */
export interface ChunkHead {
  /** Bytes of the chunks before this one. */
  before: number;
  /** uid of the pod that its lines come from, if they come from one. */
  pod?: string;
}

export interface Chunk {
  head: ChunkHead;
  lines: LogLine[];
  bytes: number;
}

const END = 'end.json';
const DIGITS = 12;

export function prefixOf({ namespace, name }: Ref): string {
  return `logs/${namespace}/${name}/`;
}

/** `seq`: of its first line. */
export function chunkKey(ref: Ref, seq: number): string {
  return `${prefixOf(ref)}${String(seq).padStart(DIGITS, '0')}.ndjson`;
}

/** Comes after all chunks in byte order. */
export function endKey(ref: Ref): string {
  return prefixOf(ref) + END;
}

/** Undefined for what is no chunk. */
export function firstSeq(key: string): number | undefined {
  const [, digits] = /\/(\d+)\.ndjson$/.exec(key) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Keys of the chunks after this one, in order, and whether the end marker stands behind them. */
export async function chunksAfter(storage: Storage, ref: Ref, after: string | undefined): Promise<{ keys: string[]; ended: boolean }> {
  const keys: string[] = [];
  let ended = false;
  for (let last = after; ;) {
    const page = await storage.list(prefixOf(ref), { ...(last !== undefined && { after: last }) });
    for (const key of page.keys) {
      if (firstSeq(key) !== undefined) keys.push(key);
      else if (key === endKey(ref)) ended = true;
    }
    last = page.keys.at(-1);
    if (!page.more || last === undefined) return { keys, ended };
  }
}

/** Undefined: it was removed meanwhile. */
export async function readChunk(storage: Storage, key: string): Promise<Chunk | undefined> {
  const found = await storage.get(key);
  if (!found) return undefined;
  const parts: Buffer[] = [];
  for await (const part of found.body as AsyncIterable<Buffer>) parts.push(part);
  const [head = '{"before":0}', ...lines] = Buffer.concat(parts).toString().split('\n').filter(Boolean);
  return { head: JSON.parse(head) as ChunkHead, lines: lines.map((line) => JSON.parse(line) as LogLine), bytes: found.size };
}

export function encodeChunk(head: ChunkHead, lines: readonly string[]): Buffer {
  return Buffer.from(`${[JSON.stringify(head), ...lines].join('\n')}\n`);
}
