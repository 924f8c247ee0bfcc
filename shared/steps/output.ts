// The step `output`: stores what a build left as a site: every file by its digest, the manifest of all, and the archive.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { z } from 'zod';
import { relativePath } from '../objects/fields.ts';
import type { Digest, Storage } from '../ports/storage.ts';
import type { Builtin, BuiltinContext } from '../runner/builtin.ts';
import { archiveOf } from '../site/archive.ts';
import { encodeManifest, type Manifest, manifestOf, type SiteFile } from '../site/manifest.ts';
import { forEachAtOnce } from '../storage/gate.ts';
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

export function outputStep(storage: Storage): Builtin {
  return async (context) => {
    const { directory, output } = parseInput('output', outputInput, context);
    const workspace = sourceFolder('output', context);
    const { base, folder, name } = await findOutput(workspace, directory, output);
    const began = performance.now();
    const left = new Set<string>();
    const manifest = await storeFiles(storage, folder, name === '.' ? repositoryFilter(left) : () => false, context);
    const site = await storage.putBlob(encodeManifest(manifest));
    const archive = await storeArchive(storage, manifest, context.signal);
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

async function storeArchive(storage: Storage, manifest: Manifest, signal: AbortSignal): Promise<{ digest: Digest }> {
  const archive = addAbortSignal(signal, archiveOf(manifest, storage));
  try {
    return await storage.putBlob(archive);
  } finally {
    archive.destroy();
  }
}

/** A repository that is its own site is published without what is not for visitors: dependencies, and names that begin with a dot. */
function repositoryFilter(left: Set<string>): (path: string, name: string) => boolean {
  return (path, name) => {
    const out = name === 'node_modules' || (name.startsWith('.') && path !== '.well-known');
    if (out && left.size < 20) left.add(path);
    return out;
  };
}

async function storeFiles(storage: Storage, folder: string, leaveOut: (path: string, name: string) => boolean, { signal }: BuiltinContext): Promise<Manifest> {
  const walked = await walk(folder, leaveOut);
  if (walked.length === 0) throw new Error('The output folder is empty; there is nothing to release');
  // Wrong paths are told before any byte is stored.
  manifestOf(walked.map((entry) => ('symlink' in entry ? entry : { path: entry.path, digest: EMPTY, size: 0 })));
  const files: SiteFile[] = [];
  await forEachAtOnce(walked, AT_ONCE, async (entry) => {
    signal.throwIfAborted();
    files.push('symlink' in entry ? entry : await storeFile(storage, folder, entry.path, signal));
  });
  return manifestOf(files);
}

const EMPTY: Digest = `sha256:${'0'.repeat(64)}`;

async function storeFile(storage: Storage, folder: string, path: string, signal: AbortSignal): Promise<SiteFile> {
  const file = await openOwn(join(folder, path));
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Error(`${path} was changed while it was read`);
    const body = info.size <= WHOLE_BYTES ? await file.readFile() : file.createReadStream({ autoClose: false, highWaterMark: WHOLE_BYTES / 4, signal });
    const { digest, size } = await storage.putBlob(body);
    return (info.mode & 0o100) !== 0 ? { path, digest, size, executable: true } : { path, digest, size };
  } finally {
    await file.close();
  }
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
