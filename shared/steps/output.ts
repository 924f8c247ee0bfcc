// The step `output`: stores what a build left as a site: every file by its digest, the manifest of all, and the archive.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal, pipeline } from 'node:stream';
import { z } from 'zod';
import { relativePath } from '../objects/fields.ts';
import type { Digest, Storage } from '../ports/storage.ts';
import type { Builtin, BuiltinContext } from '../runner/builtin.ts';
import { archiveOf } from '../site/archive.ts';
import { encodeManifest, type Manifest, manifestOf, type SiteFile } from '../site/manifest.ts';
import { forEachAtOnce } from '../storage/gate.ts';
import { checker } from '../digests/verify.ts';
import { findOutput } from './find-output.ts';
import { parseInput, sourceFolder } from './input.ts';
import { walk } from './walk.ts';

const AT_ONCE = 16;
/** Read whole up to this; larger ones stream. So at most AT_ONCE times this is in memory. */
const WHOLE_BYTES = 1024 * 1024;
const MAX_PACKAGE_BYTES = 1024 * 1024;
/** What a version's name may be made of; others are the caller's to replace. */
const MAX_VERSION_LENGTH = 64;

export const outputInput = z.strictObject({
  /** Folder of the front end in the repository. */
  directory: relativePath.optional(),
  /** Folder below it that holds the site; "." for itself. Absent: found out. */
  output: relativePath.optional(),
});

export interface Written {
  digest: Digest;
  size: number;
}

/** Where the step stores: Storage itself, or what stands for it inside of a cluster's build. */
export interface StepStorage extends Pick<Storage, 'putBlob'> {
  /** Stores a file that stays open meanwhile and can be read twice. `size`: in bytes, as it was opened. */
  putFile?(file: FileHandle, size: number): Promise<Written>;
  /** So many files at once. */
  atOnce?: number;
}

export function outputStep(storage: StepStorage): Builtin {
  return async (context) => {
    const { directory, output } = parseInput('output', outputInput, context);
    const workspace = sourceFolder('output', context);
    const { base, folder, name } = await findOutput(workspace, directory, output);
    const began = performance.now();
    const left = new Set<string>();
    const manifest = await storeFiles(storage, folder, name === '.' ? repositoryFilter(left) : () => false, context);
    const site = await storage.putBlob(encodeManifest(manifest));
    const archive = await storeArchive(storage, manifest, folder, context.signal);
    const size = manifest.files.reduce((sum, file) => sum + ('size' in file ? file.size : 0), 0);
    const results = { manifest: site.digest, archive: archive.digest, files: manifest.files.length, size, packageVersion: await packageVersion(base) };
    for (const [key, value] of Object.entries(results)) await context.result(key, String(value));
    if (left.size > 0) context.log(`left out: ${[...left].sort().join(', ')}`);
    context.log(
      `${manifest.files.length} ${manifest.files.length === 1 ? 'file' : 'files'}, ${size} bytes of ${name} stored in ${Math.round(performance.now() - began)} ms as ${site.digest.slice(0, 19)}`,
    );
    return 0;
  };
}

async function storeArchive(storage: StepStorage, manifest: Manifest, folder: string, signal: AbortSignal): Promise<{ digest: Digest }> {
  const archive = addAbortSignal(signal, archiveOf(manifest, filesOf(manifest, folder)));
  try {
    return await storage.putBlob(archive);
  } finally {
    archive.destroy();
  }
}

/** The folder's own files by their digests, checked as they are read: what was changed since it was stored ends in an error. */
function filesOf(manifest: Manifest, folder: string): Pick<Storage, 'getBlob'> {
  const paths = new Map(manifest.files.flatMap((file) => ('digest' in file ? [[file.digest, file.path] as const] : [])));
  return {
    getBlob: async (digest) => {
      const path = paths.get(digest);
      if (path === undefined) return undefined;
      const file = await openOwn(join(folder, path));
      const info = await file.stat();
      const body = checker(`${path}, which was stored just now,`, digest);
      // Whoever reads `body` hears of an error from it.
      pipeline(file.createReadStream({ highWaterMark: WHOLE_BYTES / 4 }), body, () => undefined);
      return { body, size: info.size };
    },
  };
}

/** A repository that is its own site is published without what is not for visitors: dependencies, and names that begin with a dot. */
function repositoryFilter(left: Set<string>): (path: string, name: string) => boolean {
  return (path, name) => {
    const out = name === 'node_modules' || (name.startsWith('.') && path !== '.well-known');
    if (out && left.size < 20) left.add(path);
    return out;
  };
}

async function storeFiles(
  storage: StepStorage,
  folder: string,
  leaveOut: (path: string, name: string) => boolean,
  { signal }: BuiltinContext,
): Promise<Manifest> {
  const walked = await walk(folder, leaveOut);
  if (walked.length === 0) throw new Error('The output folder is empty; there is nothing to release');
  // Wrong paths are told before any byte is stored.
  manifestOf(walked.map((entry) => ('symlink' in entry ? entry : { path: entry.path, digest: EMPTY, size: 0 })));
  const files: SiteFile[] = [];
  await forEachAtOnce(walked, storage.atOnce ?? AT_ONCE, async (entry) => {
    signal.throwIfAborted();
    files.push('symlink' in entry ? entry : await storeFile(storage, folder, entry.path, signal));
  });
  return manifestOf(files);
}

const EMPTY: Digest = `sha256:${'0'.repeat(64)}`;

async function storeFile(storage: StepStorage, folder: string, path: string, signal: AbortSignal): Promise<SiteFile> {
  const file = await openOwn(join(folder, path));
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Error(`${path} was changed while it was read`);
    const { digest, size } = await (storage.putFile?.(file, info.size) ?? storage.putBlob(await bodyOf(file, info.size, signal)));
    return (info.mode & 0o100) !== 0 ? { path, digest, size, executable: true } : { path, digest, size };
  } finally {
    await file.close();
  }
}

async function bodyOf(file: FileHandle, size: number, signal: AbortSignal): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  return size <= WHOLE_BYTES ? file.readFile() : file.createReadStream({ autoClose: false, highWaterMark: WHOLE_BYTES / 4, signal });
}

/** Neither follows a link nor waits for a pipe: what was a file when the folder was listed can be anything by now. */
function openOwn(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
}

/** The version in package.json; the empty string where there is none that can be used. */
async function packageVersion(base: string): Promise<string> {
  try {
    const { version } = JSON.parse(await readOwnFile(join(base, 'package.json'))) as { version?: unknown };
    return typeof version === 'string' && version.length <= MAX_VERSION_LENGTH && !/[\p{Cc}\s]/u.test(version) ? version : '';
  } catch {
    return ''; // none, or none that can be read: the build did not mind, nor do we
  }
}

async function readOwnFile(path: string): Promise<string> {
  const file = await openOwn(path);
  try {
    const info = await file.stat();
    if (!info.isFile() || info.size > MAX_PACKAGE_BYTES) throw new Error(`${path} is not read: it is no file, or larger than ${MAX_PACKAGE_BYTES} bytes`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
