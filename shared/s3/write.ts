// Writes objects: whole ones in one request, streams in parts; checked against their digest before they have their name, and new keys won by one alone.
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { AlreadyStored, type Digest, DigestMismatch } from '../ports/storage.ts';
import type { Body, Written } from '../digests/digest.ts';
import type { Connection } from './connect.ts';
import { isFailure } from './errors.ts';
import { base64Of, META } from './layout.ts';
import { head } from './read.ts';

/** Of an upload in parts: S3's least, so that what is in memory is little. 10,000 of them are S3's most: 48 GiB. */
export const PART_BYTES = 5 * 1024 * 1024;
/** Parts of one stream under way at once. */
const PARTS_AT_ONCE = 2;
const CONFLICT_TRIES = 8;

export interface Target {
  /** Of the bucket. */
  key: string;
  /** What it is called in an error. */
  name: string;
  /** Throws AlreadyStored where the key is there. */
  ifAbsent?: boolean | undefined;
  metadata?: Record<string, string>;
}

export function checkDigest(expected: Digest | undefined, actual: Digest, name: string): void {
  if (expected !== undefined && expected !== actual) throw new DigestMismatch(`What was to be stored as ${name}`, expected, actual);
}

/** One request; the server checks the bytes against their sha-256 before it shows them. */
export async function putWhole(connection: Connection, bytes: Uint8Array, digest: Digest, target: Target): Promise<void> {
  const write = randomUUID();
  const { key, ifAbsent = false } = target;
  const sha256 = digest.slice(7);
  const metadata = { ...target.metadata, [META.sha256]: sha256, ...(ifAbsent && { [META.write]: write }) };
  const input = {
    Bucket: connection.bucket,
    Key: key,
    Body: bytes,
    ContentLength: bytes.byteLength,
    ChecksumSHA256: base64Of(digest),
    Metadata: metadata,
    ...(ifAbsent && { IfNoneMatch: '*' }),
  };
  await conditional(connection, target, write, CONFLICT_TRIES, async () => {
    if (await connection.putQuickly({ key, body: bytes, sha256, metadata, ifAbsent })) return;
    await connection.run('store', key, (sdk, client) => client.send(new sdk.PutObjectCommand(input)));
  });
}

/** In parts, at constant memory. `check` is asked for the digest of all of it before the object is there; its throw leaves nothing. */
export async function putParts(connection: Connection, body: AsyncIterable<Uint8Array>, target: Target, check: (written: Written) => void): Promise<Written> {
  const { Upload } = await import('./upload.ts');
  const write = randomUUID();
  let written: Written | undefined;
  const source = Readable.from(
    hashed(body, (all) => {
      check(all);
      written = all;
    }),
    { objectMode: false, highWaterMark: PART_BYTES / 8 },
  );
  try {
    // Its body is read once.
    await conditional(connection, target, write, 1, () =>
      connection.run('store', target.key, (_sdk, client) =>
        new Upload({
          client,
          params: {
            Bucket: connection.bucket,
            Key: target.key,
            Body: source,
            Metadata: { ...target.metadata, [META.write]: write },
            ...(target.ifAbsent && { IfNoneMatch: '*' }),
          },
          partSize: PART_BYTES,
          queueSize: PARTS_AT_ONCE,
        }).done(),
      ),
    );
  } finally {
    source.destroy();
  }
  if (!written) throw new Error(`${target.name} was stored before all of it was read`);
  return written;
}

/** The beginning of a stream, at most a part of it, and what follows; `rest` is absent where that was all. */
export async function beginningOf(body: AsyncIterable<Uint8Array>): Promise<{ first: Buffer; rest?: AsyncIterable<Uint8Array> }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const iterator = body[Symbol.asyncIterator]();
  while (size < PART_BYTES) {
    const next = await iterator.next();
    if (next.done) return { first: Buffer.concat(chunks) };
    chunks.push(next.value);
    size += next.value.byteLength;
  }
  return { first: Buffer.concat(chunks), rest: { [Symbol.asyncIterator]: () => iterator } };
}

export async function* joined(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

export function isWhole(body: Body): body is Uint8Array {
  return body instanceof Uint8Array;
}

/**
 * A write that may be asked for twice because its answer was lost: what then looks refused, or gone, was done by the first.
 * The id in the metadata tells. Two writers at once can be told so (409): they ask again.
 */
async function conditional(connection: Connection, { key, name }: Target, write: string, tries: number, work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      const refused = isFailure(error, 412);
      const conflict = isFailure(error, 'ConditionalRequestConflict', 'OperationAborted');
      if (!refused && !conflict && !isFailure(error, 'NoSuchUpload')) throw error;
      if ((await head(connection, key))?.metadata[META.write] === write) return;
      if (refused) throw new AlreadyStored(name);
      if (!conflict || attempt >= tries) throw error;
      await sleep(50 * attempt);
    }
  }
}

async function* hashed(body: AsyncIterable<Uint8Array>, done: (written: Written) => void): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    size += chunk.byteLength;
    yield chunk;
  }
  done({ digest: `sha256:${hash.digest('hex')}`, size });
}
