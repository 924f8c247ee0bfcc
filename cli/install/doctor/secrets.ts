// Whether the Secrets are there and can be used. Their values are never shown.
import { SECRETS } from '../../../knative/generate/options.ts';
import type { Resources } from '../cluster/resources.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import type { Wanted } from '../options.ts';
import { readSecret, S3_KEYS, type Values } from '../secrets.ts';

/** Shorter ones can be guessed. */
const MIN_LENGTH = 16;

const NEEDED = [
  { key: 'webhook-secret', what: 'signs what GitHub sends' },
  { key: 'api-token', what: 'opens the API' },
];

export async function checkSecrets(resources: Resources, { namespace, s3Secret }: Wanted, again: string): Promise<Finding[]> {
  const [own, storage] = await Promise.all([readSecret(resources, namespace, SECRETS.tidemill), readSecret(resources, namespace, SECRETS.storage)]);
  return [...tidemill(own, namespace, again), ...keys(storage, s3Secret === 'none', again)];
}

function tidemill(values: Values | undefined, namespace: string, again: string): Finding[] {
  if (!values) return [wrong('Secrets', `${SECRETS.tidemill} is missing`, `${again}      makes a new one: give its webhook secret to GitHub again`)];
  const findings = NEEDED.flatMap(({ key, what }): Finding[] => {
    const value = values[key];
    if (!value) return [wrong('Secrets', `${SECRETS.tidemill} has no ${key}, which ${what}`, `${again}      makes one`)];
    if (value.trim().length < MIN_LENGTH)
      return [
        wrong(
          'Secrets',
          `the ${key} has fewer than ${MIN_LENGTH} characters`,
          `Take it out, and ${again}: kubectl --namespace ${namespace} edit secret ${SECRETS.tidemill}`,
        ),
      ];
    return [];
  });
  return findings.length > 0 ? findings : [ok('Secrets', `${NEEDED.map(({ key }) => key).join(' and ')} are there`)];
}

function keys(values: Values | undefined, without: boolean, again: string): Finding[] {
  if (!values && without) return [note('Keys of S3', 'there are none: pods are let in by themselves')];
  if (!values) return [wrong('Keys of S3', `${SECRETS.storage} is missing`, `Set ${Object.values(S3_KEYS).join(' and ')}, and ${again}`)];
  const missing = Object.values(S3_KEYS).filter((key) => !values[key]);
  if (missing.length > 0) return [wrong('Keys of S3', `${SECRETS.storage} has no ${missing.join(' and no ')}`, `Set ${missing.join(' and ')}, and ${again}`)];
  return [ok('Keys of S3', 'are there')];
}
