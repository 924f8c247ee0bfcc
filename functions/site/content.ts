// The bytes that the site serves: manifests, small files and their compressed forms in bounded memory; the rest streams from Storage.
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Digest, Storage } from '../../shared/ports/storage.ts';
import { readManifest } from '../../shared/site/manifest.ts';
import { createGate } from '../../shared/storage/gate.ts';
import { createLru } from './lru.ts';
import type { Encoding } from './negotiate.ts';
import { createIndex, type IndexedFile, type SiteIndex } from './site-index.ts';

export interface Content {
  /** At once where it is in memory. Throws when the manifest is not there, or damaged. */
  index(manifest: Digest): SiteIndex | Promise<SiteIndex>;
  /** The file's bytes, for files of at most `SMALL_BYTES`. */
  small(file: IndexedFile): Buffer | Promise<Buffer>;
  /** Compressed bytes; undefined: there are none that are worth it, or not yet. */
  compressed(file: IndexedFile, encoding: Encoding): Buffer | undefined | Promise<Buffer | undefined>;
}

export const SMALL_BYTES = 256 * 1024;
const FILES_BYTES = 32 * 1024 * 1024;
/** Of the manifests' text; an index of it takes about as much again. */
const MANIFESTS_BYTES = 16 * 1024 * 1024;
const BYTES_PER_FILE = 160;

/** Below, compression saves less than it costs; above, nobody waits for it; far above, it is not done. */
const COMPRESS_FROM = 512;
const COMPRESS_WAITING = 1024 * 1024;
const COMPRESS_UP_TO = 8 * 1024 * 1024;
const COMPRESS_AT_ONCE = 2;
/** Most of what quality 11 saves, at a fiftieth of its time. */
const BROTLI_QUALITY = 5;
const GZIP_LEVEL = 6;
/** A compressed form that saves less than a twentieth is not worth the client's work. */
const WORTH_IT = 0.95;

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

export function createContent(storage: Storage): Content {
  const indexes = createLru<SiteIndex>(MANIFESTS_BYTES, true);
  const bytes = createLru<Buffer>(FILES_BYTES);
  const useless = createLru<true>(10_000, true);
  const running = new Map<string, Promise<unknown>>();
  const gate = createGate(COMPRESS_AT_ONCE);

  /** What many ask for at the same time is done once. */
  const once = <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const current = running.get(key) as Promise<T> | undefined;
    if (current) return current;
    const started = work().finally(() => running.delete(key));
    running.set(key, started);
    return started;
  };

  const loadIndex = async (digest: Digest): Promise<SiteIndex> => {
    const manifest = await readManifest(storage, digest);
    const index = createIndex(manifest);
    indexes.set(digest, index, manifest.files.length * BYTES_PER_FILE);
    return index;
  };

  const loadFile = async (file: IndexedFile): Promise<Buffer> => {
    const loaded = await readBlob(storage, file);
    bytes.set(file.digest, loaded, loaded.length);
    return loaded;
  };

  const small = (file: IndexedFile): Buffer | Promise<Buffer> => bytes.get(file.digest) ?? once(file.digest, () => loadFile(file));

  const compress = async (file: IndexedFile, encoding: Encoding, key: string): Promise<Buffer | undefined> => {
    const plain = file.size <= SMALL_BYTES ? await small(file) : await readBlob(storage, file);
    const packed = await gate(() => (encoding === 'br' ? brotli(plain, brotliOptions(plain.length)) : zip(plain, { level: GZIP_LEVEL })));
    if (packed.length > plain.length * WORTH_IT) {
      useless.set(key, true, 1);
      return undefined;
    }
    bytes.set(key, packed, packed.length);
    return packed;
  };

  return {
    index: (manifest) => indexes.get(manifest) ?? once(manifest, () => loadIndex(manifest)),
    small,
    compressed: (file, encoding) => {
      if (!file.compressible || file.size < COMPRESS_FROM || file.size > COMPRESS_UP_TO) return undefined;
      const key = `${file.digest}.${encoding}`;
      const known = bytes.get(key);
      if (known) return known;
      if (useless.get(key)) return undefined;
      const work = once(key, () => compress(file, encoding, key));
      if (file.size <= COMPRESS_WAITING) return work;
      work.catch(() => undefined); // whoever asks for the file itself hears what is wrong with it
      return undefined;
    },
  };
}

function brotliOptions(size: number) {
  return { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: size } };
}

async function readBlob(storage: Storage, file: IndexedFile): Promise<Buffer> {
  const stored = await storage.getBlob(file.digest);
  if (!stored) throw new Error(`The blob ${file.digest} of ${file.path} is not in the storage`);
  // A small blob comes with all its bytes there.
  if (stored.size > 0 && stored.body.readableLength === stored.size) return stored.body.read() as Buffer;
  const chunks: Buffer[] = [];
  for await (const chunk of stored.body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
