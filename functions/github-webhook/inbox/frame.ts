// The form of one record in a segment file: a prefix with lengths and checksums, the head as JSON, the raw body.
// A reader that meets damage finds the next record by its magic and its checksum.
import { crc32 } from 'node:zlib';

/** What is kept beside a raw body: the headers that its meaning depends on, and when it came. */
export interface RecordHead {
  /** X-GitHub-Event. */
  event: string;
  /** X-GitHub-Delivery, where it was one; not signed, so good for logs only. */
  delivery?: string | undefined;
  contentType: 'json' | 'form';
  /** RFC 3339, UTC. */
  received: string;
}

/** A body as it came, in pieces, with the CRC-32 of the whole. */
export interface RawBody {
  chunks: Uint8Array[];
  bytes: number;
  crc: number;
}

export interface FramePrefix {
  headBytes: number;
  bodyBytes: number;
  headCrc: number;
  bodyCrc: number;
  /** Prefix, head and body together. */
  totalBytes: number;
}

export const PREFIX_BYTES = 20;
const MAX_HEAD_BYTES = 4096;
/** Above GitHub's limit, so that the accepting side alone decides what is too large. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Not ASCII and not UTF-8, so that no JSON body holds it. */
export const MAGIC = Buffer.from([0xf5, 0x54, 0x4d, 0xfe]);
const MAGIC_NUMBER = MAGIC.readUInt32LE(0);

/** Prefix and head of a record; the body's chunks are written after it as they are. */
export function frameHead(head: RecordHead, body: RawBody): Buffer {
  const json = JSON.stringify(head);
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + Buffer.byteLength(json));
  frame.write(json, PREFIX_BYTES);
  frame.writeUInt32LE(MAGIC_NUMBER, 0);
  frame.writeUInt32LE(frame.length - PREFIX_BYTES, 4);
  frame.writeUInt32LE(body.bytes, 8);
  frame.writeUInt32LE(body.crc, 12);
  frame.writeUInt32LE(headCrc(frame, frame.length), 16);
  return frame;
}

/** Over lengths, body checksum and head, so that a damaged length is noticed before it is believed. */
function headCrc(frame: Buffer, end: number): number {
  return crc32(frame.subarray(PREFIX_BYTES, end), crc32(frame.subarray(4, 16)));
}

/** The prefix at `offset`; undefined where there is none, whole and plausible. */
export function readPrefix(buffer: Buffer, offset: number): FramePrefix | undefined {
  if (offset + PREFIX_BYTES > buffer.length || buffer.readUInt32LE(offset) !== MAGIC_NUMBER) return undefined;
  const headBytes = buffer.readUInt32LE(offset + 4);
  const bodyBytes = buffer.readUInt32LE(offset + 8);
  if (headBytes > MAX_HEAD_BYTES || bodyBytes > MAX_BODY_BYTES) return undefined;
  return {
    headBytes,
    bodyBytes,
    bodyCrc: buffer.readUInt32LE(offset + 12),
    headCrc: buffer.readUInt32LE(offset + 16),
    totalBytes: PREFIX_BYTES + headBytes + bodyBytes,
  };
}

/** The head of the record at `offset`, its checksum checked. Undefined: damaged. */
export function readHead(buffer: Buffer, offset: number, prefix: FramePrefix): RecordHead | undefined {
  const frame = buffer.subarray(offset, offset + PREFIX_BYTES + prefix.headBytes);
  if (frame.length < PREFIX_BYTES + prefix.headBytes || headCrc(frame, frame.length) !== prefix.headCrc) return undefined;
  return JSON.parse(frame.toString('utf8', PREFIX_BYTES)) as RecordHead;
}
