// The webhook's way in: inbox, drain and dead letters put together, and its dead letters shown with the broker's.
import { join } from 'node:path';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker, DeadLetter } from '../../shared/ports/broker.ts';
import type { Storage } from '../../shared/ports/storage.ts';
import { createGithubWebhook, type GithubWebhook } from '../github-webhook/accept.ts';
import { openDeadLetters } from '../github-webhook/dead-letters.ts';
import { createHandler, redriveDeadLetter } from '../github-webhook/handle.ts';
import { openInbox } from '../github-webhook/inbox/inbox.ts';

const PAGE = 100;

export interface Webhook {
  accept: GithubWebhook;
  /** Begins to hand on what was kept. */
  drain(): void;
  /** The broker's, oldest first, and then the webhooks that could not be understood. */
  deadLetters(page: { limit?: number; after?: string }): Promise<DeadLetter[]>;
  /** Throws when there is none of this id, or it is still not understood. */
  redrive(id: string): Promise<void>;
  close(): Promise<void>;
}

interface Options {
  directory: string;
  secret: () => string;
  storage: Storage;
  broker: Broker;
  log: Log;
}

export async function createWebhook({ directory, secret, storage, broker, log }: Options): Promise<Webhook> {
  const [inbox, deadLetters] = await Promise.all([openInbox({ directory, log }), openDeadLetters(join(directory, 'dead'))]);
  const deps = { storage, broker, deadLetters, log };
  const isWebhook = (id: string | undefined) => id?.startsWith('webhook-') ?? false;
  return {
    accept: createGithubWebhook({ secret, inbox, log }),
    drain: () => inbox.drain(createHandler(deps)),
    deadLetters: async ({ limit = PAGE, after }) => {
      const events = isWebhook(after) ? [] : await broker.deadLetters({ limit, ...(after && { after }) });
      const room = limit - events.length;
      return room > 0 ? [...events, ...(await deadLetters.list({ limit: room, ...(after && isWebhook(after) && { after }) }))] : events;
    },
    redrive: async (id) => {
      if (!isWebhook(id)) return broker.redrive(id);
      const stillDead = await redriveDeadLetter(id, deps);
      if (stillDead) throw new Error(`It still cannot be understood: ${stillDead}`);
    },
    close: () => inbox.close(),
  };
}
