// Bytes by their digest, each once: <2 hex digits>/<62>, and beside it <62>.x, the same bytes with the executable bit, where a tree wants that.
import { constants } from 'node:fs';
import { chmod, copyFile, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, DigestMismatch } from '../ports/storage.ts';
import type { Folders } from './durable.ts';
import { isAbsent } from './read.ts';
import type { Temp } from './temp.ts';
import { type Body, type Written, digestOf, digestStream } from '../digests/digest.ts';
import { writeTemp } from './write.ts';

/** Read-only, so that an editor does not change a blob through a published file. */
export const FILE_MODE = 0o444;
export const PROGRAM_MODE = 0o555;

export interface Blobs {
  path(digest: Digest, executable?: boolean): string;
  has(digest: Digest): Promise<boolean>;
  put(body: Body, expected: Digest | undefined): Promise<Written>;
  /** Makes the executable twin of a blob. */
  makeProgram(digest: Digest): Promise<void>;
  /** Bytes were read that do not have the digest: the next put replaces them. */
  suspect(digest: Digest): void;
}

interface Area {
  directory: string;
  temp: Temp;
  folders: Folders;
}

export function createBlobs(area: Area): Blobs {
  const suspects = new Set<Digest>();
  const writing = new Map<Digest, Promise<void>>();
  /** Folders whose names were synced since the start: what a killed process left may have been seen, but not be durable. */
  const synced = new Set<string>();

  const path = (digest: Digest, executable = false): string => join(area.directory, digest.slice(7, 9), digest.slice(9) + (executable ? '.x' : ''));

  const holds = async (digest: Digest, size: number): Promise<boolean> => {
    await writing.get(digest);
    const file = path(digest);
    if (suspects.has(digest) || (await sizeOf(file)) !== size) return false;
    const folder = dirname(file);
    if (!synced.has(folder)) await area.folders.sync(folder);
    synced.add(folder);
    return true;
  };

  const place = async (temp: string, digest: Digest): Promise<void> => {
    const file = path(digest);
    await area.folders.ensure(dirname(file));
    await rename(temp, file);
    await area.folders.sync(dirname(file));
    suspects.delete(digest);
  };

  /** One write of a digest at a time: whoever comes second waits and finds it there. */
  const once = async (digest: Digest, write: () => Promise<void>): Promise<void> => {
    const running = writing.get(digest);
    if (running) return running;
    const done = write().finally(() => writing.delete(digest));
    writing.set(digest, done);
    return done;
  };

  const putWhole = async (bytes: Uint8Array, expected: Digest | undefined): Promise<Written> => {
    const digest = digestOf(bytes);
    check(expected, digest);
    if (!(await holds(digest, bytes.byteLength)))
      await once(digest, async () => {
        const { path: temp } = await writeTemp(area.temp, bytes, FILE_MODE);
        await keep(temp, () => place(temp, digest));
      });
    return { digest, size: bytes.byteLength };
  };

  const putStream = async (body: AsyncIterable<Uint8Array>, expected: Digest | undefined): Promise<Written> => {
    const held = expected && !suspects.has(expected) ? await sizeOf(path(expected)) : undefined;
    if (held !== undefined) {
      const read = await digestStream(body);
      check(expected, read.digest);
      if (await holds(read.digest, read.size)) return read;
      suspects.add(read.digest);
      throw new Error(`The stored blob ${read.digest} is ${held} bytes long and not ${read.size}: it is damaged. Store it again.`);
    }
    const { path: temp, ...written } = await writeTemp(area.temp, body, FILE_MODE);
    await keep(temp, async () => {
      check(expected, written.digest);
      if (await holds(written.digest, written.size)) await unlink(temp);
      else await place(temp, written.digest);
    });
    return written;
  };

  const makeProgram = async (digest: Digest): Promise<void> => {
    const file = path(digest, true);
    if ((await sizeOf(file)) !== undefined) return;
    const temp = await area.temp.path();
    await copyFile(path(digest), temp, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await keep(temp, async () => {
      await chmod(temp, PROGRAM_MODE);
      await syncFile(temp);
      await rename(temp, file);
      await area.folders.sync(dirname(file));
    });
  };

  return {
    path,
    has: async (digest) => (await sizeOf(path(digest))) !== undefined,
    put: (body, expected) => (body instanceof Uint8Array ? putWhole(body, expected) : putStream(body, expected)),
    makeProgram,
    suspect: (digest) => void suspects.add(digest),
  };
}

export function check(expected: Digest | undefined, actual: Digest, what = 'What was to be stored'): void {
  if (expected !== undefined && expected !== actual) throw new DigestMismatch(what, expected, actual);
}

/** Does what is to be done with a temporary file, and removes it where that fails. */
export async function keep<T>(temp: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await unlink(temp).catch(() => undefined); // it has its name already, or is removed at the next start
    throw error;
  }
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
