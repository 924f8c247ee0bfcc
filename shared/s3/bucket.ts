// Makes the bucket, and sweeps away what writes that were killed left in it.
import { connect, type Connection, type S3Options } from './connect.ts';
import { isFailure } from './errors.ts';
import { TEMPORARY } from './layout.ts';
import { objectsIn } from './list.ts';
import { remove } from './remove.ts';

/** Of the server's own sweeping. What is older was left by a process that is dead: no upload of ours takes so long. */
const ABANDONED_DAYS = 2;
const PAGE = 1000;
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

/**
 * Removes what lies on its way to a name since before that time (milliseconds), and ends uploads that began before it. At most a thousand of each;
 * `more`: they were not looked through to their end.
 */
export async function sweepBucket(connection: Connection, before_ms: number): Promise<{ removed: number; more: boolean }> {
  const temporary = await removeTemporary(connection, before_ms);
  const uploads = await endUploads(connection, before_ms);
  return { removed: temporary.removed + uploads.removed, more: temporary.more || uploads.more };
}

const isOld = (at: Date | undefined, before_ms: number) => at !== undefined && at.getTime() < before_ms;

async function removeTemporary(connection: Connection, before_ms: number): Promise<{ removed: number; more: boolean }> {
  let removed = 0;
  let after = '';
  // Those that are young stand among the old ones, by names that were drawn: so all are looked at.
  for (;;) {
    const { objects, more } = await objectsIn(connection, connection.prefix + TEMPORARY, after, PAGE);
    const old = objects.filter(({ modified }) => isOld(modified, before_ms));
    for (const { key } of old) await remove(connection, key);
    removed += old.length;
    if (!more) return { removed, more: false };
    if (removed >= MAX_SWEPT) return { removed, more: true };
    after = objects.at(-1)!.key;
  }
}

async function endUploads(connection: Connection, before_ms: number): Promise<{ removed: number; more: boolean }> {
  let removed = 0;
  let from: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (;;) {
    const page = await connection.run('list the uploads of', '', (sdk, client) =>
      client.send(new sdk.ListMultipartUploadsCommand({ Bucket: connection.bucket, Prefix: connection.prefix, MaxUploads: PAGE, ...from })),
    );
    const old = (page.Uploads ?? []).filter(({ Initiated }) => isOld(Initiated, before_ms));
    for (const { Key = '', UploadId } of old) await endUpload(connection, Key, UploadId);
    removed += old.length;
    const { NextKeyMarker, NextUploadIdMarker } = page;
    // Where nothing says how to go on there is nothing to go on with.
    if (!page.IsTruncated || !NextKeyMarker) return { removed, more: false };
    if (removed >= MAX_SWEPT) return { removed, more: true };
    from = { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) };
  }
}

async function endUpload(connection: Connection, Key: string, UploadId: string | undefined): Promise<void> {
  try {
    await connection.run('end the upload of', Key, (sdk, client) =>
      client.send(new sdk.AbortMultipartUploadCommand({ Bucket: connection.bucket, Key, UploadId })),
    );
  } catch (error) {
    if (!isFailure(error, 404)) throw error; // its writer, or another sweep, ended it meanwhile
  }
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
    if (!isFailure(error, 501, 405, 403)) throw error; // a server without lifecycles: the function storage-sweep does it
  }
}
