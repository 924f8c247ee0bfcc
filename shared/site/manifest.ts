// The manifest of a site: every file with its digest, in one canonical form, so that the same files always give the same digest.
import { z } from 'zod';
import type { Digest, Storage, TreeEntry } from '../ports/storage.ts';
import { compareBytes } from '../storage/keys.ts';
import { checkTree } from '../storage/tree-rules.ts';

export const MAX_FILES = 100_000;
/** Of the canonical JSON: room for MAX_FILES with paths of ordinary length. */
const MAX_BYTES = 64 * 1024 * 1024;

export type SiteFile =
  | { path: string; digest: Digest; /** Bytes. */ size: number; executable?: true | undefined }
  /** A link: its target relative to its own folder, and never outside of the site. */
  | { path: string; symlink: string };

const DIGEST = /^sha256:[0-9a-f]{64}$/;

const manifestSchema = z.strictObject({
  version: z.literal(1),
  /** In the order of their paths' UTF-8 bytes. Checked by hand: a schema for each of 100,000 files takes half a second. */
  files: z.array(z.custom<SiteFile>(isSiteFile, 'is neither a file (path, digest, size, executable) nor a link (path, symlink)')).min(1).max(MAX_FILES),
});

export type Manifest = z.infer<typeof manifestSchema>;

function isSiteFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { path, digest, size, executable, symlink, ...rest } = value as Record<string, unknown>;
  for (const _ in rest) return false;
  if (typeof path !== 'string') return false;
  if (symlink !== undefined) return typeof symlink === 'string' && digest === undefined && size === undefined && executable === undefined;
  if (typeof digest !== 'string' || !DIGEST.test(digest)) return false;
  return Number.isSafeInteger(size) && (size as number) >= 0 && (executable === undefined || executable === true);
}

/** Not a manifest, or not in canonical form. */
export class InvalidManifest extends Error {
  override name = 'InvalidManifest';
}

/** The manifest of these files, in any order. Throws InvalidKey where a path cannot be stored, InvalidManifest where there are too many. */
export function manifestOf(files: readonly SiteFile[]): Manifest {
  if (files.length > MAX_FILES)
    throw new InvalidManifest(`A site may have ${MAX_FILES} files, and this one has ${files.length}; leave out what visitors do not need`);
  checkTree(files);
  return { version: 1, files: isSorted(files) ? [...files] : files.toSorted((a, b) => compareBytes(a.path, b.path)) };
}

/** Canonical JSON: no white space, fixed order of fields. Its sha-256 is the site's digest. */
export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.from(JSON.stringify({ version: 1, files: manifest.files.map(canonical) }));
}

/** Throws InvalidManifest, InvalidKey. */
export function decodeManifest(bytes: Buffer): Manifest {
  const checked = manifestSchema.safeParse(parseJson(bytes));
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new InvalidManifest(`Not a site's manifest: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const manifest = manifestOf(checked.data.files);
  if (!encodeManifest(manifest).equals(bytes)) throw new InvalidManifest('The manifest is not in its canonical form');
  return manifest;
}

/** The manifest stored under a digest, and its files as Storage publishes them. Throws when it is not there, or damaged. */
export async function readManifest(storage: Pick<Storage, 'getBlob'>, manifest: Digest): Promise<Manifest & { entries: TreeEntry[] }> {
  const stored = await storage.getBlob(manifest);
  if (!stored) throw new Error(`The manifest ${manifest} is not in the storage`);
  if (stored.size > MAX_BYTES) {
    stored.body.destroy();
    throw new InvalidManifest(`The manifest ${manifest} has ${stored.size} bytes; at most ${MAX_BYTES} are read`);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of stored.body) chunks.push(chunk as Buffer);
  const decoded = decodeManifest(Buffer.concat(chunks));
  return { ...decoded, entries: decoded.files.map(treeEntry) };
}

function isSorted(files: readonly SiteFile[]): boolean {
  return files.every((file, i) => i === 0 || compareBytes(files[i - 1]!.path, file.path) < 0);
}

function canonical(file: SiteFile): SiteFile {
  if ('symlink' in file) return { path: file.path, symlink: file.symlink };
  const { path, digest, size } = file;
  return file.executable ? { path, digest, size, executable: true } : { path, digest, size };
}

function treeEntry(file: SiteFile): TreeEntry {
  if ('symlink' in file) return file;
  return file.executable ? { path: file.path, blob: file.digest, executable: true } : { path: file.path, blob: file.digest };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new InvalidManifest(`Not a site's manifest: ${(error as Error).message}`, { cause: error });
  }
}
