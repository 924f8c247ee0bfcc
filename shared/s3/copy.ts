// Copies inside the bucket, done by the server: no bytes come through here but those of small objects that must be new.
import { AlreadyStored, type Digest, DigestMismatch } from '../ports/storage.ts';
import { digestOf } from '../digests/digest.ts';
import type { Connection } from './connect.ts';
import { isFailure, S3Failure } from './errors.ts';
import { META } from './layout.ts';
import { bytesOf, head, read } from './read.ts';
import { putWhole, type Target } from './write.ts';

/** Up to this, reading and writing again costs less than an upload in parts. */
const SMALL_BYTES = 1024 * 1024;
/** S3's most for a copy in one request. */
const ONE_REQUEST_BYTES = 5 * 1024 ** 3;
const COPY_PART_BYTES = 1024 ** 3;

export interface Source {
  /** Of the bucket. */
  key: string;
  size: number;
  digest: Digest;
}

/**
 * Gives the target the source's content, with its digest in the metadata. With `ifAbsent`: where other bytes are there, AlreadyStored; the same bytes
 * are success. Servers ignore that condition on a copy, so that such copies are uploads whose parts are copied.
 */
export async function copy(connection: Connection, source: Source, target: Target): Promise<void> {
  const metadata = { ...target.metadata, [META.sha256]: source.digest.slice(7) };
  if (target.ifAbsent && source.size <= SMALL_BYTES) return keepSame(connection, source, target, () => copySmall(connection, source, target));
  if (target.ifAbsent || source.size > ONE_REQUEST_BYTES)
    return keepSame(connection, source, target, () => copyParts(connection, source, { ...target, metadata }));
  await connection.run('copy', target.key, (sdk, client) =>
    client.send(
      new sdk.CopyObjectCommand({
        Bucket: connection.bucket,
        Key: target.key,
        CopySource: sourceOf(connection, source),
        MetadataDirective: 'REPLACE',
        Metadata: metadata,
      }),
    ),
  );
}

async function copySmall(connection: Connection, source: Source, target: Target): Promise<void> {
  const found = await read(connection, source.key);
  if (!found) throw new S3Failure(`${target.name} could not be copied: its source is gone`, 'NoSuchKey', 404);
  const bytes = await bytesOf(found.body);
  const actual = digestOf(bytes);
  if (actual !== source.digest) throw new DigestMismatch(`The blob ${source.digest}`, source.digest, actual);
  await putWhole(connection, bytes, source.digest, target);
}

async function copyParts(connection: Connection, source: Source, target: Target): Promise<void> {
  const at = { Bucket: connection.bucket, Key: target.key };
  const { UploadId } = await connection.run('copy', target.key, (sdk, client) =>
    client.send(new sdk.CreateMultipartUploadCommand({ ...at, Metadata: target.metadata ?? {} })),
  );
  try {
    const Parts: { PartNumber: number; ETag: string }[] = [];
    for (let start = 0; start < source.size; start += COPY_PART_BYTES) {
      const PartNumber = Parts.length + 1;
      const end = Math.min(start + COPY_PART_BYTES, source.size) - 1;
      const part = { ...at, UploadId, PartNumber, CopySource: sourceOf(connection, source), CopySourceRange: `bytes=${start}-${end}` };
      const copied = await connection.run('copy', target.key, (sdk, client) => client.send(new sdk.UploadPartCopyCommand(part)));
      Parts.push({ PartNumber, ETag: copied.CopyPartResult?.ETag ?? '' });
    }
    const end = { ...at, UploadId, MultipartUpload: { Parts }, ...(target.ifAbsent && { IfNoneMatch: '*' }) };
    await connection.run('copy', target.key, (sdk, client) => client.send(new sdk.CompleteMultipartUploadCommand(end)));
  } catch (error) {
    // Else it is swept away when it is a day old; the first error is the one to tell.
    await connection.run('copy', target.key, (sdk, client) => client.send(new sdk.AbortMultipartUploadCommand({ ...at, UploadId }))).catch(() => undefined);
    throw error;
  }
}

/** Where the key was taken, or the answer to the end of a copy was lost: whether it holds the same bytes tells what to say. */
async function keepSame(connection: Connection, source: Source, target: Target, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof AlreadyStored) && !isFailure(error, 412, 'NoSuchUpload', 'ConditionalRequestConflict')) throw error;
    const there = await head(connection, target.key);
    if (there?.metadata[META.sha256] === source.digest.slice(7) && there.size === source.size) return;
    throw there ? new AlreadyStored(target.name) : error;
  }
}

function sourceOf({ bucket }: Connection, source: Source): string {
  return `${bucket}/${source.key.split('/').map(encodeURIComponent).join('/')}`;
}
