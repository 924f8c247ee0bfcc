// Where things stand in the bucket. Keys are as people write them; the storage's own are below `.store`, as in a folder on one machine:
//   <project>/<version>/…, <project>/archive/<version>.tar.gz, …   what people see
//   .store/sha256/<2 hex digits>/<62>                              bytes by their digest, each once
//   .store/trees/<prefix>/~tree                                    the list of a published tree's files: written once, it is what makes the tree visible
//   .store/trees/<prefix>/~copied                                  every file of the tree stands under its name too
//   .store/tmp/<uuid>                                              bytes on their way to a name
import { randomUUID } from 'node:crypto';
import type { Digest } from '../ports/storage.ts';
import { checkKey, InvalidKey } from '../storage/keys.ts';

const HIDDEN = '.store';
/** Begins every key that is the storage's own. */
export const OWN = `${HIDDEN}/`;
const TREES = `${OWN}trees/`;
const TREE = '/~tree';
const COPIED = '/~copied';
export const TEMPORARY = `${OWN}tmp/`;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** S3's limit, in bytes, for everything that a key is made of. */
const MAX_KEY_BYTES = 1024;

/** Metadata of what is stored (x-amz-meta-…). */
export const META = {
  /** Hexadecimal sha-256 of the content. */
  sha256: 'tidemill-sha256',
  /** Id of the write: whoever lost the answer to a conditional write finds out by it who won. */
  write: 'tidemill-write',
  /** Target of a link; the content is that of the file it leads to, where it leads to one. */
  link: 'tidemill-link',
} as const;

/** The bucket's key of a caller's key. Throws InvalidKey. */
export function fullKey(prefix: string, key: string): string {
  checkKey(key);
  if (key === HIDDEN || key.startsWith(OWN))
    throw new InvalidKey(`The key ${JSON.stringify(key)} cannot be used: ${HIDDEN} is where the storage keeps its own`);
  return within(prefix + key);
}

/** Throws InvalidKey. */
export function blobKey(prefix: string, digest: Digest): string {
  if (!DIGEST.test(digest)) throw new InvalidKey(`${JSON.stringify(digest.slice(0, 100))} is not a digest; it must be sha256:<64 hexadecimal digits>`);
  return `${prefix}${OWN}sha256/${digest.slice(7, 9)}/${digest.slice(9)}`;
}

export function treeKeys(prefix: string, tree: string): { tree: string; copied: string } {
  return { tree: within(`${prefix}${TREES}${tree}${TREE}`), copied: within(`${prefix}${TREES}${tree}${COPIED}`) };
}

/** Begins the keys of all trees below `of`. */
export function treesBelow(prefix: string, of: string): string {
  return `${prefix}${TREES}${of}`;
}

/** The tree whose list of files this key of the bucket is; undefined: it is something else. */
export function treeOf(prefix: string, key: string): string | undefined {
  const start = prefix + TREES;
  return key.startsWith(start) && key.endsWith(TREE) ? key.slice(start.length, -TREE.length) : undefined;
}

export function temporaryKey(prefix: string): string {
  return `${prefix}${TEMPORARY}${randomUUID()}`;
}

/** Folders above a key: "a/b/c" has "a" and "a/b". */
export function above(key: string): string[] {
  const parts = key.split('/');
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('/'));
}

export function base64Of(digest: Digest): string {
  return Buffer.from(digest.slice(7), 'hex').toString('base64');
}

function within(key: string): string {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES)
    throw new InvalidKey(`The key ${JSON.stringify(key.slice(0, 200))} cannot be stored: it is longer than ${MAX_KEY_BYTES} bytes`);
  return key;
}
