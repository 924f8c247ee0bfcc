// The reading end of the inbox: records in order, from the file; never more than a bounded slice of it in memory.
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { type FramePrefix, MAGIC, PREFIX_BYTES, readHead, readPrefix, type RecordHead } from './frame.ts';

export interface InboxRecord {
  head: RecordHead;
  body: Buffer;
}

export interface Slice {
  records: InboxRecord[];
  /** Offset after the last of them, or after the damage. */
  next: number;
  /** Bytes at the start that were no whole record. */
  damaged_bytes: number;
}

export interface SliceLimits {
  records: number;
  /** Read at once; a record that is larger alone is read by itself. */
  bytes: number;
}

/** Checksums of large bodies are taken in pieces of so many bytes, so that the event loop turns in between. */
const CHECK_BYTES = 1024 * 1024;

/** Whole records of `path` from `offset` on, below `end`. No records, and `next` = `end`: nothing but damage was left. */
export async function readSlice(path: string, offset: number, end: number, limits: SliceLimits): Promise<Slice> {
  const file = await open(path, 'r');
  try {
    const buffer = await readAt(file, offset, Math.min(limits.bytes, end - offset));
    const slice = await parseSlice(file, buffer, offset, end, limits.records);
    if (slice.records.length > 0) return slice;
    const next = await findRecord(file, offset + 1, end, limits.bytes);
    return { records: [], next, damaged_bytes: next - offset };
  } finally {
    await file.close();
  }
}

async function parseSlice(file: FileHandle, buffer: Buffer, offset: number, end: number, most: number): Promise<Slice> {
  const records: InboxRecord[] = [];
  let at = 0;
  while (records.length < most) {
    const prefix = readPrefix(buffer, at);
    if (!prefix || offset + at + prefix.totalBytes > end) break;
    const inside = at + prefix.totalBytes <= buffer.length;
    // The rest comes with the next slice; alone it may take as much memory as it needs.
    if (!inside && records.length > 0) break;
    const frame = inside ? buffer.subarray(at, at + prefix.totalBytes) : await readAt(file, offset + at, prefix.totalBytes);
    const record = await readRecord(frame, prefix);
    if (!record) break;
    records.push(record);
    at += prefix.totalBytes;
  }
  return { records, next: offset + at, damaged_bytes: 0 };
}

async function readRecord(frame: Buffer, prefix: FramePrefix): Promise<InboxRecord | undefined> {
  const head = readHead(frame, 0, prefix);
  const body = frame.subarray(PREFIX_BYTES + prefix.headBytes);
  if (!head || body.length !== prefix.bodyBytes) return undefined;
  let crc = 0;
  for (let at = 0; at < body.length; at += CHECK_BYTES) {
    if (at > 0) await turn();
    crc = crc32(body.subarray(at, at + CHECK_BYTES), crc);
  }
  return crc === prefix.bodyCrc ? { head, body } : undefined;
}

/** Offset of the next whole record from `from` on, or `end`. */
async function findRecord(file: FileHandle, from: number, end: number, window: number): Promise<number> {
  for (let offset = from; offset < end;) {
    const buffer = await readAt(file, offset, Math.min(window, end - offset));
    if (buffer.length === 0) return end;
    const found = buffer.indexOf(MAGIC);
    if (found === -1) {
      // The magic may lie across the edge of two windows.
      offset += Math.max(1, buffer.length - MAGIC.length + 1);
      continue;
    }
    const candidate = offset + found;
    const prefix = readPrefix(await readAt(file, candidate, Math.min(PREFIX_BYTES, end - candidate)), 0);
    if (prefix && candidate + prefix.totalBytes <= end) {
      const frame = await readAt(file, candidate, prefix.totalBytes);
      if (await readRecord(frame, prefix)) return candidate;
    }
    offset = candidate + 1;
  }
  return end;
}

async function readAt(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, bytes));
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, offset + filled);
    if (bytesRead === 0) return buffer.subarray(0, filled);
    filled += bytesRead;
  }
  return buffer;
}
