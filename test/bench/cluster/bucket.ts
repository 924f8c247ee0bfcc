// A bucket of a bench's own.
import process from 'node:process';
import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { fromEnv } from '../../cluster/env.ts';
import type { Ground } from './ground.ts';

const open = () => new S3Client({ endpoint: fromEnv('TIDEMILL_TEST_S3_ENDPOINT'), region: process.env['AWS_REGION'] ?? 'us-east-1', forcePathStyle: true });

export async function makeBucket({ later }: Ground, bucket: string): Promise<string> {
  const s3 = open();
  later(`bucket ${bucket}`, () => removeBucket(bucket));
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  s3.destroy();
  return bucket;
}

/** With all that is in it; one that is not there is gone. */
export async function removeBucket(bucket: string): Promise<void> {
  const s3 = open();
  try {
    for (;;) {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
      if (Contents.length === 0) break;
      await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true } }));
    }
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if ((error as Error).name !== 'NoSuchBucket') throw error;
  } finally {
    s3.destroy();
  }
}
