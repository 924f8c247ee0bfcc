// The Storage port on a folder: keys are paths, so people find <project>/<version>/… there as it is; the rest is below `.store`.
// Bytes are kept once, by digest; published files are hard links to them.
import { link, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { AlreadyStored, type Digest, type PutOptions, type Storage, type StoredInfo } from '../ports/storage.ts';
import type { Body } from '../digests/digest.ts';
import { check, createBlobs, keep } from './blobs.ts';
import { createFolders } from './durable.ts';
import { createWriteGate } from './gate.ts';
import { checkKey, InvalidKey } from './keys.ts';
import { keysBelow } from './list.ts';
import { isAbsent, readBlob, readPath } from './read.ts';
import { createTemp } from './temp.ts';
import { copyBlob, isBlob, type Publisher, tryLink } from './link.ts';
import { publishTree } from './tree.ts';
import { writeTemp } from './write.ts';

/** No project can have this name, as a name has no dot. */
const HIDDEN = '.store';
const KEY_MODE = 0o600;
const MAX_LIST = 1000;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export interface FsStorageOptions {
  directory: string;
  /** False: the file system has no hard links; published files are then copies. Found out by itself too, where it says so. */
  hardLinks?: boolean;
}

export function createFsStorage({ directory, hardLinks = true }: FsStorageOptions): Storage {
  const root = resolve(directory);
  const temp = createTemp(join(root, HIDDEN, 'tmp'));
  const folders = createFolders();
  const blobs = createBlobs({ directory: join(root, HIDDEN, 'sha256'), temp, folders });
  const publisher: Publisher = { blobs, temp, folders, hardLinks };
  const context: Context = { root, publisher, placing: new Map() };
  const gate = createWriteGate();

  return {
    put: (key, body, options = {}) => gate(body, () => put(context, key, body, options)),
    get: async (key, options) => readPath(pathOf(root, key), options?.range),
    stat: (key) => statKey(root, key),
    list: (prefix, options = {}) => list(root, prefix, options),
    delete: (key) => remove(context, key),
    putBlob: async (body, digest) => {
      if (digest !== undefined) checkDigest(digest);
      return gate(body, () => blobs.put(body, digest));
    },
    getBlob: async (digest, options) => readBlob(blobs.path(checkDigest(digest)), digest, options?.range, () => blobs.suspect(digest)),
    publishTree: async (prefix, entries) => {
      for (const entry of entries) if (entry.blob) checkDigest(entry.blob);
      const target = pathOf(root, prefix);
      await placeKey(context, prefix, () => publishTree(publisher, prefix, target, entries));
    },
    publishBlob: (key, digest) => publishBlob(context, key, checkDigest(digest)),
    sweep: async (before) => ({ removed: await temp.sweep(Date.parse(before)), more: false }),
  };
}

interface Context {
  root: string;
  publisher: Publisher;
  /** Without hard links a key that must be new is placed by one at a time. */
  placing: Map<string, Promise<void>>;
}

function pathOf(root: string, key: string): string {
  checkKey(key);
  if (key === HIDDEN || key.startsWith(`${HIDDEN}/`))
    throw new InvalidKey(`The key ${JSON.stringify(key)} cannot be used: ${HIDDEN} is where the storage keeps its own`);
  return join(root, key);
}

function checkDigest(digest: Digest): Digest {
  if (!DIGEST.test(digest)) throw new InvalidKey(`${JSON.stringify(digest.slice(0, 100))} is not a digest; it must be sha256:<64 hexadecimal digits>`);
  return digest;
}

async function put(context: Context, key: string, body: Body, options: PutOptions): Promise<Required<StoredInfo>> {
  const path = pathOf(context.root, key);
  if (options.ifAbsent && (await statKey(context.root, key))) throw new AlreadyStored(key);
  const { path: temp, ...written } = await writeTemp(context.publisher.temp, body, KEY_MODE);
  await keep(temp, async () => {
    check(options.digest, written.digest, `What was to be stored as ${key}`);
    await placeKey(context, key, () => (options.ifAbsent ? placeNew(context, key, temp, path) : rename(temp, path)));
  });
  return written;
}

/** Gives a name in a folder that has to be there, and again where somebody removed the empty folder in between. */
async function placeKey(context: Context, key: string, place: () => Promise<void>): Promise<void> {
  const folder = dirname(join(context.root, key));
  const { folders } = context.publisher;
  for (let attempt = 1; ; attempt++) {
    try {
      await folders.ensure(folder);
      await place();
      return await folders.sync(folder);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ENOTDIR' || code === 'EISDIR' || (code === 'EEXIST' && (error as NodeJS.ErrnoException).syscall === 'mkdir'))
        throw new InvalidKey(`The key ${JSON.stringify(key)} cannot be stored: one of the two, it or a stored key, would be a folder of the other`);
      if (code !== 'ENOENT' || attempt === 3) throw error;
      folders.forget(folder);
    }
  }
}

async function placeNew(context: Context, key: string, temp: string, path: string): Promise<void> {
  if (!context.publisher.hardLinks) return placeAlone(context, key, temp, path);
  try {
    await link(temp, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST') throw new AlreadyStored(key);
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP' || code === 'ENOSYS') return placeAlone(context, key, temp, path);
    throw error;
  }
  await unlink(temp);
}

/** For file systems without links: one at a time of this process, which is the folder's only writer. */
async function placeAlone(context: Context, key: string, temp: string, path: string): Promise<void> {
  const before = context.placing.get(path) ?? Promise.resolve();
  const mine = before.then(async () => {
    if (await statKey(context.root, key)) throw new AlreadyStored(key);
    await rename(temp, path);
  });
  const settled = mine.catch(() => undefined); // told to whoever asked, not to who comes after
  context.placing.set(path, settled);
  try {
    await mine;
  } finally {
    if (context.placing.get(path) === settled) context.placing.delete(path);
  }
}

async function statKey(root: string, key: string): Promise<StoredInfo | undefined> {
  try {
    const info = await stat(pathOf(root, key));
    return info.isFile() ? { size: info.size } : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function list(root: string, prefix: string, options: { limit?: number; after?: string }): Promise<{ keys: string[]; more: boolean }> {
  const limit = options.limit ?? MAX_LIST;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIST) throw new RangeError(`A list's limit must be 1 to ${MAX_LIST}, not ${limit}`);
  const keys: string[] = [];
  for await (const key of keysBelow({ root, hidden: HIDDEN, prefix, after: options.after ?? '' })) {
    if (keys.length === limit) return { keys, more: true };
    keys.push(key);
  }
  return { keys, more: false };
}

async function remove({ root, publisher }: Context, key: string): Promise<void> {
  const path = pathOf(root, key);
  try {
    await unlink(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (isAbsent(error) || code === 'EPERM') return; // EPERM: a folder, on some systems; no key has its name
    throw error;
  }
  await publisher.folders.sync(await pruneAbove(root, path, publisher.folders.forget));
}

/** Removes the folders that became empty; returns the first that stays. */
async function pruneAbove(root: string, path: string, forget: (folder: string) => void): Promise<string> {
  let folder = dirname(path);
  for (; folder !== root; folder = dirname(folder)) {
    try {
      forget(folder);
      await rmdir(folder);
    } catch {
      break; // not empty, or gone already with all that is above it still there
    }
  }
  return folder;
}

async function publishBlob(context: Context, key: string, digest: Digest): Promise<void> {
  const path = pathOf(context.root, key);
  if (!(await context.publisher.blobs.has(digest))) throw new Error(`${key} cannot be published: its blob ${digest} is not stored`);
  await placeKey(context, key, async () => {
    if (await isTaken(context, key, digest, path)) return;
    try {
      if (await tryLink(context.publisher, digest, path)) return;
      const temp = await copyBlob(context.publisher, digest);
      await keep(temp, () => placeNew(context, key, temp, path));
    } catch (error) {
      const lost = error instanceof AlreadyStored || (error as NodeJS.ErrnoException).code === 'EEXIST';
      if (!lost || !(await isTaken(context, key, digest, path))) throw error;
    }
  });
}

/** Whether the key holds these bytes already. Throws AlreadyStored where it holds others. */
async function isTaken({ root, publisher }: Context, key: string, digest: Digest, path: string): Promise<boolean> {
  if (!(await statKey(root, key))) return false;
  if (!(await isBlob(publisher.blobs, path, digest))) throw new AlreadyStored(key);
  return true;
}
