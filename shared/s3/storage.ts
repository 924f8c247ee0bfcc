// The Storage port on a bucket of S3, or of a server that speaks it. What stands where: layout.ts.
import { AlreadyStored, type Digest, type PutOptions, type Storage, type StoredInfo } from '../ports/storage.ts';
import { createGate, createWriteGate } from '../storage/gate.ts';
import { type Body, digestOf } from '../digests/digest.ts';
import { type Blobs, createBlobs } from './blobs.ts';
import { sweepBucket } from './bucket.ts';
import { connect, type Connection, type S3Options } from './connect.ts';
import { copy } from './copy.ts';
import { blobKey, fullKey, META, temporaryKey } from './layout.ts';
import { createList } from './list.ts';
import { createPresign, type Presign } from './presign.ts';
import { digestIn, head, type Range, read, readChecked } from './read.ts';
import { remove } from './remove.ts';
import { byPath, contentOf, dissolve, publishTree, treeAround } from './trees.ts';
import { beginningOf, checkDigest, isWhole, joined, putParts, putWhole } from './write.ts';

export interface S3Storage extends Storage, Presign {
  /** Whether a blob of this size is stored; "damaged" where it has another, or, as far as the server keeps sums, other bytes. */
  findBlob: Blobs['find'];
}

/** Streams of more than a part that are written at once; each holds a few parts in memory. */
const LARGE_AT_ONCE = 4;

/** Nothing is asked of the bucket, and the SDK is not loaded, before the first request. */
export function createS3Storage(options: S3Options): S3Storage {
  const connection = connect(options);
  const blobs = createBlobs(connection);
  const gate = createWriteGate();
  const large = createGate(LARGE_AT_ONCE);
  const context: Context = { connection, blobs, large };

  return {
    put: async (key, body, putOptions = {}) => {
      const full = fullKey(connection.prefix, key);
      return gate(body, () => put(context, full, key, body, putOptions));
    },
    get: async (key, getOptions) => get(context, key, getOptions?.range),
    stat: async (key) => stat(context, key),
    list: createList(connection),
    delete: async (key) => {
      const full = fullKey(connection.prefix, key);
      const around = await treeAround(connection, key);
      if (around) await dissolve(connection, blobs, around.prefix, around.tree);
      await remove(connection, full);
    },
    putBlob: async (body, digest) => {
      if (digest !== undefined) blobKey(connection.prefix, digest);
      return gate(body, () => blobs.put(body, digest));
    },
    getBlob: async (digest, getOptions) => blobs.get(digest, getOptions?.range),
    publishTree: async (prefix, entries) => publishTree(connection, blobs, prefix, entries),
    publishBlob: async (key, digest) => publishBlob(context, key, digest),
    sweep: async (before) => sweepBucket(connection, Date.parse(before)),
    findBlob: blobs.find,
    ...createPresign(connection),
  };
}

interface Context {
  connection: Connection;
  blobs: Blobs;
  large: ReturnType<typeof createGate>;
}

async function put({ connection, large }: Context, key: string, name: string, body: Body, { digest, ifAbsent }: PutOptions): Promise<Required<StoredInfo>> {
  if (ifAbsent && (await head(connection, key))) throw new AlreadyStored(name);
  const target = { key, name, ifAbsent };
  const whole = async (bytes: Uint8Array): Promise<Required<StoredInfo>> => {
    const actual = digestOf(bytes);
    checkDigest(digest, actual, name);
    await putWhole(connection, bytes, actual, target);
    return { digest: actual, size: bytes.byteLength };
  };
  if (isWhole(body)) return whole(body);
  const { first, rest } = await beginningOf(body);
  if (!rest) return whole(first);
  return large(async () => {
    const check = (written: { digest: Digest }) => checkDigest(digest, written.digest, name);
    const all = joined(first, rest);
    if (digest) return putParts(connection, all, { ...target, metadata: { [META.sha256]: digest.slice(7) } }, check);
    // Its digest goes into the metadata, which is given when an upload begins: so it waits under another name until all of it was read.
    const temporary = temporaryKey(connection.prefix);
    const written = await putParts(connection, all, { key: temporary, name }, check);
    try {
      await copy(connection, { key: temporary, ...written }, target);
    } finally {
      await remove(connection, temporary);
    }
    return written;
  });
}

async function get({ connection, blobs }: Context, key: string, range?: Range): ReturnType<Storage['get']> {
  const found = await read(connection, fullKey(connection.prefix, key), range);
  if (!found) {
    const digest = await inTree(connection, key);
    return digest && blobs.get(digest, range);
  }
  const digest = digestIn(found.metadata);
  if (isFolderLink(found.metadata)) {
    found.body.destroy();
    return undefined;
  }
  return digest && !range ? readChecked(found, `What is stored as ${key}`, digest) : { body: found.body, size: found.size };
}

async function stat({ connection, blobs }: Context, key: string): Promise<StoredInfo | undefined> {
  const found = await head(connection, fullKey(connection.prefix, key));
  if (found) {
    const digest = digestIn(found.metadata);
    return isFolderLink(found.metadata) ? undefined : { size: found.size, ...(digest && { digest }) };
  }
  const digest = await inTree(connection, key);
  const size = digest && (await blobs.sizeOf(digest));
  return size === undefined ? undefined : { size, digest: digest! };
}

/** A file of a tree whose copies are being made. */
async function inTree(connection: Connection, key: string): Promise<Digest | undefined> {
  const around = await treeAround(connection, key);
  return around && contentOf(around.entry, byPath(around.tree.files));
}

/** A link that leads to no file has a key, and nothing to read. */
function isFolderLink(metadata: Record<string, string>): boolean {
  return metadata[META.link] !== undefined && metadata[META.sha256] === undefined;
}

async function publishBlob({ connection, blobs }: Context, key: string, digest: Digest): Promise<void> {
  const full = fullKey(connection.prefix, key);
  const source = blobKey(connection.prefix, digest);
  const size = await blobs.sizeOf(digest);
  if (size === undefined) throw new Error(`${key} cannot be published: its blob ${digest} is not stored`);
  const there = await head(connection, full);
  if (there && (digestIn(there.metadata) !== digest || there.size !== size)) throw new AlreadyStored(key);
  if (!there) await copy(connection, { key: source, size, digest }, { key: full, name: key, ifAbsent: true });
}
