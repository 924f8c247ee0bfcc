// What a process of a cluster is told by its environment. Secrets come from Secrets, everything else from the ConfigMap tidemill-config.
import process from 'node:process';

export interface Settings {
  broker: 'jetstream' | 'knative';
  nats?: { url: string; user?: string; password?: string; token?: string; replicas?: 1 | 3; prefix?: string };
  /** Where events are sent on Knative: the SinkBinding says it. */
  sink?: string;
  /** Extensions that a SinkBinding wants on every event, as JSON. */
  overrides?: string;
  s3?: { endpoint?: string; bucket: string; region?: string };
  /** This very image: steps of ours run in it. */
  image: string;
  /** What `tidemill.dev/node:24` means here. */
  buildImage: string;
  bytesUrl: string;
  /** Where the API makes things where nobody says where. */
  namespace: string;
  /** Namespace of tidemill's own. */
  systemNamespace: string;
  /** A site is <project>.<this>. */
  siteHost: string;
  webhookSecret?: string;
  token?: string;
  port: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws an error that names the variable. */
export function readSettings(env: Environment = process.env): Settings {
  const get = (name: string) => env[name] || undefined;
  const broker = get('TIDEMILL_BROKER') ?? 'jetstream';
  if (broker !== 'jetstream' && broker !== 'knative') throw new Error(`TIDEMILL_BROKER is "${broker}"; it has to be "jetstream" or "knative"`);
  const systemNamespace = get('POD_NAMESPACE') ?? 'tidemill-system';
  const bucket = get('TIDEMILL_S3_BUCKET');
  const port = Number(get('PORT') ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`PORT is "${get('PORT')}"; it has to be a port number`);
  return {
    broker,
    ...natsOf(get),
    ...given('sink', get('K_SINK')),
    ...given('overrides', get('K_CE_OVERRIDES')),
    ...(bucket && { s3: { bucket, ...given('endpoint', get('TIDEMILL_S3_ENDPOINT')), ...given('region', get('AWS_REGION')) } }),
    image: get('TIDEMILL_IMAGE') ?? '',
    buildImage: get('TIDEMILL_BUILD_IMAGE') ?? 'docker.io/library/node:24',
    bytesUrl: get('TIDEMILL_BYTES_URL') ?? `http://bytes.${systemNamespace}.svc.cluster.local`,
    namespace: get('TIDEMILL_NAMESPACE') ?? 'default',
    systemNamespace,
    siteHost: get('TIDEMILL_SITE_HOST') ?? 'sites.example.com',
    ...given('webhookSecret', get('TIDEMILL_WEBHOOK_SECRET')?.trim()),
    ...given('token', get('TIDEMILL_TOKEN')?.trim()),
    port,
  };
}

function natsOf(get: (name: string) => string | undefined): Pick<Settings, 'nats'> {
  const url = get('TIDEMILL_NATS_URL');
  if (!url) return {};
  const replicas = get('TIDEMILL_NATS_REPLICAS');
  if (replicas !== undefined && replicas !== '1' && replicas !== '3') throw new Error(`TIDEMILL_NATS_REPLICAS is "${replicas}"; it has to be 1 or 3`);
  return {
    nats: {
      url,
      ...given('user', get('TIDEMILL_NATS_USER')),
      ...given('password', get('TIDEMILL_NATS_PASSWORD')),
      ...given('token', get('TIDEMILL_NATS_TOKEN')),
      ...given('prefix', get('TIDEMILL_NATS_PREFIX')),
      ...(replicas && { replicas: replicas === '3' ? 3 : 1 }),
    },
  };
}

function given<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Record<K, string>);
}

/** The setting, or an error that says where it is set. */
export function wanted<T>(value: T | undefined, variable: string): T {
  if (value === undefined || value === '')
    throw new Error(`${variable} is not set; \`tidemill install\` sets it, and \`tidemill doctor\` shows what else is missing`);
  return value;
}
