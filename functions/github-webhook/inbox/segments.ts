// The segment files of the inbox: numbered, append-only, bounded, and each deleted when all of it was handled.
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface Segment {
  number: number;
  path: string;
  /** Bytes that are durably there. */
  length: number;
  /** Nothing is appended any more. */
  sealed: boolean;
}

const NAME = /^(\d{12})\.seg$/;

/** Segments left from before, oldest first. They are never appended to again, so a torn tail stays a tail. */
export async function findSegments(directory: string): Promise<Segment[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const numbers = (await readdir(directory)).flatMap((file) => NAME.exec(file)?.[1] ?? []).map(Number);
  const segments: Segment[] = [];
  for (const number of numbers.sort((a, b) => a - b)) {
    const path = segmentPath(directory, number);
    segments.push({ number, path, length: (await stat(path)).size, sealed: true });
  }
  return segments;
}

function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(12, '0')}.seg`);
}

/** An empty segment whose directory entry is durable: what is synced into it can be found again. */
export async function createSegment(directory: string, number: number): Promise<{ segment: Segment; file: FileHandle }> {
  const path = segmentPath(directory, number);
  const file = await open(path, 'wx', 0o600);
  try {
    await syncDirectory(directory);
  } catch (error) {
    await file.close();
    await unlink(path);
    throw error;
  }
  return { segment: { number, path, length: 0, sealed: false }, file };
}

export async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory; its file system makes entries durable with the file.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** All of `parts` at `position`. A short write is continued, so that a full disk shows as the error that it is. */
export async function writeAll(file: FileHandle, parts: Uint8Array[], position: number): Promise<void> {
  for (let rest = parts; rest.length > 0;) {
    const { bytesWritten } = await file.writev(rest, position);
    if (bytesWritten === 0) throw new Error('the file system took no bytes');
    position += bytesWritten;
    rest = after(rest, bytesWritten);
  }
}

function after(parts: Uint8Array[], bytes: number): Uint8Array[] {
  let index = 0;
  let left = bytes;
  for (; index < parts.length; index++) {
    const size = parts[index]?.byteLength ?? 0;
    if (left < size) break;
    left -= size;
  }
  const rest = parts.slice(index);
  if (left > 0 && rest[0]) rest[0] = rest[0].subarray(left);
  return rest;
}
