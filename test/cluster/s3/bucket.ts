// A bucket of a test's own, and what is in it.
import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Digest } from '../../../shared/ports/storage.ts';
import { blobKey } from '../../../shared/s3/layout.ts';
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
  return {
    endpoint,
    region,
    bucket,
    client,
    keys,
    uploads: async () => ((await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? []).map(({ Key = '' }) => Key),
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
