// Webhooks that were signed and answered 202 but cannot be translated: kept with their reason, never lost. One small file each.
import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hash } from '../../shared/events/ids.ts';
import type { DeadLetter } from '../../shared/ports/broker.ts';
import type { Digest } from '../../shared/ports/storage.ts';
import type { RecordHead } from './inbox/frame.ts';
import { syncDirectory } from './inbox/segments.ts';

/** The `event` of a webhook's dead letter: the raw body is in Storage under `body`. */
export interface DeadWebhook {
  head: RecordHead;
  body: Digest;
}

/** In the form of the broker's dead letters, so that both show in one list; `subscription` is "github-webhook". */
export type WebhookDeadLetter = DeadLetter & { event: DeadWebhook };

export interface DeadLetters {
  /** Durable when it resolves; the same webhook again is the same letter. */
  add(webhook: DeadWebhook, reason: string): Promise<void>;
  /** Oldest first. `limit` default 100. */
  list(page?: { limit?: number; after?: string }): Promise<WebhookDeadLetter[]>;
  get(id: string): Promise<WebhookDeadLetter | undefined>;
  remove(id: string): Promise<void>;
}

const ID = /^webhook-[0-9a-z]{9,64}$/;

export async function openDeadLetters(directory: string): Promise<DeadLetters> {
  await mkdir(directory, { recursive: true, mode: 0o700 });

  const get = async (id: string): Promise<WebhookDeadLetter | undefined> => {
    if (!ID.test(id)) return undefined;
    try {
      return JSON.parse(await readFile(join(directory, `${id}.json`), 'utf8')) as WebhookDeadLetter;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };

  return {
    add: async (webhook, reason) => {
      const id = idOf(webhook);
      const letter: WebhookDeadLetter = { id, subscription: 'github-webhook', event: webhook, attempts: 1, reason, at: webhook.head.received };
      const path = join(directory, `${id}.json`);
      const file = await open(`${path}.new`, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(letter)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
      await syncDirectory(directory);
    },
    list: async ({ limit = 100, after = '' } = {}) => {
      const ids = (await readdir(directory)).flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []));
      const page = ids
        .filter((id) => ID.test(id) && id > after)
        .sort()
        .slice(0, limit);
      const letters = await Promise.all(page.map(get));
      return letters.filter((letter) => letter !== undefined);
    },
    get,
    remove: async (id) => {
      if (ID.test(id)) await unlink(join(directory, `${id}.json`));
    },
  };
}

/** Sorts by the time of receipt; the rest is derived from what was received. */
function idOf({ head, body }: DeadWebhook): string {
  const time = Math.max(0, Date.parse(head.received)).toString(36).padStart(9, '0');
  return `webhook-${time}${hash(head.event, head.contentType, head.received, body)}`;
}
