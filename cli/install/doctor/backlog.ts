// What lies about: dead letters, events that were never published, webhooks that were never handed on.
import { API_VERSION } from '../../../shared/objects/meta.ts';
import { kinds } from '../../../shared/objects/kinds.ts';
import type { Outbox } from '../../../shared/objects/meta.ts';
import { SECRETS } from '../../../knative/generate/options.ts';
import type { Resources } from '../cluster/resources.ts';
import { titleOf } from '../cluster/resources.ts';
import { type Finding, looked, note, ok, wrong } from '../finding.ts';
import { natsAccess, s3Access } from '../access.ts';
import type { Wanted } from '../options.ts';
import { readSecret } from '../secrets.ts';

/** What a doorbell lost is rung again well before. */
const OLD_MS = 10 * 60_000;
const MOST = 100;

export async function checkBacklog(resources: Resources, wanted: Wanted): Promise<Finding[]> {
  const [outboxes, letters] = await Promise.all([
    looked('Outboxes', () => checkOutboxes(resources, wanted)),
    looked('Dead letters', () => checkLetters(resources, wanted)),
  ]);
  return [...outboxes, ...letters];
}

/** Of every object in the namespaces of this installation. */
async function checkOutboxes(resources: Resources, { projects, namespace }: Wanted): Promise<Finding[]> {
  const own = Object.entries(kinds).filter(([, { apiVersion }]) => apiVersion === API_VERSION);
  // Pushes are told to the installation, before any project is known.
  const places = (kind: string) => (kind === 'Push' ? [namespace] : projects);
  const lists = await Promise.all(own.flatMap(([kind]) => places(kind).map((place) => resources.list(API_VERSION, kind, { namespace: place }))));
  const before = Date.now() - OLD_MS;
  const stuck = lists.flat().filter(({ status }) => {
    const outbox = (status?.['outbox'] ?? []) as Outbox;
    return outbox.some(({ at, events }) => events !== undefined && events.length > 0 && Date.parse(at) < before);
  });
  if (stuck.length === 0) return [ok('Outboxes', 'nothing waits to be published')];
  const shown = stuck.slice(0, 3).map(titleOf).join(', ');
  return [
    wrong(
      'Outboxes',
      `${stuck.length} objects have had events to publish for more than ${OLD_MS / 60_000} minutes: ${shown}`,
      `Does the watcher work? kubectl --namespace ${namespace} logs deployment/watcher`,
    ),
  ];
}

async function checkLetters(resources: Resources, wanted: Wanted): Promise<Finding[]> {
  const count = wanted.overlay === 'knative' ? await storedLetters(resources, wanted) : await streamedLetters(resources, wanted);
  if (typeof count === 'string') return [note('Dead letters', `cannot be counted from here: ${count}`, 'tidemill --server … deadletters list')];
  if (count === 0) return [ok('Dead letters', 'none')];
  return [
    wrong(
      'Dead letters',
      `${count >= MOST ? `${MOST} or more` : count} events were given up`,
      'tidemill --server … deadletters list      says why; redrive gives them another chance',
    ),
  ];
}

/** A sentence: why they could not be looked at. */
async function storedLetters(resources: Resources, wanted: Wanted): Promise<number | string> {
  const storage = await readSecret(resources, wanted.namespace, SECRETS.storage);
  const { credentials, ...access } = s3Access(wanted, { storage });
  if (!credentials) return 'there are no keys of S3 here';
  const { createS3Storage } = await import('../../../shared/s3/storage.ts');
  try {
    const store = createS3Storage({ ...access, credentials, maxAttempts: 2, timeout_ms: 10_000 });
    const lists = await Promise.all(['dead/', 'dead-webhooks/'].map((prefix) => store.list(prefix, { limit: MOST })));
    return lists.flatMap(({ keys }) => keys).length;
  } catch (error) {
    return (error as Error).message;
  }
}

async function streamedLetters(resources: Resources, wanted: Wanted): Promise<number | string> {
  const tidemill = (await readSecret(resources, wanted.namespace, SECRETS.tidemill)) ?? {};
  const { url, user, password: pass, token } = natsAccess(wanted, { tidemill });
  const [{ connect }, { jetstreamManager }, { namesOf }] = await Promise.all([
    import('nats'),
    import('@nats-io/jetstream'),
    import('../../../shared/jetstream/options.ts'),
  ]);
  try {
    const given = { ...(user !== undefined && { user }), ...(pass !== undefined && { pass }), ...(token !== undefined && { token }) };
    const nc = await connect({ servers: url.split(',').map((one) => one.trim()), ...given, timeout: 5000, reconnect: false });
    try {
      const { state } = await (await jetstreamManager(nc)).streams.info(namesOf(wanted.settings.TIDEMILL_NATS_PREFIX).dead);
      return state.messages;
    } finally {
      await nc.close();
    }
  } catch (error) {
    return (error as Error).message;
  }
}
