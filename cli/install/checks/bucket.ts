// Whether the bucket is there, and making it. Apart, as it loads the S3 client.
import { ensureBucket } from '../../../shared/s3/bucket.ts';
import { connect, type S3Options } from '../../../shared/s3/connect.ts';
import { isFailure } from '../../../shared/s3/errors.ts';

export async function bucketState(options: S3Options, make: boolean): Promise<'made' | 'was there' | 'missing'> {
  if (make) return await ensureBucket(options);
  const connection = connect(options);
  try {
    await connection.run('look for', '', (sdk, client) => client.send(new sdk.HeadBucketCommand({ Bucket: connection.bucket })));
    return 'was there';
  } catch (error) {
    if (isFailure(error, 404)) return 'missing';
    throw error;
  }
}
