// A site's files as one tar.gz that depends on nothing but the files: sorted, no times, no owners, fixed modes and level.
import { PassThrough, Transform, pipeline, type Readable } from 'node:stream';
import { pipeline as finish } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Header, type Pack } from 'tar-stream';
import type { Storage } from '../ports/storage.ts';
import type { Manifest, SiteFile } from './manifest.ts';

/** Near the size of level 6 at twice its speed. */
const LEVEL = 4;
const CHUNK_BYTES = 64 * 1024;
const EPOCH = new Date(0);
/** Byte of the gzip header (RFC 1952) that names the system it was made on, and the value for "unknown". */
const OS_AT = 9;
const OS_UNKNOWN = 255;

type StoredFile = Extract<SiteFile, { size: number }>;

/** Bytes of the archive, at constant memory. A blob that is missing or damaged ends the stream with an error. */
export function archiveOf(manifest: Manifest, storage: Pick<Storage, 'getBlob'>): Readable {
  const tar = pack();
  const out = new PassThrough();
  // Whoever reads `out` hears of an error from it.
  pipeline(tar, evenChunks(), createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES }), neutralHeader(), out, () => undefined);
  void packAll(tar, manifest, storage).catch((error: unknown) => tar.destroy(error as Error));
  return out;
}

async function packAll(tar: Pack, manifest: Manifest, storage: Pick<Storage, 'getBlob'>): Promise<void> {
  for (const file of manifest.files) {
    if (tar.destroyed) return;
    if ('symlink' in file) tar.entry({ ...common(file), type: 'symlink', linkname: file.symlink, mode: 0o777 });
    else await packFile(tar, file, storage);
  }
  tar.finalize();
}

async function packFile(tar: Pack, file: StoredFile, storage: Pick<Storage, 'getBlob'>): Promise<void> {
  const stored = await storage.getBlob(file.digest);
  if (!stored) throw new Error(`${file.path} cannot be archived: its blob ${file.digest} is not in the storage`);
  const entry = tar.entry({ ...common(file), type: 'file', size: file.size, mode: file.executable ? 0o755 : 0o644 });
  await finish(stored.body, entry);
}

function common(file: SiteFile): Partial<Header> & { name: string } {
  return { name: file.path, mtime: EPOCH, uid: 0, gid: 0 };
}

/** gzip gets pieces of one size, however the tar was cut: nothing of how it was read may show in the result. */
function evenChunks(): Transform {
  let held: Buffer[] = [];
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      held.push(chunk);
      bytes += chunk.length;
      if (bytes < CHUNK_BYTES) return done();
      const all = Buffer.concat(held);
      let at = 0;
      for (; at + CHUNK_BYTES <= all.length; at += CHUNK_BYTES) this.push(all.subarray(at, at + CHUNK_BYTES));
      held = [all.subarray(at)];
      bytes = all.length - at;
      done();
    },
    flush(done) {
      done(null, Buffer.concat(held));
    },
  });
}

function neutralHeader(): Transform {
  let at = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (at <= OS_AT && OS_AT < at + chunk.length) chunk[OS_AT - at] = OS_UNKNOWN;
      at += chunk.length;
      done(null, chunk);
    },
  });
}
