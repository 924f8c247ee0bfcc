// What is to be installed: from the words that were typed, else from what is installed already, else by default.
import pkg from '../../package.json' with { type: 'json' };
import {
  CONFIG,
  DEFAULTS,
  IMAGE,
  OPTIONAL,
  type Overlay,
  OVERLAYS,
  type Settings,
  type Size,
  SIZES,
  SYSTEM_NAMESPACE,
} from '../../knative/generate/options.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Live, Resources } from './cluster/resources.ts';
import { INSTALLED, LABELS } from './labels.ts';

/** As they were typed. */
export interface Words {
  overlay?: string;
  size?: string;
  namespace?: string;
  image?: string;
  buildImage?: string;
  projectNamespace?: string[];
  nats?: string;
  natsPrefix?: string;
  hooksAllow?: string;
  s3Endpoint?: string;
  s3Bucket?: string;
  s3Region?: string;
  s3Secret?: string;
  siteHost?: string;
}

/** With every default filled in. */
export type CompleteSettings = Settings & Record<keyof typeof DEFAULTS, string>;

export interface Wanted {
  version: string;
  namespace: string;
  overlay: Overlay;
  size: Size;
  image: string;
  settings: CompleteSettings;
  /** Namespaces that are made ready for projects: those of before, and those that were named now. */
  projects: string[];
  /** Another Secret, `[NAMESPACE/]NAME`, that the keys of S3 are taken from; "none": pods are let in by themselves. */
  s3Secret: string | undefined;
}

/** What an earlier install wrote down. */
export interface Installed {
  version: string;
  overlay: Overlay;
  size: Size;
  image: string;
  settings: Settings;
  projects: string[];
  s3Secret: 'none' | undefined;
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const HOST = /^(?=.{1,200}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** `[HOST[:PORT]/]PATH[:TAG][@sha256:…]` */
const IMAGE_NAME = /^[a-zA-Z0-9[\]][a-zA-Z0-9._:/[\]-]*(@sha256:[0-9a-f]{64})?$/;

export const namespaceOf = ({ namespace = SYSTEM_NAMESPACE }: Pick<Words, 'namespace'>): string => named(namespace, '--namespace');

export async function readInstalled(resources: Resources, namespace: string): Promise<Installed | undefined> {
  const [all, events, bindings] = await Promise.all([
    resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG.all, namespace } }),
    resources.get({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG.events, namespace } }),
    resources.list('rbac.authorization.k8s.io/v1', 'RoleBinding', { labelSelector: `${LABELS.installation}=${namespace}` }),
  ]);
  if (!all || !events) return undefined;
  const data = { ...dataOf(all), ...dataOf(events) };
  const noted = JSON.parse(all.metadata.annotations?.[INSTALLED] ?? '{}') as Partial<Installed>;
  const settings = Object.fromEntries([...Object.keys(DEFAULTS), ...OPTIONAL].flatMap((key) => (data[key] === undefined ? [] : [[key, data[key]]])));
  return {
    version: noted.version ?? 'unknown',
    overlay: oneOf(OVERLAYS, data['TIDEMILL_BROKER']) ?? 'knative',
    size: oneOf(SIZES, noted.size) ?? 'small',
    image: data['TIDEMILL_IMAGE'] ?? IMAGE,
    settings,
    projects: [...new Set(bindings.map(({ metadata }) => metadata.namespace!))].filter((name) => name !== namespace).toSorted(),
    s3Secret: noted.s3Secret === 'none' ? 'none' : undefined,
  };
}

const dataOf = (map: Live) => (map['data'] ?? {}) as Record<string, string>;
const oneOf = <T extends string>(values: readonly T[], value: string | undefined): T | undefined => values.find((known) => known === value);

/** Throws CliError for a word that cannot be meant. */
export function wantedOf(words: Words, installed: Installed | undefined, env: Record<string, string | undefined>): Wanted {
  const namespace = namespaceOf(words);
  const given: Settings = {
    ...(words.nats !== undefined && { TIDEMILL_NATS_URL: words.nats }),
    ...(words.natsPrefix !== undefined && { TIDEMILL_NATS_PREFIX: words.natsPrefix }),
    ...(words.hooksAllow !== undefined && { TIDEMILL_HOOKS_ALLOW: words.hooksAllow }),
    ...(words.s3Endpoint !== undefined && { TIDEMILL_S3_ENDPOINT: words.s3Endpoint.replace(/\/+$/, '') }),
    ...(words.s3Bucket !== undefined && { TIDEMILL_S3_BUCKET: words.s3Bucket }),
    ...((words.s3Region ?? (installed ? undefined : env['AWS_REGION'])) !== undefined && { AWS_REGION: words.s3Region ?? env['AWS_REGION']! }),
    ...(words.buildImage !== undefined && { TIDEMILL_BUILD_IMAGE: imageName(words.buildImage, '--build-image') }),
    ...(words.siteHost !== undefined && { TIDEMILL_SITE_HOST: host(words.siteHost) }),
  };
  const projects = (words.projectNamespace ?? []).map((name) => named(name, '--project-namespace'));
  if (projects.includes(namespace))
    throw new CliError(EXIT.usage, `Projects cannot stand in ${namespace}, where tidemill itself runs: name another --project-namespace`);
  const settings: CompleteSettings = { ...DEFAULTS, ...installed?.settings, ...given };
  // What is made without a word of where stands in the first that was ever named.
  if (!installed && projects[0] !== undefined) settings.TIDEMILL_NAMESPACE = projects[0];
  return {
    version: pkg.version,
    namespace,
    overlay: chosen('--overlay', OVERLAYS, words.overlay) ?? installed?.overlay ?? 'knative',
    size: chosen('--size', SIZES, words.size) ?? installed?.size ?? 'small',
    image: words.image === undefined ? keptImage(installed) : imageName(words.image, '--image'),
    settings,
    projects: [...new Set([settings.TIDEMILL_NAMESPACE, ...(installed?.projects ?? []), ...projects])],
    s3Secret: words.s3Secret ?? installed?.s3Secret,
  };
}

/** An image is of one version of tidemill: that of another is not taken over. */
function keptImage(installed: Installed | undefined): string {
  const toMake = '--image NAME\nTo make one and push it: npm run image -- --push REGISTRY/PATH:TAG';
  if (!installed || installed.image === IMAGE) throw new CliError(EXIT.usage, `Which image the functions run in has to be said: ${toMake}`);
  if (installed.version === pkg.version) return installed.image;
  throw new CliError(
    EXIT.usage,
    `${installed.image} is the image of tidemill ${installed.version}; this is ${pkg.version}, so its image has to be named: ${toMake}`,
  );
}

function chosen<T extends string>(option: string, values: readonly T[], value: string | undefined): T | undefined {
  if (value === undefined) return undefined;
  const found = oneOf(values, value);
  if (!found) throw new CliError(EXIT.usage, `${option} takes ${values.join(' and ')}, not ${JSON.stringify(value)}`);
  return found;
}

function named(name: string, option: string): string {
  if (!NAME.test(name)) throw new CliError(EXIT.usage, `${option} ${JSON.stringify(name)}: a namespace has lower-case letters, digits and "-", at most 63`);
  return name;
}

function imageName(name: string, option: string): string {
  if (!IMAGE_NAME.test(name) || name.length > 512)
    throw new CliError(EXIT.usage, `${option} ${JSON.stringify(name)} is no name of an image, as in ghcr.io/you/tidemill:1.0.0`);
  return name;
}

function host(name: string): string {
  const plain = name.toLowerCase().replace(/^\*\./, '');
  if (!HOST.test(plain))
    throw new CliError(
      EXIT.usage,
      `--site-host ${JSON.stringify(name)} is no host name, as in sites.example.com: a site is served on <project>.sites.example.com`,
    );
  return plain;
}
