// What an installation can choose, and what it gets where it does not.
import pkg from '../../package.json' with { type: 'json' };

export type Overlay = 'knative' | 'jetstream';
export type Size = 'small' | 'production';

export const OVERLAYS: readonly Overlay[] = ['knative', 'jetstream'];
export const SIZES: readonly Size[] = ['small', 'production'];

/** What is set in ConfigMaps, by the name of its variable: everything but secrets. */
export interface Settings {
  /** Of NATS, as nats://HOST:PORT; a password stands in the Secret tidemill-secrets. Overlay jetstream only. */
  TIDEMILL_NATS_URL?: string;
  /** First word of its subjects and streams. Absent: tidemill. */
  TIDEMILL_NATS_PREFIX?: string;
  /** Of an S3 server. Absent: AWS. */
  TIDEMILL_S3_ENDPOINT?: string;
  TIDEMILL_S3_BUCKET?: string;
  AWS_REGION?: string;
  /** What `tidemill.dev/node:24` means here: an image with sh, node, npm and git. */
  TIDEMILL_BUILD_IMAGE?: string;
  /** Where the API makes things where nobody says where; one of those that are made ready for projects. */
  TIDEMILL_NAMESPACE?: string;
  /** A site is served on <project>.<this>. */
  TIDEMILL_SITE_HOST?: string;
  /** Private addresses that hooks may lead to, such as 10.1.0.0/16, with commas between. Absent: none. */
  TIDEMILL_HOOKS_ALLOW?: string;
}

export interface ManifestOptions {
  /** knative: functions sleep as Knative Services until a Trigger wakes them. jetstream: Deployments that pull from NATS. */
  overlay: Overlay;
  /** Default: small. */
  size?: Size;
  /** Where tidemill itself runs. Default: tidemill-system. */
  namespace?: string;
  /** The one image of all functions. */
  image?: string;
  settings?: Settings;
}

export const SYSTEM_NAMESPACE = 'tidemill-system';

/** The name that the image has in the manifests: `tidemill install --image`, or kustomize's `images`, puts the real one in its place. */
export const IMAGE = `tidemill.dev/tidemill:${pkg.version}`;

/** The service account that builds run as, in each project's namespace. It has no rights. */
export const BUILD_ACCOUNT = 'tidemill-build';

/** Secrets that the manifests refer to; `tidemill install` makes them, or kubectl (knative/README.md). */
export const SECRETS = { tidemill: 'tidemill-secrets', storage: 'tidemill-storage' } as const;

/** ConfigMap of what every function is told, and of what depends on how events travel. */
export const CONFIG = { all: 'tidemill-config', events: 'tidemill-events' } as const;

/** What need not be set at all. */
export const OPTIONAL = ['TIDEMILL_S3_ENDPOINT', 'TIDEMILL_NATS_PREFIX', 'TIDEMILL_HOOKS_ALLOW'] as const satisfies readonly (keyof Settings)[];

export const DEFAULTS = {
  TIDEMILL_NATS_URL: 'nats://nats.nats.svc.cluster.local:4222',
  TIDEMILL_S3_BUCKET: 'tidemill',
  AWS_REGION: 'us-east-1',
  TIDEMILL_BUILD_IMAGE: 'docker.io/library/node:24',
  TIDEMILL_NAMESPACE: 'default',
  TIDEMILL_SITE_HOST: 'sites.example.com',
} as const satisfies Settings;

export type Resolved = Required<Omit<ManifestOptions, 'settings'>> & { settings: Settings & typeof DEFAULTS };

export function resolve(options: ManifestOptions): Resolved {
  const { overlay, size = 'small', namespace = SYSTEM_NAMESPACE, image = IMAGE } = options;
  const given = Object.fromEntries(Object.entries(options.settings ?? {}).filter(([, value]) => value !== undefined && value !== ''));
  return { overlay, size, namespace, image, settings: { ...DEFAULTS, ...given } };
}
