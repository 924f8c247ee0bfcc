// A bucket of a test's own, and what is in it.
import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Digest } from '../../../shared/ports/storage.ts';
import { blobKey, temporaryKey } from '../../../shared/s3/layout.ts';
import { fromEnv } from '../env.ts';

export interface TestBucket {
  endpoint: string;
  region: string;
  bucket: string;
  client: S3Client;
  /** Every key that begins so. */
  keys(prefix?: string): Promise<string[]>;
  /** Uploads in parts that were neither completed nor aborted. */
  uploads(): Promise<string[]>;
  read(key: string): Promise<string>;
  /** Changes a byte in the middle of an object. */
  damage(key: string): Promise<void>;
  empty(prefix?: string): Promise<void>;
  /** Leaves an upload of which a part was sent, and bytes on their way to a name. Resolves with a way to ask whether any of it is there still. */
  abandon(prefix?: string): Promise<() => Promise<boolean>>;
  dispose(): Promise<void>;
}

export async function makeBucket(): Promise<TestBucket> {
  const endpoint = fromEnv('TIDEMILL_TEST_S3_ENDPOINT');
  const region = process.env['AWS_REGION'] ?? 'us-east-1';
  const client = new S3Client({ endpoint, region, forcePathStyle: true });
  const bucket = `bytes-test-${randomBytes(4).toString('hex')}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  const keys = async (prefix = ''): Promise<string[]> => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key);
  };
  const bytes = async (key: string): Promise<Buffer> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const empty = async (prefix = ''): Promise<void> => {
    for (let found = await keys(prefix); found.length > 0; found = await keys(prefix))
      await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: found.map((Key) => ({ Key })), Quiet: true } }));
  };
  const uploads = async () => ((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).map(({ Key = '' }) => Key);
  const abandon = async (prefix = ''): Promise<() => Promise<boolean>> => {
    const [half, temporary] = [`${prefix}half-written`, temporaryKey(prefix)];
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: half }));
    await client.send(new UploadPartCommand({ Bucket: bucket, Key: half, UploadId, PartNumber: 1, Body: Buffer.alloc(5 * 1024 * 1024) }));
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: temporary, Body: 'half' }));
    return async () => (await uploads()).includes(half) || (await keys(temporary)).length > 0;
  };
  return {
    endpoint,
    region,
    bucket,
    client,
    keys,
    uploads,
    abandon,
    read: async (key) => (await bytes(key)).toString(),
    damage: async (key) => {
      const changed = await bytes(key);
      changed[changed.length >> 1]! ^= 1;
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: changed }));
    },
    empty,
    dispose: async () => {
      await empty();
      await client.send(new DeleteBucketCommand({ Bucket: bucket }));
      client.destroy();
    },
  };
}

export const blobAt = (prefix: string, digest: Digest): string => blobKey(prefix, digest);
