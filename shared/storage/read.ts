// Reads stored files: whole or a range of bytes; blobs are checked against their digest as they stream.
import { constants } from 'node:fs';
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable, Transform, pipeline } from 'node:stream';
import { type Digest, DigestMismatch } from '../ports/storage.ts';
import { digestOf } from './write.ts';

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

/** Undefined: no file of this path. Nothing else than a regular file is ever read, and a pipe does not block. */
async function openFile(path: string): Promise<{ file: FileHandle; size: number } | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  try {
    const info = await file.stat();
    if (info.isFile()) return { file, size: info.size };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

export function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ELOOP' || code === 'ENXIO';
}

export async function readPath(path: string, range?: Range): Promise<Stored | undefined> {
  const opened = await openFile(path);
  if (!opened) return undefined;
  return { body: streamOf(opened.file, opened.size, range), size: opened.size };
}

/** `onRot` is told when the bytes are not those of the digest, before the reader gets the error. */
export async function readBlob(path: string, digest: Digest, range: Range | undefined, onRot: () => void): Promise<Stored | undefined> {
  const opened = await openFile(path);
  if (!opened) return undefined;
  const { file, size } = opened;
  if (range) return { body: streamOf(file, size, range), size };
  if (size <= SMALL_BYTES) return { body: await checkedSmall(file, size, digest, onRot), size };
  const body = checker(digest, onRot);
  // The reader hears of an error from `body` itself.
  pipeline(streamOf(file, size), body, () => undefined);
  return { body, size };
}

function streamOf(file: FileHandle, size: number, range?: Range): Readable {
  const start = range ? Math.max(0, range.start) : 0;
  const end = Math.min(range?.end ?? size - 1, size - 1);
  if (start <= end) return file.createReadStream({ start, end, highWaterMark: CHUNK_BYTES });
  void file.close();
  return Readable.from([]);
}

async function checkedSmall(file: FileHandle, size: number, digest: Digest, onRot: () => void): Promise<Readable> {
  const bytes = Buffer.allocUnsafe(size);
  let done = 0;
  try {
    for (let read = -1; read !== 0 && done < size; done += read) read = (await file.read(bytes, done, size - done, done)).bytesRead;
  } finally {
    await file.close();
  }
  const actual = digestOf(bytes.subarray(0, done));
  if (actual === digest) return Readable.from(size === 0 ? [] : [bytes]);
  onRot();
  return new Readable({
    read() {
      this.destroy(new DigestMismatch(`The blob ${digest}`, digest, actual));
    },
  });
}

/** Passes bytes on and keeps the last piece back until the digest of all is known: a reader who counts bytes never gets all of a rotten blob. */
function checker(digest: Digest, onRot: () => void): Transform {
  const hash = createHash('sha256');
  let last: Buffer | undefined;
  return new Transform({
    highWaterMark: CHUNK_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      const before = last;
      last = chunk;
      done(null, before);
    },
    flush(done) {
      const actual = `sha256:${hash.digest('hex')}`;
      if (actual === digest) return done(null, last);
      onRot();
      done(new DigestMismatch(`The blob ${digest}`, digest, actual));
    },
  });
}
