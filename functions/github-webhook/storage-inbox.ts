// The inbox of a cluster. The raw body goes to Storage under its digest, and meanwhile its events to the broker. A broker that is durable has them then, and
// the webhook is answered; for a doorbell, or one that is away, what is to be done is kept beside the body, under a key that sorts by time, until it is done.
// What a kill left there, the watcher hands on.
import { createHash } from 'node:crypto';
import { hash } from '../../shared/events/ids.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Digest, Storage } from '../../shared/ports/storage.ts';
import type { DeadLetters, DeadWebhook, WebhookDeadLetter } from './dead-letters.ts';
import { checked } from './handle.ts';
import type { RecordHead } from './inbox/frame.ts';
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

export interface StorageInboxDeps extends InboxDeps {
  /** What was published is kept until it is handled: see OutboxOptions. */
  durable: boolean;
  /** A durable broker that is away is waited for so long, in milliseconds, before the webhook is kept. Default 2000: GitHub waits for ten seconds. */
  patience_ms?: number;
}

export interface StorageInbox extends Pick<Inbox, 'append'> {
  /** Resolves when all that was appended is handed on, or has failed and is left for the watcher. */
  settled(): Promise<void>;
}

const PATIENCE_MS = 2000;

export function createStorageInbox(deps: StorageInboxDeps): StorageInbox {
  const { storage, log, durable, patience_ms = PATIENCE_MS } = deps;
  const inHand = new Set<Promise<void>>();

  /** The key goes when what it says is done. What fails is left to the watcher. */
  const inBackground = (key: string, handing: Promise<void>) => {
    const done = handing
      .then(() => storage.delete(key))
      .catch((error: unknown) =>
        log.warn({ key, reason: (error as Error).message }, 'a webhook was kept and could not be handed on yet; the watcher does that'),
      )
      .finally(() => inHand.delete(done));
    inHand.add(done);
  };

  return {
    append: async (head, raw) => {
      const body = Buffer.concat(raw.chunks);
      const { key, kept } = recordOf(head, body);
      // Begun before the body is stored: should that fail, the webhook is delivered again, and its events are the same.
      const handing = handOn(kept, body, deps);
      handing.catch(() => undefined); // looked at below
      try {
        const stored = storage.putBlob(body, kept.body);
        if (durable && (await Promise.all([within(handing, patience_ms), stored]))[0]) return;
        await Promise.all([stored, storage.put(key, Buffer.from(JSON.stringify(kept)))]);
      } catch (error) {
        throw new InboxUnavailable(`The webhook of ${raw.bytes} bytes could not be stored (${(error as Error).message}); redeliver it`, { cause: error });
      }
      inBackground(key, handing);
    },
    settled: async () => void (await Promise.all(inHand)),
  };
}

/** What is to be done with a raw body, and the key that says so. */
function recordOf(head: RecordHead, body: Buffer): { key: string; kept: DeadWebhook } {
  const digest: Digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const time = String(Math.max(0, Date.parse(head.received))).padStart(TIME_LENGTH, '0');
  return { key: `${INBOX}${time}-${hash(head.event, head.contentType, head.delivery ?? '', digest)}.json`, kept: { head, body: digest } };
}

/** Whether it was done in time; what fails was not. */
async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const done = work.then(
    () => true,
    () => false,
  );
  return Promise.race([done, late]).finally(() => clearTimeout(timer));
}

async function handOn(kept: DeadWebhook, body: Buffer, deps: InboxDeps): Promise<void> {
  const translation = checked(translate(kept.head, body));
  if (translation.kind === 'events') await deps.broker.publish(translation.events);
  else if (translation.kind === 'nothing') deps.log.info({ delivery: kept.head.delivery, reason: translation.reason }, 'Nothing follows from this webhook');
  else await storageDeadLetters(deps.storage).add(kept, translation.reason);
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
      await handOn(kept, await readBody(deps.storage, kept.body), deps);
      await deps.storage.delete(key);
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
