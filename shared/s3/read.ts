// Reads objects as streams that go on by themselves where the connection is cut, from the byte they had come to, of the same object or not at all.
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { Readable, pipeline } from 'node:stream';
import { type Digest, DigestMismatch } from '../ports/storage.ts';
import { checker, wholeBody } from '../digests/verify.ts';
import { digestOf } from '../digests/digest.ts';
import type { Connection } from './connect.ts';
import { isFailure, S3Failure } from './errors.ts';
import { META } from './layout.ts';

export interface Range {
  start: number;
  end: number;
}

export interface Read {
  body: Readable;
  /** Of the whole object. */
  size: number;
  metadata: Record<string, string>;
}

/** Read in one go up to this. */
const SMALL_BYTES = 256 * 1024;
/** So often in a row a body may be cut without a byte having come. */
const MAX_CUTS = 5;
const CUT_WAIT_MS = 100;

export interface Head {
  size: number;
  etag: string;
  metadata: Record<string, string>;
  /** Base64, of the whole content, where the server keeps it. */
  sha256?: string;
}

/** Undefined: no such key. */
export async function head(connection: Connection, key: string, checksum = false): Promise<Head | undefined> {
  try {
    const found = await connection.run('look at', key, (sdk, client) =>
      client.send(new sdk.HeadObjectCommand({ Bucket: connection.bucket, Key: key, ...(checksum && { ChecksumMode: 'ENABLED' }) })),
    );
    const { ContentLength: size = 0, ETag: etag = '', Metadata: metadata = {}, ChecksumSHA256: sha256 } = found;
    return { size, etag, metadata, ...(sha256 !== undefined && !sha256.includes('-') && { sha256 }) };
  } catch (error) {
    if (isFailure(error, 'NoSuchKey', 'NotFound', 404) && error.code !== 'NoSuchBucket') return undefined;
    throw error;
  }
}

/** Undefined: no such key. Bytes as they are stored, unchecked. */
export async function read(connection: Connection, key: string, range?: Range): Promise<Read | undefined> {
  const wanted = range && { start: Math.max(0, range.start), end: range.end };
  if (wanted && wanted.end < wanted.start) return emptyRange(connection, key);
  let first: GetObjectCommandOutput;
  try {
    first = await get(connection, key, wanted);
  } catch (error) {
    if (isFailure(error, 'NoSuchKey', 'NotFound')) return undefined;
    if (wanted && isFailure(error, 'InvalidRange', 416)) return emptyRange(connection, key);
    throw error;
  }
  const length = first.ContentLength ?? 0;
  const size = Number(/\/(\d+)$/.exec(first.ContentRange ?? '')?.[1] ?? length);
  return { body: goingOn(connection, key, first, wanted?.start ?? 0, length), size, metadata: first.Metadata ?? {} };
}

/** As `read`, whole, with an error instead of the last bytes where they have another digest. */
export async function readChecked(found: Read, what: string, digest: Digest, onRot?: () => void): Promise<{ body: Readable; size: number }> {
  const { size } = found;
  if (size > SMALL_BYTES) {
    const body = checker(what, digest, onRot);
    // The reader hears of an error from `body` itself.
    pipeline(found.body, body, () => undefined);
    return { body, size };
  }
  const bytes = await bytesOf(found.body);
  const actual = digestOf(bytes);
  if (actual === digest) return { body: wholeBody(bytes), size };
  onRot?.();
  const body = new Readable({ read() {} });
  body.on('error', () => undefined); // told again to whoever reads it
  body.destroy(new DigestMismatch(what, digest, actual));
  return { body, size };
}

export async function bytesOf(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The sha-256 that was written with the object. */
export function digestIn(metadata: Record<string, string>): Digest | undefined {
  const hex = metadata[META.sha256];
  return hex !== undefined && /^[0-9a-f]{64}$/.test(hex) ? `sha256:${hex}` : undefined;
}

async function emptyRange(connection: Connection, key: string): Promise<Read | undefined> {
  const found = await head(connection, key);
  return found && { body: wholeBody(Buffer.alloc(0)), size: found.size, metadata: found.metadata };
}

function get(connection: Connection, key: string, range?: Range, etag?: string): Promise<GetObjectCommandOutput> {
  const { bucket } = connection;
  return connection.run('read', key, (sdk, client) =>
    client.send(
      new sdk.GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(range && { Range: `bytes=${range.start}-${Math.min(range.end, Number.MAX_SAFE_INTEGER)}` }),
        ...(etag !== undefined && { IfMatch: etag }),
      }),
    ),
  );
}

/** `length` bytes from `start` on. */
function goingOn(connection: Connection, key: string, first: GetObjectCommandOutput, start: number, length: number): Readable {
  let current = first.Body as Readable;
  const next = async (from: number): Promise<void> => {
    current.destroy();
    const again = await get(connection, key, { start: from, end: start + length - 1 }, first.ETag).catch((error: unknown) => {
      if (isFailure(error, 412, 404)) throw new S3Failure(`${key} was replaced while it was read; read it again`, 'Replaced', 412);
      throw error;
    });
    current = again.Body as Readable;
  };
  const body = Readable.from(
    pieces(() => current, next, { key, start, length }),
    { objectMode: false, highWaterMark: SMALL_BYTES },
  );
  body.once('close', () => current.destroy());
  return body;
}

async function* pieces(
  current: () => Readable,
  next: (from: number) => Promise<void>,
  { key, start, length }: { key: string; start: number; length: number },
): AsyncGenerator<Buffer> {
  let got = 0;
  for (let cuts = 0; got < length; cuts++) {
    let cause: unknown;
    try {
      for await (const chunk of current()) {
        const piece = (chunk as Buffer).subarray(0, length - got);
        got += piece.length;
        cuts = 0;
        yield piece;
      }
    } catch (error) {
      cause = error;
    }
    if (got >= length) return;
    if (cuts >= MAX_CUTS)
      throw new S3Failure(`Reading ${key} from S3 was cut off ${cuts + 1} times after ${got} of ${length} bytes; try again later`, 'Cut', undefined);
    await new Promise((resolve) => setTimeout(resolve, CUT_WAIT_MS * 2 ** cuts));
    await next(start + got).catch((error: unknown) => {
      throw error instanceof Error && error.cause === undefined ? Object.assign(error, { cause }) : error;
    });
  }
}
