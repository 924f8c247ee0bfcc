// The manifest of a site: every file with its digest, in one canonical form, so that the same files always give the same digest.
import { z } from 'zod';
import { digest } from '../objects/fields.ts';
import type { Digest, Storage, TreeEntry } from '../ports/storage.ts';
import { compareBytes } from '../storage/keys.ts';
import { checkTree } from '../storage/tree-rules.ts';

export const MAX_FILES = 100_000;
/** Of the canonical JSON: room for MAX_FILES with paths of ordinary length. */
const MAX_BYTES = 64 * 1024 * 1024;

const blob = digest.transform((value) => value as Digest);

const siteFile = z.union([
  z.strictObject({
    path: z.string(),
    digest: blob,
    /** Bytes. */
    size: z.int().nonnegative(),
    executable: z.literal(true).optional(),
  }),
  /** A link: its target relative to its own folder, and never outside of the site. */
  z.strictObject({ path: z.string(), symlink: z.string() }),
]);

const manifestSchema = z.strictObject({
  version: z.literal(1),
  /** In the order of their paths' UTF-8 bytes. */
  files: z.array(siteFile).min(1).max(MAX_FILES),
});

export type SiteFile = z.infer<typeof siteFile>;
export type Manifest = z.infer<typeof manifestSchema>;

/** Not a manifest, or not in canonical form. */
export class InvalidManifest extends Error {
  override name = 'InvalidManifest';
}

/** The manifest of these files, in any order. Throws InvalidKey where a path cannot be stored, InvalidManifest where there are too many. */
export function manifestOf(files: readonly SiteFile[]): Manifest {
  if (files.length > MAX_FILES)
    throw new InvalidManifest(`A site may have ${MAX_FILES} files, and this one has ${files.length}; leave out what visitors do not need`);
  checkTree(files.map(linkOrFile));
  return { version: 1, files: files.toSorted((a, b) => compareBytes(a.path, b.path)) };
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

function canonical(file: SiteFile): SiteFile {
  if ('symlink' in file) return { path: file.path, symlink: file.symlink };
  const { path, digest: of, size } = file;
  return file.executable ? { path, digest: of, size, executable: true } : { path, digest: of, size };
}

function treeEntry(file: SiteFile): TreeEntry {
  if ('symlink' in file) return file;
  return file.executable ? { path: file.path, blob: file.digest, executable: true } : { path: file.path, blob: file.digest };
}

function linkOrFile(file: SiteFile): { path: string; symlink?: string } {
  return 'symlink' in file ? file : { path: file.path };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new InvalidManifest(`Not a site's manifest: ${(error as Error).message}`, { cause: error });
  }
}
