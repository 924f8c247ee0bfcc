// Files in folders that steps write to. A step may have put a link, a pipe or a folder in a file's place: none is followed, waited for or trusted.
import { constants, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, rm } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC } = constants;
/** Windows knows none of these, and has neither links nor pipes that any process may make. */
const O_NOFOLLOW = constants.O_NOFOLLOW ?? 0;
const O_NONBLOCK = constants.O_NONBLOCK ?? 0;
const O_DIRECTORY = constants.O_DIRECTORY ?? 0;

/** Something else stands where a plain file should. */
export class NotAFile extends Error {
  override name = 'NotAFile';
}

/** At most `limit` bytes of folder/name as text; undefined where there is none. Throws NotAFile. */
export async function readRegular(folder: string, name: string, limit: number): Promise<string | undefined> {
  return within(folder, async (inFolder) => {
    const file = await openIfThere(inFolder(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, name);
    if (!file) return undefined;
    try {
      if (!(await file.stat()).isFile()) throw new NotAFile(`${name} is no plain file`);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(limit), 0, limit, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  });
}

/** A new file of this name in place of whatever stands there. */
export async function writeFresh(folder: string, name: string, text: string, mode = 0o644): Promise<void> {
  await within(folder, async (inFolder) => {
    await rm(inFolder(name), { recursive: true, force: true });
    const file = await open(inFolder(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  });
}

/** Opens a file to write to, in a folder that must not lie outside of `root`, and is made where it is not there. Throws NotAFile. */
export async function openBelow(root: string, folder: string, name: string): Promise<FileHandle> {
  await checkBelow(root, await nearestFolder(folder), name);
  await mkdir(folder, { recursive: true });
  return within(await checkBelow(root, folder, name), async (inFolder) => {
    const file = await openIfThere(inFolder(name), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, name);
    if (!file) throw new NotAFile(`${name} cannot be made`);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new NotAFile(`${name} is no plain file`);
  });
}

async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) if (existsSync(folder) || folder === dirname(folder)) return folder;
}

/** Where the folder really is. */
async function checkBelow(root: string, folder: string, name: string): Promise<string> {
  const [base, real] = await Promise.all([realpath(root), realpath(folder)]);
  if (real !== base && !real.startsWith(base + sep)) throw new NotAFile(`${name} would lie outside of its folder`);
  return real;
}

/** Paths in the folder that is there now, whatever is put in its place meanwhile. Throws NotAFile when it is a link. */
async function within<T>(folder: string, act: (inFolder: (name: string) => string) => Promise<T>): Promise<T> {
  const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ELOOP' || code === 'ENOTDIR' ? new NotAFile(`${folder} is no folder any more`) : error;
  });
  try {
    const path = process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : folder;
    return await act((name) => join(path, name));
  } finally {
    await handle.close();
  }
}

async function openIfThere(path: string, flags: number, name: string): Promise<FileHandle | undefined> {
  return open(path, flags, 0o644).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw code === 'ELOOP' || code === 'ENXIO' ? new NotAFile(`${name} is no plain file`) : error;
  });
}
