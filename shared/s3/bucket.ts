// Makes the bucket, and sweeps away what writes that were killed left in it.
import { connect, type Connection, type S3Options } from './connect.ts';
import { isFailure } from './errors.ts';
import { TEMPORARY } from './layout.ts';
import { objectsIn } from './list.ts';
import { remove } from './remove.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** What is older was left by a process that is dead: no upload of ours takes so long. */
const ABANDONED_DAYS = 2;
const MAX_SWEPT = 1000;

/** Makes the bucket where it is not there; what is there stays as it is. Throws S3Failure where that may not be done, or it is somebody else's. */
export async function ensureBucket(options: S3Options): Promise<'made' | 'was there'> {
  const connection = connect(options);
  const { bucket } = connection;
  try {
    await connection.run('look for', '', (sdk, client) => client.send(new sdk.HeadBucketCommand({ Bucket: bucket })));
    return 'was there';
  } catch (error) {
    if (!isFailure(error, 404)) throw error;
  }
  const region = options.region ?? process.env['AWS_REGION'] ?? 'us-east-1';
  // us-east-1 is the one region that must not be named.
  const place = options.endpoint === undefined && region !== 'us-east-1' ? { CreateBucketConfiguration: { LocationConstraint: region as 'eu-west-1' } } : {};
  try {
    await connection.run('make', '', (sdk, client) => client.send(new sdk.CreateBucketCommand({ Bucket: bucket, ...place })));
  } catch (error) {
    if (!isFailure(error, 'BucketAlreadyOwnedByYou')) throw error;
    return 'was there';
  }
  await expireAbandoned(connection);
  return 'made';
}

/** At most a thousand at a time. Returns how many were removed. */
export async function sweepBucket(options: S3Options, now = Date.now()): Promise<number> {
  const connection = connect(options);
  const before = now - ABANDONED_DAYS * DAY_MS;
  const { objects } = await objectsIn(connection, connection.prefix + TEMPORARY, '', MAX_SWEPT);
  const old = objects.filter(({ modified }) => modified !== undefined && modified.getTime() < before);
  for (const { key } of old) await remove(connection, key);
  const { Uploads = [] } = await connection.run('list the uploads of', '', (sdk, client) =>
    client.send(new sdk.ListMultipartUploadsCommand({ Bucket: connection.bucket, Prefix: connection.prefix, MaxUploads: MAX_SWEPT })),
  );
  const uploads = Uploads.filter(({ Initiated }) => Initiated !== undefined && Initiated.getTime() < before);
  for (const { Key = '', UploadId } of uploads) {
    await connection.run('end the upload of', Key, (sdk, client) =>
      client.send(new sdk.AbortMultipartUploadCommand({ Bucket: connection.bucket, Key, UploadId })),
    );
  }
  return old.length + uploads.length;
}

/** The server's own sweeping, where it has that: in a bucket that was there before, such rules are its owner's to make. */
async function expireAbandoned(connection: Connection): Promise<void> {
  const Rules = [
    {
      ID: 'tidemill-uploads',
      Status: 'Enabled' as const,
      Filter: { Prefix: connection.prefix },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABANDONED_DAYS },
    },
    { ID: 'tidemill-temporary', Status: 'Enabled' as const, Filter: { Prefix: connection.prefix + TEMPORARY }, Expiration: { Days: ABANDONED_DAYS } },
  ];
  try {
    await connection.run('set the lifecycle of', '', (sdk, client) =>
      client.send(new sdk.PutBucketLifecycleConfigurationCommand({ Bucket: connection.bucket, LifecycleConfiguration: { Rules } })),
    );
  } catch (error) {
    if (!isFailure(error, 501, 405, 403)) throw error; // a server without lifecycles: sweepBucket does it
  }
}
