// Bytes by their digest, each once.
import type { Readable } from 'node:stream';
import { AlreadyStored, type Digest } from '../ports/storage.ts';
import { type Body, digestOf, digestStream, type Written } from '../digests/digest.ts';
import type { Connection } from './connect.ts';
import { copy } from './copy.ts';
import { base64Of, blobKey, temporaryKey } from './layout.ts';
import { head, type Range, read, readChecked } from './read.ts';
import { beginningOf, checkDigest, isWhole, joined, putParts, putWhole } from './write.ts';
import { remove } from './remove.ts';

/** Up to this, a blob is sent without asking first whether it is there: mostly it is not. */
const UNASKED_BYTES = 1024 * 1024;

export type Found = 'sound' | 'damaged' | 'absent';

export interface Blobs {
  put(body: Body, expected: Digest | undefined): Promise<Written>;
  get(digest: Digest, range: Range | undefined): Promise<{ body: Readable; size: number } | undefined>;
  /** Its size; undefined: it is not stored. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** "damaged": it is stored with another size or, as far as the server keeps sums, with other bytes. */
  find(digest: Digest, size: number): Promise<Found>;
}

export function createBlobs(connection: Connection): Blobs {
  const { prefix } = connection;
  const suspects = new Set<Digest>();

  const find = async (digest: Digest, size: number): Promise<Found> => {
    const found = await head(connection, blobKey(prefix, digest), true);
    if (!found) return 'absent';
    const isSound = !suspects.has(digest) && found.size === size && (found.sha256 === undefined || found.sha256 === base64Of(digest));
    return isSound ? 'sound' : 'damaged';
  };
  const has = async (digest: Digest, size: number): Promise<boolean> => (await find(digest, size)) === 'sound';

  const store = async (bytes: Uint8Array, digest: Digest): Promise<Written> => {
    const written = { digest, size: bytes.byteLength };
    const target = { key: blobKey(prefix, digest), name: `the blob ${digest}` };
    if (bytes.byteLength <= UNASKED_BYTES && !suspects.has(digest)) {
      try {
        await putWhole(connection, bytes, digest, { ...target, ifAbsent: true });
        return written;
      } catch (error) {
        if (!(error instanceof AlreadyStored)) throw error;
      }
    }
    if (await has(digest, bytes.byteLength)) return written;
    await putWhole(connection, bytes, digest, target);
    suspects.delete(digest);
    return written;
  };

  const putLarge = async (body: AsyncIterable<Uint8Array>, expected: Digest | undefined): Promise<Written> => {
    const check = (written: Written) => checkDigest(expected, written.digest, `the blob ${expected ?? ''}`);
    if (expected !== undefined) return putParts(connection, body, { key: blobKey(prefix, expected), name: `the blob ${expected}` }, check);
    const temporary = temporaryKey(prefix);
    const written = await putParts(connection, body, { key: temporary, name: 'a blob' }, check);
    try {
      if (!(await has(written.digest, written.size)))
        await copy(connection, { key: temporary, ...written }, { key: blobKey(prefix, written.digest), name: `the blob ${written.digest}` });
    } finally {
      await remove(connection, temporary);
    }
    return written;
  };

  return {
    find,
    sizeOf: async (digest) => (await head(connection, blobKey(prefix, digest)))?.size,
    put: async (body, expected) => {
      if (isWhole(body)) {
        const digest = digestOf(body);
        checkDigest(expected, digest, 'a blob');
        return store(body, digest);
      }
      const held = expected && !suspects.has(expected) ? await head(connection, blobKey(prefix, expected), true) : undefined;
      if (expected && held && (await has(expected, held.size))) {
        const all = await digestStream(body);
        checkDigest(expected, all.digest, 'a blob');
        if (all.size === held.size) return all;
        suspects.add(expected);
        throw new Error(`The stored blob ${expected} is ${held.size} bytes long and not ${all.size}: it is damaged. Store it again.`);
      }
      const { first, rest } = await beginningOf(body);
      if (rest) {
        const written = await putLarge(joined(first, rest), expected);
        suspects.delete(written.digest);
        return written;
      }
      const digest = digestOf(first);
      checkDigest(expected, digest, 'a blob');
      return store(first, digest);
    },
    get: async (digest, range) => {
      const found = await read(connection, blobKey(prefix, digest), range);
      if (!found || range) return found;
      return readChecked(found, `The blob ${digest}`, digest, () => suspects.add(digest));
    },
  };
}
