// The port that holds bytes: streams both ways, digests checked, nothing half-visible.
// Adapters: shared/storage (fs), shared/s3. Contract: test/contracts/storage.ts
import type { Readable } from 'node:stream';

/** sha256:<64 hexadecimal digits> */
export type Digest = `sha256:${string}`;

export interface PutOptions {
  /** Refuse the write (DigestMismatch, nothing kept) when the bytes have another digest. */
  digest?: Digest;
  /** Only if the key is not there yet; else AlreadyStored. Of many at once exactly one wins. */
  ifAbsent?: boolean;
}

export interface StoredInfo {
  size: number;
  digest?: Digest;
}

/** One file of a published tree. Exactly one of `blob` and `symlink`. */
export interface TreeEntry {
  /** Relative, "/" between segments, no "..". */
  path: string;
  blob?: Digest;
  /** Relative target inside the tree. */
  symlink?: string;
  executable?: boolean;
}

export interface Storage {
  /** Constant memory; durable and wholly visible when it resolves, not visible at all before. */
  put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options?: PutOptions): Promise<Required<StoredInfo>>;
  /** Undefined: no such key. `range`: inclusive offsets, as in HTTP; what lies beyond the end is left out. `size` is that of the whole. */
  get(key: string, options?: { range?: { start: number; end: number } }): Promise<{ body: Readable; size: number } | undefined>;
  stat(key: string): Promise<StoredInfo | undefined>;
  /** Keys that begin with a prefix ("a/" for what is below a), in byte order, at most `limit` (default 1000), after `after`. */
  list(prefix: string, options?: { limit?: number; after?: string }): Promise<{ keys: string[]; more: boolean }>;
  /** Nothing there is success. */
  delete(key: string): Promise<void>;

  /** Stores bytes under their digest, once. Returns the digest that they have. */
  putBlob(body: Uint8Array | AsyncIterable<Uint8Array>, digest?: Digest): Promise<{ digest: Digest; size: number }>;
  /** Digest checked while it streams: a reader of a whole blob that rotted gets an error (DigestMismatch) at the end, never silence. */
  getBlob(digest: Digest, options?: { range?: { start: number; end: number } }): Promise<{ body: Readable; size: number } | undefined>;
  /**
   * Makes the blobs visible as files below `prefix`, all at once: a reader sees the whole tree or none of it.
   * The same tree again is success; another tree under a prefix that is taken is AlreadyStored.
   */
  publishTree(prefix: string, entries: readonly TreeEntry[]): Promise<void>;
  /** Makes a blob visible under a key. The same again is success; other bytes there: AlreadyStored. */
  publishBlob(key: string, digest: Digest): Promise<void>;

  /**
   * Takes away what writes that never ended left behind: what has been lying since before that time (RFC 3339), and what is known to be a dead writer's.
   * Nothing that was stored goes, and no write that began later. So much at a time; `more`: there was no end of it yet.
   */
  sweep(before: string): Promise<{ removed: number; more: boolean }>;
}

export class DigestMismatch extends Error {
  override name = 'DigestMismatch';
  constructor(what: string, expected: string, actual: string) {
    super(`${what} has digest ${actual}, not ${expected}: what was read is not what was written`);
  }
}

export class AlreadyStored extends Error {
  override name = 'AlreadyStored';
  constructor(key: string) {
    super(`${key} is already stored, with other content`);
  }
}
