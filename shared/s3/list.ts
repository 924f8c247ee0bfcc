// Lists keys in the order of their bytes: those that stand in the bucket, and the files of trees whose copies are not all made yet.
import type { Connection } from './connect.ts';
import { compareBytes } from '../storage/keys.ts';
import { above, OWN, treeKeys, treeOf, treesBelow } from './layout.ts';
import { head } from './read.ts';
import { readTree, type Tree } from './trees.ts';

const MAX_LIST = 1000;
const PAGE = 1000;
/** Comes after every key that begins with what stands before it. */
const LAST = '\u{10ffff}';
/** Lists of trees that are remembered, by what they are written in. */
const MAX_TREES = 64;

export interface Listed {
  keys: string[];
  more: boolean;
}

export type List = (prefix: string, options?: { limit?: number; after?: string }) => Promise<Listed>;

export function createList(connection: Connection): List {
  const trees = new Map<string, Tree>();

  /** Trees are never changed: the list that was read under this version of its object is still true. */
  const treeAt = async (prefix: string, etag: string): Promise<Tree | undefined> => {
    const id = `${etag} ${prefix}`;
    const tree = trees.get(id) ?? (await readTree(connection, prefix));
    if (!tree) return undefined;
    trees.delete(id);
    trees.set(id, tree);
    for (const oldest of trees.keys()) if (trees.size > MAX_TREES) trees.delete(oldest);
    return tree;
  };

  return async (prefix, { limit = MAX_LIST, after = '' } = {}) => {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIST) throw new RangeError(`A list's limit must be 1 to ${MAX_LIST}, not ${limit}`);
    const raw = await rawKeys(connection, prefix, after, limit + 1);
    // Looked at after the keys: a copy that was seen is one of a tree that is seen now.
    const upTo = raw.more ? raw.keys.at(-1)! : LAST;
    const names = new Set(raw.keys);
    for (const tree of await treesIn(connection, prefix, after, upTo)) {
      for (const { path } of (await treeAt(tree.prefix, tree.etag))?.files ?? []) {
        const key = `${tree.prefix}/${path}`;
        if (key.startsWith(prefix) && compareBytes(key, after) > 0 && compareBytes(key, upTo) <= 0) names.add(key);
      }
    }
    const keys = names.size === raw.keys.length ? raw.keys : [...names].sort(compareBytes);
    return { keys: keys.slice(0, limit), more: raw.more || keys.length > limit };
  };
}

/** Keys of the bucket without those that are the storage's own. */
async function rawKeys(connection: Connection, prefix: string, after: string, wanted: number): Promise<Listed> {
  const keys: string[] = [];
  let from = after;
  for (;;) {
    const page = await objectsIn(connection, connection.prefix + prefix, from === '' ? '' : connection.prefix + from, Math.min(PAGE, wanted - keys.length));
    const found = page.objects.map(({ key }) => key.slice(connection.prefix.length));
    keys.push(...found.filter((key) => !key.startsWith(OWN)));
    if (!page.more) return { keys, more: false };
    if (keys.length >= wanted) return { keys, more: true };
    const last = found.at(-1)!;
    from = last.startsWith(OWN) ? OWN + LAST : last;
  }
}

interface TreeName {
  prefix: string;
  etag: string;
}

/** Trees that can have a file that begins with the prefix and lies between the two keys. */
async function treesIn(connection: Connection, prefix: string, after: string, upTo: string): Promise<TreeName[]> {
  const isAfter = compareBytes(after, prefix) > 0;
  // The list below the prefix has the others.
  const around = above(isAfter ? after : `${prefix}x`).filter(
    (each) => !`${each}/`.startsWith(prefix) || (isAfter && compareBytes(`${each}/~tree`, after) <= 0),
  );
  const trees: TreeName[] = [];
  const addBelow = async (): Promise<void> => {
    const start = treesBelow(connection.prefix, prefix);
    let from = isAfter ? treesBelow(connection.prefix, after) : '';
    for (;;) {
      const page = await objectsIn(connection, start, from, PAGE);
      for (const { key, etag } of page.objects) {
        const tree = treeOf(connection.prefix, key);
        if (tree !== undefined && compareBytes(`${tree}/`, upTo) > 0) return;
        if (tree !== undefined) trees.push({ prefix: tree, etag });
      }
      if (!page.more) return;
      from = page.objects.at(-1)!.key;
    }
  };
  await Promise.all([
    addBelow(),
    ...around.map(async (each) => {
      const found = await listTree(connection, each);
      if (found) trees.push(found);
    }),
  ]);
  return trees;
}

async function listTree(connection: Connection, prefix: string): Promise<TreeName | undefined> {
  const found = await head(connection, treeKeys(connection.prefix, prefix).tree);
  return found && { prefix, etag: found.etag };
}

export interface StoredObject {
  key: string;
  etag: string;
  modified: Date | undefined;
}

/** A page of the bucket's objects, in the order of their keys' bytes. */
export async function objectsIn(connection: Connection, prefix: string, after: string, limit: number): Promise<{ objects: StoredObject[]; more: boolean }> {
  const page = await connection.run('list', prefix, (sdk, client) =>
    client.send(
      new sdk.ListObjectsV2Command({
        Bucket: connection.bucket,
        Prefix: prefix,
        MaxKeys: limit,
        EncodingType: 'url',
        ...(after !== '' && { StartAfter: after }),
      }),
    ),
  );
  const decode = page.EncodingType === 'url' ? (key: string) => decodeURIComponent(key.replaceAll('+', ' ')) : (key: string) => key;
  const objects = (page.Contents ?? []).map(({ Key = '', ETag: etag = '', LastModified: modified }) => ({ key: decode(Key), etag, modified }));
  return { objects, more: page.IsTruncated ?? false };
}
