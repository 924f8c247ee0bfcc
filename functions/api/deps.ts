// What the API reaches: the ports that the graph grants it, the broker's door for root events, and the time.
import type { Output, TidemillEvent } from '../../shared/events/event.ts';
import type { Archive } from '../../shared/host/archive.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { DeadLetter } from '../../shared/ports/broker.ts';
import type { Git } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { Runner } from '../../shared/ports/runner.ts';
import type { Secrets } from '../../shared/ports/secrets.ts';
import type { Storage } from '../../shared/ports/storage.ts';
import type { edges } from '../graph.ts';

export type ApiEvent = (typeof edges)['api']['emits'][number];

/**
 * Publishes root events and resolves with them, durable. The ids are derived from `key`, type and subject alone:
 * the same key again gives the same events, which the broker drops.
 */
export type Publish = (outputs: Output<ApiEvent>[], options: { key: string; chainid?: string }) => Promise<TidemillEvent[]>;

export interface ApiDeps {
  objects: Objects;
  storage: Storage;
  runner: Runner;
  git: Git;
  secrets: Secrets;
  publish: Publish;
  /** Oldest first. */
  deadLetters: (page: { limit?: number; after?: string }) => Promise<DeadLetter[]>;
  redrive: (id: string) => Promise<void>;
  now: () => string;
  log: Log;
  /** A new id, unique, at most 64 characters. */
  newId: () => string;
  /** All objects of this API stand in it. Default "default". */
  namespace?: string;
  /** Where Pushes stand, which belong to no project. Default "default". */
  home?: string;
}

export interface Api extends ApiDeps {
  namespace: string;
  /** Executions that are objects no more. */
  archive: Archive;
}
