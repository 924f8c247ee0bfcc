// The Secrets of an installation: what is there is kept, what is missing is made by chance or taken from the environment. Values are never shown.
import { randomBytes } from 'node:crypto';
import { labelsOf, type KubeObject } from '../../knative/generate/object.ts';
import { SECRETS } from '../../knative/generate/options.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Live, Resources } from './cluster/resources.ts';
import { stamped } from './labels.ts';
import type { Wanted } from './options.ts';

type Env = Record<string, string | undefined>;
/** Key → value, in the clear. */
export type Values = Record<string, string>;

export interface SecretValues {
  tidemill: Values;
  /** Undefined: pods are let in by themselves. */
  storage: Values | undefined;
  /** Keys that were made or taken now. */
  added: string[];
}

const NATS = { 'nats-token': 'TIDEMILL_NATS_TOKEN', 'nats-user': 'TIDEMILL_NATS_USER', 'nats-password': 'TIDEMILL_NATS_PASSWORD' };
export const S3_KEYS = { id: 'AWS_ACCESS_KEY_ID', secret: 'AWS_SECRET_ACCESS_KEY' } as const;

const GENERATED: Record<string, () => string> = {
  'webhook-secret': () => randomBytes(32).toString('hex'),
  'api-token': () => randomBytes(32).toString('base64url'),
};

/** `ask`: for the keys of S3, where a person can be asked. */
export async function secretValues(wanted: Wanted, resources: Resources, env: Env, ask?: (question: string) => Promise<string>): Promise<SecretValues> {
  const [own, kept] = await Promise.all([readSecret(resources, wanted.namespace, SECRETS.tidemill), readSecret(resources, wanted.namespace, SECRETS.storage)]);
  const added: string[] = [];
  const tidemill: Values = { ...own };
  for (const [key, make] of Object.entries(GENERATED)) {
    if (tidemill[key]) continue;
    tidemill[key] = make();
    added.push(key);
  }
  for (const [key, variable] of Object.entries(NATS)) {
    const given = env[variable];
    if (wanted.overlay !== 'jetstream' || !given || given === tidemill[key]) continue;
    tidemill[key] = given;
    added.push(key);
  }
  const storage = await storageValues(wanted, kept, resources, env, ask);
  if (storage && storage !== kept) added.push(...Object.keys(storage));
  return { tidemill, storage, added };
}

async function storageValues(
  wanted: Wanted,
  kept: Values | undefined,
  resources: Resources,
  env: Env,
  ask?: (question: string) => Promise<string>,
): Promise<Values | undefined> {
  if (wanted.s3Secret === 'none') return undefined;
  if (wanted.s3Secret !== undefined) return await copied(wanted.s3Secret, wanted.namespace, resources);
  if (kept?.[S3_KEYS.id] && kept[S3_KEYS.secret]) return kept;
  const id = env[S3_KEYS.id] || (await ask?.(`${S3_KEYS.id}: `));
  const secret = env[S3_KEYS.secret] || (id ? await ask?.(`${S3_KEYS.secret}: `) : undefined);
  if (id && secret) return { [S3_KEYS.id]: id, [S3_KEYS.secret]: secret };
  throw new CliError(
    EXIT.usage,
    `tidemill keeps its bytes in S3, and needs keys for that: set ${S3_KEYS.id} and ${S3_KEYS.secret},\n` +
      'or name a Secret that has them (--s3-secret [NAMESPACE/]NAME), or say that pods are let in by themselves (--s3-secret none).',
  );
}

async function copied(name: string, namespace: string, resources: Resources): Promise<Values> {
  const [first = '', second] = name.split('/', 2);
  const [from, secret] = second === undefined ? [namespace, first] : [first, second];
  const values = await readSecret(resources, from, secret);
  if (!values) throw new CliError(EXIT.usage, `There is no Secret ${secret} in ${from} (--s3-secret)`);
  const found = Object.fromEntries(Object.values(S3_KEYS).map((key) => [key, values[key] ?? '']));
  if (Object.values(found).includes('')) throw new CliError(EXIT.usage, `The Secret ${from}/${secret} has no ${S3_KEYS.id} and ${S3_KEYS.secret}`);
  return found;
}

/** Undefined: there is no such Secret. */
export async function readSecret(resources: Resources, namespace: string, name: string): Promise<Values | undefined> {
  const secret = await resources.get({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } });
  return secret && decoded(secret);
}

function decoded(secret: Live): Values {
  const data = (secret['data'] ?? {}) as Record<string, string>;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
}

export function secretObjects({ namespace }: Wanted, { tidemill, storage }: SecretValues): KubeObject[] {
  const secret = (name: string, values: Values) =>
    stamped(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, namespace, labels: labelsOf() },
        type: 'Opaque',
        data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
      },
      namespace,
    );
  return [secret(SECRETS.tidemill, tidemill), ...(storage ? [secret(SECRETS.storage, storage)] : [])];
}
