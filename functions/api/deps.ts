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
  /** Where what is made comes to stand unless it is said. Default "default". */
  namespace?: string;
  /** All that projects may stand in, as they were moments ago. Default: that one alone. */
  namespaces?: () => Promise<ReadonlySet<string>>;
  /** A site is served on <project>.<this>, and on <project>.<namespace>.<this>. Default: below the host that the API is asked on. */
  siteHost?: string;
  /** Where Pushes stand, which belong to no project. Default "default". */
  home?: string;
}

/** The API as one request sees it. */
export interface Api extends ApiDeps {
  /** Of the objects that it names, or makes. */
  namespace: string;
  /** Where what is made comes to stand unless it is said. */
  usual: string;
  /** What its lists are of; undefined: of all namespaces. */
  listed: string | undefined;
  namespaces: () => Promise<ReadonlySet<string>>;
  /** The same in another namespace. */
  at: (namespace: string) => Api;
  /** Whether there is an archived one of this name in its namespace. */
  isArchived: (kind: 'Execution' | 'Artifact', name: string) => Promise<boolean>;
  /** Executions that are objects no more. */
  archive: Archive;
}
