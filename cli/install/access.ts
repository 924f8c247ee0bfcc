// How NATS and S3 are reached, as the functions are told it.
import type { NatsAccess, S3Access } from './checks/outside.ts';
import type { Wanted } from './options.ts';
import { S3_KEYS, type SecretValues } from './secrets.ts';

export function natsAccess({ settings }: Pick<Wanted, 'settings'>, { tidemill }: Pick<SecretValues, 'tidemill'>): NatsAccess {
  return { url: settings.TIDEMILL_NATS_URL, token: tidemill['nats-token'], user: tidemill['nats-user'], password: tidemill['nats-password'] };
}

export function s3Access({ settings }: Pick<Wanted, 'settings'>, { storage }: Pick<SecretValues, 'storage'>): S3Access {
  const credentials = storage && { accessKeyId: storage[S3_KEYS.id] ?? '', secretAccessKey: storage[S3_KEYS.secret] ?? '' };
  return { endpoint: settings.TIDEMILL_S3_ENDPOINT, bucket: settings.TIDEMILL_S3_BUCKET, region: settings.AWS_REGION, credentials };
}
