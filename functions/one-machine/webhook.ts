// The webhook's way in: inbox, drain and dead letters put together, and its dead letters shown with the broker's.
import { join } from 'node:path';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Storage } from '../../shared/ports/storage.ts';
import { createGithubWebhook, type GithubWebhook } from '../github-webhook/accept.ts';
import { openDeadLetters } from '../github-webhook/dead-letters.ts';
import { createHandler, redriveDeadLetter } from '../github-webhook/handle.ts';
import { joinDeadLetters, type JoinedDeadLetters } from '../github-webhook/joined-dead-letters.ts';
import { openInbox } from '../github-webhook/inbox/inbox.ts';

export interface Webhook extends JoinedDeadLetters {
  accept: GithubWebhook;
  /** Begins to hand on what was kept. */
  drain(): void;
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
  const joined = joinDeadLetters(broker, deadLetters, (id) => redriveDeadLetter(id, deps));
  return {
    accept: createGithubWebhook({ secret, inbox, log }),
    drain: () => inbox.drain(createHandler(deps)),
    ...joined,
    close: () => inbox.close(),
  };
}
