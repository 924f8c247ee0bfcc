// Trees of files that become visible at once. S3 has no rename, so the list of a tree's files is one object, written once, if nobody was first: from then
// on every file is there for whoever reads through here, found by the list and its digest until its copy under its own name is made.
import { type Digest, type TreeEntry, AlreadyStored } from '../ports/storage.ts';
import { forEachAtOnce } from '../storage/gate.ts';
import { checkKey, compareBytes, InvalidKey } from '../storage/keys.ts';
import { checkTree } from '../storage/tree-rules.ts';
import { digestOf } from '../digests/digest.ts';
import type { Blobs } from './blobs.ts';
import type { Connection } from './connect.ts';
import { copy } from './copy.ts';
import { above, blobKey, fullKey, META, treeKeys } from './layout.ts';
import { bytesOf, head, read } from './read.ts';
import { remove } from './remove.ts';
import { putWhole } from './write.ts';

const AT_ONCE = 24;
/** Links to links are followed so far. */
const MAX_LINKS = 40;
const NOTHING = Buffer.alloc(0);

export interface Tree {
  /** In the order of their paths' bytes. */
  files: readonly TreeEntry[];
}

/** Publishes the tree, or finishes what another began. Throws AlreadyStored, InvalidKey. */
export async function publishTree(connection: Connection, blobs: Blobs, prefix: string, entries: readonly TreeEntry[]): Promise<void> {
  checkEntries(connection, prefix, entries);
  const keys = treeKeys(connection.prefix, prefix);
  const list = encode(entries);
  if (!(await isSame(connection, prefix, list))) {
    const sizes = await sizesOf(blobs, entries);
    if (await isTaken(connection, prefix)) {
      // Its files may be those of the same tree, published meanwhile.
      if (!(await isSame(connection, prefix, list))) throw new AlreadyStored(prefix);
    } else {
      await commit(connection, prefix, list);
      return copyAll(connection, prefix, entries, sizes);
    }
  }
  if (!(await head(connection, keys.copied))) await copyAll(connection, prefix, entries, await sizesOf(blobs, entries));
}

/** The tree of this prefix; undefined: none. */
export async function readTree(connection: Connection, prefix: string): Promise<Tree | undefined> {
  const bytes = await readList(connection, prefix);
  return bytes && (JSON.parse(bytes.toString('utf8')) as Tree);
}

/** The tree that a key is a file of, if any. */
export async function treeAround(connection: Connection, key: string): Promise<{ prefix: string; entry: TreeEntry; tree: Tree } | undefined> {
  const found = await Promise.all(above(key).map(async (prefix) => ({ prefix, tree: await readTree(connection, prefix) })));
  for (const { prefix, tree } of found) {
    const entry = tree?.files.find(({ path }) => `${prefix}/${path}` === key);
    if (tree && entry) return { prefix, tree, entry };
  }
  return undefined;
}

/** The bytes that stand for an entry: its own, or those of the file that its link leads to. */
export function contentOf(entry: TreeEntry, byPath: ReadonlyMap<string, TreeEntry>): Digest | undefined {
  let current: TreeEntry | undefined = entry;
  for (let links = 0; current && links < MAX_LINKS; links++) {
    if (current.blob) return current.blob;
    const parts = current.path.split('/').slice(0, -1);
    for (const part of (current.symlink ?? '').split('/')) {
      if (part === '..') parts.pop();
      else parts.push(part);
    }
    current = byPath.get(parts.join('/'));
  }
  return undefined;
}

export const byPath = (files: readonly TreeEntry[]): Map<string, TreeEntry> => new Map(files.map((entry) => [entry.path, entry]));

/** Makes plain keys of a tree's files, so that single ones can be deleted. */
export async function dissolve(connection: Connection, blobs: Blobs, prefix: string, { files }: Tree): Promise<void> {
  const keys = treeKeys(connection.prefix, prefix);
  if (!(await head(connection, keys.copied))) await copyAll(connection, prefix, files, await sizesOf(blobs, files));
  await remove(connection, keys.tree);
  await remove(connection, keys.copied);
}

function checkEntries(connection: Connection, prefix: string, entries: readonly TreeEntry[]): void {
  fullKey(connection.prefix, prefix);
  checkTree(entries);
  for (const { path, blob, symlink } of entries) {
    checkKey(`${prefix}/${path}`);
    fullKey(connection.prefix, `${prefix}/${path}`);
    if (blob) blobKey(connection.prefix, blob);
    if ((blob === undefined) === (symlink === undefined)) throw new InvalidKey(`The entry ${JSON.stringify(path)} must have either a blob or a link's target`);
  }
}

/** One form for one tree, so that two lists are the same tree exactly if they are the same bytes. */
function encode(entries: readonly TreeEntry[]): Buffer {
  const files = entries
    .map(({ path, blob, symlink, executable }) => (blob ? { path, blob, ...(executable && { executable }) } : { path, symlink }))
    .sort((a, b) => compareBytes(a.path, b.path));
  return Buffer.from(JSON.stringify({ version: 1, files }));
}

async function readList(connection: Connection, prefix: string): Promise<Buffer | undefined> {
  const found = await read(connection, treeKeys(connection.prefix, prefix).tree);
  return found && bytesOf(found.body);
}

/** False: there is no tree of this name. Throws AlreadyStored where there is another one. */
async function isSame(connection: Connection, prefix: string, list: Buffer): Promise<boolean> {
  const there = await readList(connection, prefix);
  if (there && !there.equals(list)) throw new AlreadyStored(prefix);
  return there !== undefined;
}

/** Whether something that is not this tree has its name, stands below it, or has it inside. */
async function isTaken(connection: Connection, prefix: string): Promise<boolean> {
  const key = fullKey(connection.prefix, prefix);
  const below = connection.run('list', key, (sdk, client) =>
    client.send(new sdk.ListObjectsV2Command({ Bucket: connection.bucket, Prefix: `${key}/`, MaxKeys: 1 })),
  );
  const around = above(prefix).map((each) => head(connection, treeKeys(connection.prefix, each).tree));
  const [listed, ...heads] = await Promise.all([below, head(connection, key), ...around]);
  return (listed.KeyCount ?? 0) > 0 || heads.some((found) => found !== undefined);
}

/** Every blob has to be there before the tree is: its files are read from them. */
async function sizesOf(blobs: Blobs, entries: readonly TreeEntry[]): Promise<Map<Digest, number>> {
  const sizes = new Map<Digest, number>();
  const firsts = new Map<Digest, string>();
  for (const { blob, path } of entries) if (blob && !firsts.has(blob)) firsts.set(blob, path);
  await forEachAtOnce(firsts, AT_ONCE, async ([digest, path]) => {
    const size = await blobs.sizeOf(digest);
    if (size === undefined) throw new Error(`${path} cannot be published: its blob ${digest} is not stored`);
    sizes.set(digest, size);
  });
  return sizes;
}

/** From here on the tree is there, whole. */
async function commit(connection: Connection, prefix: string, list: Buffer): Promise<void> {
  const key = treeKeys(connection.prefix, prefix).tree;
  try {
    await putWhole(connection, list, digestOf(list), { key, name: prefix, ifAbsent: true });
  } catch (error) {
    if (!(error instanceof AlreadyStored) || !(await isSame(connection, prefix, list))) throw error;
  }
}

/** The files under their own names, for everyone who looks into the bucket. Doing it again does no harm. */
async function copyAll(connection: Connection, prefix: string, entries: readonly TreeEntry[], sizes: ReadonlyMap<Digest, number>): Promise<void> {
  const all = byPath(entries);
  await forEachAtOnce(entries, AT_ONCE, async (entry) => {
    const name = `${prefix}/${entry.path}`;
    const key = fullKey(connection.prefix, name);
    const metadata: Record<string, string> = entry.symlink === undefined ? {} : { [META.link]: encodeURIComponent(entry.symlink) };
    const digest = contentOf(entry, all);
    const target = { key, name, metadata };
    // A link to a folder, or to nothing, has no bytes.
    if (!digest)
      await connection.run('store', key, (sdk, client) =>
        client.send(new sdk.PutObjectCommand({ Bucket: connection.bucket, Key: key, Body: NOTHING, ContentLength: 0, Metadata: metadata })),
      );
    else await copy(connection, { key: blobKey(connection.prefix, digest), size: sizes.get(digest) ?? 0, digest }, target);
  });
  await putWhole(connection, NOTHING, digestOf(NOTHING), { key: treeKeys(connection.prefix, prefix).copied, name: prefix });
}
