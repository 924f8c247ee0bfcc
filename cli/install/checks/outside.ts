// What stands beside the cluster: NATS and S3. What only pods can reach is said to be so, and left to the functions' own probes.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Finding, note, ok, wrong } from '../finding.ts';

export interface NatsAccess {
  url: string;
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
}

export interface S3Access {
  endpoint?: string | undefined;
  bucket: string;
  region: string;
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined;
}

const TIMEOUT_MS = 5000;

/** Whether a name of the cluster's own, such as nats.nats.svc, means something here. */
async function isNamedHere(host: string): Promise<boolean> {
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return true;
  return await lookup(host).then(
    () => true,
    () => false,
  );
}

export async function checkNats(access: NatsAccess, replicas: 1 | 3): Promise<Finding[]> {
  const first = access.url.split(',')[0]!.trim();
  if (!URL.canParse(first)) return [wrong('NATS', `${JSON.stringify(access.url)} is no address`, '--nats nats://HOST:4222')];
  const { hostname, username, password } = new URL(first);
  if (username || password)
    return [
      wrong('NATS', 'its address must not hold a password', 'Set TIDEMILL_NATS_TOKEN, or TIDEMILL_NATS_USER and TIDEMILL_NATS_PASSWORD, when you install'),
    ];
  if (!(await isNamedHere(hostname))) return [note('NATS', `${hostname} is not known here; the functions will say whether they reach it`)];
  const [{ connect }, { jetstreamManager }, { refusalOf }] = await Promise.all([
    import('nats'),
    import('@nats-io/jetstream'),
    import('../../../shared/jetstream/connection.ts'),
  ]);
  const { url, user, password: pass, token } = access;
  const given = { ...(user !== undefined && { user }), ...(pass !== undefined && { pass }), ...(token !== undefined && { token }) };
  try {
    const nc = await connect({ servers: url.split(',').map((one) => one.trim()), ...given, timeout: TIMEOUT_MS, reconnect: false });
    try {
      const version = nc.info?.version ?? '';
      const refusal = refusalOf(version);
      if (refusal !== undefined) return [wrong('NATS', refusal, 'Upgrade it: https://github.com/nats-io/nats-server/releases')];
      await (await jetstreamManager(nc, { timeout: TIMEOUT_MS })).getAccountInfo();
      if (replicas === 3 && nc.info?.cluster === undefined)
        return [
          wrong(
            'NATS',
            `${version} at ${first} stands alone, and --size production keeps three copies of each stream`,
            'Run three servers as one cluster, or take --size small',
          ),
        ];
      return [ok('NATS', `${version} with JetStream at ${first}`)];
    } finally {
      await nc.close();
    }
  } catch (error) {
    const text = (error as Error).message;
    const jetstream = /jetstream/i.test(text)
      ? 'Start it with JetStream (nats-server --jetstream)'
      : 'See that it runs and that the address and the credentials are right (--nats, TIDEMILL_NATS_*)';
    return [wrong('NATS', `${first}: ${text}`, `${jetstream}. To get it: https://docs.nats.io/running-a-nats-service/nats-kubernetes`)];
  }
}

/** `make`: a bucket that is missing is made; else it is only said to be missing. */
export async function checkS3({ endpoint, bucket, region, credentials }: S3Access, make: boolean): Promise<Finding[]> {
  const where = endpoint ?? `AWS, ${region}`;
  if (endpoint !== undefined && !/^https?:\/\//.test(endpoint))
    return [wrong('S3', `${JSON.stringify(endpoint)} is no address`, '--s3-endpoint https://HOST[:PORT]')];
  if (!credentials) return [note('S3', `bucket ${bucket} at ${where}: without keys here it is not looked at; pods have to be allowed in by themselves`)];
  if (endpoint !== undefined && !(await isNamedHere(new URL(endpoint).hostname)))
    return [
      note(
        'S3',
        `${new URL(endpoint).hostname} is not known here; the bucket ${bucket} has to be there already, and the functions will say whether they reach it`,
      ),
    ];
  const options = { ...(endpoint !== undefined && { endpoint }), bucket, region, credentials, maxAttempts: 2, timeout_ms: 10_000 };
  try {
    const { bucketState } = await import('./bucket.ts');
    const state = await bucketState(options, make);
    return [
      state === 'missing'
        ? note('S3', `bucket ${bucket} at ${where} will be made`)
        : ok('S3', `bucket ${bucket} at ${where}${state === 'made' ? ', made now' : ''}`),
    ];
  } catch (error) {
    return [
      wrong(
        'S3',
        `bucket ${bucket} at ${where}: ${(error as Error).message}`,
        'See that the address (--s3-endpoint), the bucket (--s3-bucket) and the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) are right',
      ),
    ];
  }
}
