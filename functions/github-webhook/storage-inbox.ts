// The inbox of a cluster: each webhook is written to Storage, under a key that sorts by time, before it is answered;
// then its events are published and the key goes. What a kill left there, the watcher hands on.
import { createHash } from 'node:crypto';
import { hash } from '../../shared/events/ids.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Digest, Storage } from '../../shared/ports/storage.ts';
import type { DeadLetters, DeadWebhook, WebhookDeadLetter } from './dead-letters.ts';
import { checked } from './handle.ts';
import type { RawBody, RecordHead } from './inbox/frame.ts';
import { type Inbox, InboxUnavailable } from './inbox/inbox.ts';
import { translate } from './translate/translate.ts';

const INBOX = 'inbox/';
const DEAD = 'dead-webhooks/';
const TIME_LENGTH = 13;
const PAGE = 100;

export interface InboxDeps {
  storage: Pick<Storage, 'put' | 'get' | 'list' | 'delete' | 'putBlob' | 'getBlob'>;
  broker: Pick<Broker, 'publish'>;
  log: Log;
}

export interface StorageInbox extends Pick<Inbox, 'append'> {
  /** Resolves when all that was appended is handed on, or has failed and is left for the watcher. */
  settled(): Promise<void>;
}

export function createStorageInbox(deps: InboxDeps): StorageInbox {
  const inHand = new Set<Promise<void>>();
  return {
    append: async (head, raw) => {
      const body = Buffer.concat(raw.chunks);
      const { key, kept } = await keep(head, raw, body, deps.storage);
      const handing = handOn(key, kept, body, deps)
        .catch((error: unknown) => {
          deps.log.warn({ key, reason: (error as Error).message }, 'a webhook was kept and could not be handed on yet; the watcher does that');
        })
        .finally(() => inHand.delete(handing));
      inHand.add(handing);
    },
    settled: async () => void (await Promise.all(inHand)),
  };
}

/** The raw body under its digest, and beside it what is to be done with it: both durable when this resolves. */
async function keep(head: RecordHead, raw: RawBody, body: Buffer, storage: InboxDeps['storage']): Promise<{ key: string; kept: DeadWebhook }> {
  try {
    const digest: Digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    const kept: DeadWebhook = { head, body: digest };
    const time = String(Math.max(0, Date.parse(head.received))).padStart(TIME_LENGTH, '0');
    const key = `${INBOX}${time}-${hash(head.event, head.contentType, head.delivery ?? '', digest)}.json`;
    await Promise.all([storage.putBlob(body, digest), storage.put(key, Buffer.from(JSON.stringify(kept)))]);
    return { key, kept };
  } catch (error) {
    throw new InboxUnavailable(`The webhook of ${raw.bytes} bytes could not be stored (${(error as Error).message}); redeliver it`, { cause: error });
  }
}

async function handOn(key: string, kept: DeadWebhook, body: Buffer, deps: InboxDeps): Promise<void> {
  const translation = checked(translate(kept.head, body));
  if (translation.kind === 'events') await deps.broker.publish(translation.events);
  else if (translation.kind === 'nothing') deps.log.info({ delivery: kept.head.delivery, reason: translation.reason }, 'Nothing follows from this webhook');
  else await storageDeadLetters(deps.storage).add(kept, translation.reason);
  await deps.storage.delete(key);
}

/** Hands on what was received before that time (RFC 3339) and is still there, oldest first; of one that fails the others do not wait. Resolves with how many went. */
export async function ringInbox(before: string, deps: InboxDeps): Promise<number> {
  const limit = String(Date.parse(before)).padStart(TIME_LENGTH, '0');
  const { keys } = await deps.storage.list(INBOX, { limit: PAGE });
  let count = 0;
  for (const key of keys) {
    if (key.slice(INBOX.length, INBOX.length + TIME_LENGTH) >= limit) break;
    try {
      const kept = await readJson<DeadWebhook>(deps.storage, key);
      if (!kept) continue;
      await handOn(key, kept, await readBody(deps.storage, kept.body), deps);
      count++;
    } catch (error) {
      deps.log.warn({ key, reason: (error as Error).message }, 'a webhook that was left in the inbox could not be handed on; it is tried again');
    }
  }
  return count;
}

/** Webhooks that cannot be understood, kept in Storage with their reason. */
export function storageDeadLetters(storage: InboxDeps['storage']): DeadLetters {
  const keyOf = (id: string) => `${DEAD}${id}.json`;
  const get = (id: string) => readJson<WebhookDeadLetter>(storage, keyOf(id));
  return {
    add: async (webhook, reason) => {
      const { head, body } = webhook;
      const time = Math.max(0, Date.parse(head.received)).toString(36).padStart(9, '0');
      const id = `webhook-${time}${hash(head.event, head.contentType, head.received, body)}`;
      const letter: WebhookDeadLetter = { id, subscription: 'github-webhook', event: webhook, attempts: 1, reason, at: head.received };
      await storage.put(keyOf(id), Buffer.from(JSON.stringify(letter)));
    },
    list: async ({ limit = PAGE, after } = {}) => {
      const { keys } = await storage.list(DEAD, { limit, ...(after && { after: keyOf(after) }) });
      const letters = await Promise.all(keys.map((key) => readJson<WebhookDeadLetter>(storage, key)));
      return letters.filter((letter) => letter !== undefined);
    },
    get,
    remove: (id) => storage.delete(keyOf(id)),
  };
}

async function readJson<T>(storage: InboxDeps['storage'], key: string): Promise<T | undefined> {
  const found = await storage.get(key);
  return found && (JSON.parse(Buffer.concat(await found.body.toArray()).toString('utf8')) as T);
}

async function readBody(storage: InboxDeps['storage'], digest: Digest): Promise<Buffer> {
  const blob = await storage.getBlob(digest);
  if (!blob) throw new Error(`The body ${digest} is no longer in Storage`);
  return Buffer.concat(await blob.body.toArray());
}
