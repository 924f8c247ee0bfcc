// A second name for a blob: a hard link, so that the bytes stand on the disk once, or a copy where links cannot be made.
import { constants } from 'node:fs';
import { chmod, copyFile, link, lstat } from 'node:fs/promises';
import type { Digest } from '../ports/storage.ts';
import { type Blobs, FILE_MODE, keep, PROGRAM_MODE, syncFile } from './blobs.ts';
import type { Folders } from './durable.ts';
import { readPath } from './read.ts';
import type { Temp } from './temp.ts';
import { digestStream } from '../digests/digest.ts';

/** No links here, or too many of this file (ext4 allows 65,000): a copy does as well. */
const NO_LINK = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EACCES']);

export interface Publisher {
  blobs: Blobs;
  temp: Temp;
  folders: Folders;
  hardLinks: boolean;
}

/** Gives the blob this name too. False: it cannot be linked here. Throws EEXIST where the name is taken, ENOENT where the blob is not stored. */
export async function tryLink(publisher: Publisher, digest: Digest, path: string, executable = false): Promise<boolean> {
  if (!publisher.hardLinks) return false;
  if (executable) await publisher.blobs.makeProgram(digest);
  try {
    await link(publisher.blobs.path(digest, executable), path);
    return true;
  } catch (error) {
    if (NO_LINK.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** A durable copy under a temporary name. */
export async function copyBlob({ blobs, temp }: Publisher, digest: Digest, executable = false): Promise<string> {
  const copy = await temp.path();
  await copyFile(blobs.path(digest), copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await keep(copy, async () => {
    await chmod(copy, executable ? PROGRAM_MODE : FILE_MODE);
    await syncFile(copy);
  });
  return copy;
}

/** Whether the file holds the bytes of the blob: it is the same file, or it reads the same. */
export async function isBlob(blobs: Blobs, path: string, digest: Digest, executable = false): Promise<boolean> {
  const info = await lstat(path);
  if (!info.isFile()) return false;
  if (process.platform !== 'win32' && ((info.mode & 0o100) !== 0) !== executable) return false;
  const blob = await lstat(blobs.path(digest, executable)).catch(() => undefined); // without it, the bytes have to tell
  if (blob && blob.ino === info.ino && blob.dev === info.dev) return true;
  const stored = await readPath(path);
  return stored !== undefined && (await digestStream(stored.body)).digest === digest;
}
