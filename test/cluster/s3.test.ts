import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll } from 'vitest';
import { createS3Storage } from '../../shared/s3/storage.ts';
import { blobKey } from '../../shared/s3/layout.ts';
import { storageContract } from '../contracts/storage.ts';
import { fromEnv } from './env.ts';

const endpoint = fromEnv('TIDEMILL_TEST_S3_ENDPOINT');
const region = process.env['AWS_REGION'] ?? 'us-east-1';
const client = new S3Client({ endpoint, region, forcePathStyle: true });
const bucket = `bytes-test-${randomBytes(4).toString('hex')}`;

async function empty(prefix = ''): Promise<void> {
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    if (Contents.length === 0) return;
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true } }));
  }
}

beforeAll(async () => {
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
});
afterAll(async () => {
  await empty();
  await client.send(new DeleteBucketCommand({ Bucket: bucket }));
  client.destroy();
});

storageContract('s3', async () => {
  const prefix = randomBytes(4).toString('hex');
  return {
    storage: createS3Storage({ endpoint, bucket, region, prefix }),
    rot: async (digest) => {
      const key = blobKey(`${prefix}/`, digest);
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      const bytes = Buffer.from(await Body!.transformToByteArray());
      bytes[bytes.length >> 1]! ^= 1;
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }));
    },
    dispose: () => empty(`${prefix}/`),
  };
});
