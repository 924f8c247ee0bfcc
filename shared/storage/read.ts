// Reads stored files: whole or a range of bytes; blobs are checked against their digest as they stream.
import { closeSync, constants, createReadStream, fstatSync, open, read } from 'node:fs';
import { Readable, pipeline } from 'node:stream';
import { type Digest, DigestMismatch } from '../ports/storage.ts';
import { checker, wholeBody } from '../digests/verify.ts';
import { digestOf } from '../digests/digest.ts';

export interface Range {
  start: number;
  end: number;
}

export interface Stored {
  body: Readable;
  /** Of the whole file, also when a range of it is read. */
  size: number;
}

/** Read in one go up to this. */
const SMALL_BYTES = 256 * 1024;
const CHUNK_BYTES = 256 * 1024;

/**
 * Undefined: no file of this path. Nothing else than a regular file is ever read, and a pipe does not block.
 * Descriptors rather than file handles: what is known of an open file, and closing it, is no work for the thread pool.
 */
async function openFile(path: string): Promise<{ fd: number; size: number } | undefined> {
  let fd: number;
  try {
    fd = await openDescriptor(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  try {
    const info = fstatSync(fd);
    if (info.isFile()) return { fd, size: info.size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return undefined;
}

export function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ELOOP' || code === 'ENXIO';
}

export async function readPath(path: string, range?: Range): Promise<Stored | undefined> {
  const opened = await openFile(path);
  if (!opened) return undefined;
  return { body: streamOf(opened.fd, opened.size, range), size: opened.size };
}

/** `onRot` is told when the bytes are not those of the digest, before the reader gets the error. */
export async function readBlob(path: string, digest: Digest, range: Range | undefined, onRot: () => void): Promise<Stored | undefined> {
  const opened = await openFile(path);
  if (!opened) return undefined;
  const { fd, size } = opened;
  if (range) return { body: streamOf(fd, size, range), size };
  if (size <= SMALL_BYTES) return { body: await checkedSmall(fd, size, digest, onRot), size };
  const body = checker(`The blob ${digest}`, digest, onRot);
  // The reader hears of an error from `body` itself.
  pipeline(streamOf(fd, size), body, () => undefined);
  return { body, size };
}

function streamOf(fd: number, size: number, range?: Range): Readable {
  const start = range ? Math.max(0, range.start) : 0;
  const end = Math.min(range?.end ?? size - 1, size - 1);
  if (start <= end) return createReadStream('', { fd, start, end, highWaterMark: CHUNK_BYTES });
  closeSync(fd);
  return wholeBody(Buffer.alloc(0));
}

async function checkedSmall(fd: number, size: number, digest: Digest, onRot: () => void): Promise<Readable> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let done = 0;
  try {
    for (let read = -1; read !== 0 && done < size; done += read) read = await readDescriptor(fd, bytes, done);
  } finally {
    closeSync(fd);
  }
  const actual = digestOf(bytes.subarray(0, done));
  if (actual === digest) return wholeBody(bytes);
  onRot();
  const body = new Readable({ read() {} });
  body.destroy(new DigestMismatch(`The blob ${digest}`, digest, actual));
  body.on('error', () => undefined); // told again to whoever reads it
  return body;
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => open(path, flags, (error, fd) => (error ? reject(error) : resolve(fd))));
}

function readDescriptor(fd: number, into: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => read(fd, into, at, into.length - at, at, (error, bytes) => (error ? reject(error) : resolve(bytes))));
}
