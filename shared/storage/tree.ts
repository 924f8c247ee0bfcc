// Publishes blobs as files with the names that people see: built beside as hard links, then one rename.
import { lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AlreadyStored, type Digest, type TreeEntry } from '../ports/storage.ts';
import type { Blobs } from './blobs.ts';
import { forEachAtOnce } from './gate.ts';
import { checkKey, InvalidKey } from './keys.ts';
import { copyBlob, isBlob, type Publisher, tryLink } from './link.ts';
import { isAbsent } from './read.ts';
import { checkTree } from './tree-rules.ts';

const AT_ONCE = 16;

/** `target` is the absolute path of the folder, whose parent is there; `prefix` is what it is called in errors. */
export async function publishTree(publisher: Publisher, prefix: string, target: string, entries: readonly TreeEntry[]): Promise<void> {
  checkEntries(prefix, entries);
  if (await exists(target)) return checkSame(publisher.blobs, prefix, target, entries);
  const staging = await publisher.temp.path();
  try {
    await fill(publisher, staging, entries);
    await rename(staging, target);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!isTaken(error)) throw error;
    return checkSame(publisher.blobs, prefix, target, entries);
  }
}

function checkEntries(prefix: string, entries: readonly TreeEntry[]): void {
  checkTree(entries);
  for (const { path, blob, symlink: target } of entries) {
    checkKey(`${prefix}/${path}`);
    if ((blob === undefined) === (target === undefined)) throw new InvalidKey(`The entry ${JSON.stringify(path)} must have either a blob or a link's target`);
  }
}

async function fill(publisher: Publisher, staging: string, entries: readonly TreeEntry[]): Promise<void> {
  const folders = foldersOf(entries);
  await mkdir(staging);
  for (const folder of folders) await mkdir(join(staging, folder));
  await forEachAtOnce(entries, AT_ONCE, (entry) => placeEntry(publisher, staging, entry));
  await forEachAtOnce([staging, ...folders.map((folder) => join(staging, folder))], AT_ONCE, publisher.folders.sync);
}

async function placeEntry(publisher: Publisher, staging: string, entry: TreeEntry): Promise<void> {
  const path = join(staging, entry.path);
  try {
    if (entry.blob) await placeFile(publisher, entry.blob, path, entry.executable);
    else await symlink(entry.symlink ?? '', path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new Error(`${entry.path} cannot be published: its blob ${entry.blob ?? ''} is not stored`, { cause: error });
    if (code === 'EEXIST') throw new InvalidKey(`${entry.path} cannot be published: another file has this name on a file system that does not tell them apart`);
    throw error;
  }
}

async function placeFile(publisher: Publisher, blob: Digest, path: string, executable = false): Promise<void> {
  if (!(await tryLink(publisher, blob, path, executable))) await rename(await copyBlob(publisher, blob, executable), path);
}

/** Every folder of the tree, parents before what is in them. */
function foldersOf(entries: readonly TreeEntry[]): string[] {
  const folders = new Set<string>();
  const add = (path: string): void => {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (folder === '' || folders.has(folder)) return;
    add(folder);
    folders.add(folder);
  };
  for (const { path } of entries) add(path);
  return [...folders];
}

/** Throws AlreadyStored unless exactly these entries stand there. */
async function checkSame(blobs: Blobs, prefix: string, target: string, entries: readonly TreeEntry[]): Promise<void> {
  const wanted = new Map(entries.map((entry) => [entry.path, entry]));
  const found = await pathsIn(target, wanted.size);
  if (found.length !== wanted.size || found.some((path) => !wanted.has(path))) throw new AlreadyStored(prefix);
  await forEachAtOnce(entries, AT_ONCE, async (entry) => {
    if (!(await isEntry(blobs, join(target, entry.path), entry))) throw new AlreadyStored(prefix);
  });
}

/** Paths of everything below that is no folder; stops once there are more than `limit`. */
async function pathsIn(target: string, limit: number): Promise<string[]> {
  const paths: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(target, folder), { withFileTypes: true })) {
      if (paths.length > limit) return;
      if (entry.isDirectory()) await walk(`${folder}${entry.name}/`);
      else paths.push(folder + entry.name);
    }
  };
  try {
    await walk('');
  } catch (error) {
    if (!isAbsent(error)) throw error; // the name is a file's: not this tree
  }
  return paths;
}

async function isEntry(blobs: Blobs, path: string, entry: TreeEntry): Promise<boolean> {
  if (entry.blob) return isBlob(blobs, path, entry.blob, entry.executable ?? false);
  return (await lstat(path)).isSymbolicLink() && (await readlink(path)) === entry.symlink;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EISDIR' || (code === 'ENOTDIR' && (error as NodeJS.ErrnoException).syscall === 'rename');
}
