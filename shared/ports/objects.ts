// The port that holds state: objects with versions, conflicts and watches, as the Kubernetes API server has them.
// Adapters: shared/store (SQLite). Contract: test/contracts/objects.ts
import type { Kind, NewObj, Obj } from '../objects/kinds.ts';

export interface Ref {
  namespace: string;
  name: string;
}

export interface Page<T> {
  items: T[];
  /** Opaque; give it back for the next page. Absent: this was the last. */
  continue?: string;
  /** The moment the list was true: watch from here and miss nothing. */
  resourceVersion: string;
}

export interface ListOptions {
  namespace?: string;
  /** Only objects that carry all of these labels with these values; answered from an index, never by a scan. */
  labels?: Record<string, string>;
  /** At most so many, 1 to 1000. Default 500. */
  limit?: number;
  /** "name" (default): by namespace and name. "newest": by creation, newest first; from an index too, so that a page costs no more when history grows. */
  order?: 'name' | 'newest';
  continue?: string;
  /**
   * What was written in the last moments may be missing, where that makes the answer cheaper: Kubernetes answers from its watch cache, and else asks its
   * store, which takes up to a tenth of a second while others write; and an answer is given again for a fifth of a second. For what seldom changes and is
   * read for each event. Nobody changes what is answered.
   */
  mayLag?: boolean;
}

export type WatchEvent<K extends Kind> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Obj<K> }
  /** Nothing changed up to this version. */
  | { type: 'BOOKMARK'; resourceVersion: string };

/** See WatchOptions.mayLag. */
export const WATCH_LAG_MS = 20_000;

export interface WatchOptions {
  namespace?: string;
  labels?: Record<string, string>;
  /** Only changes after this version; absent: first every object there is (as ADDED), then changes. Throws Expired when it is too old. */
  since?: string;
  /**
   * Changes may be told late, though never more than WATCH_LAG_MS while the store can be reached, where that is cheaper: Kubernetes is asked for all of them
   * now and then, in the place of telling of each as it comes. None is left out. For what is only acted on much later.
   */
  mayLag?: boolean;
  signal: AbortSignal;
}

export interface GetOptions {
  /**
   * May be as it was moments ago, where that makes the answer cheaper: Kubernetes answers from its watch cache. One that is there is never said to be
   * missing. For what is only acted on by a write that is refused if it was not the newest.
   */
  mayLag?: boolean;
}

export interface Objects {
  get<K extends Kind>(kind: K, ref: Ref, options?: GetOptions): Promise<Obj<K> | undefined>;
  list<K extends Kind>(kind: K, options?: ListOptions): Promise<Page<Obj<K>>>;
  /** Durable when it resolves. Throws AlreadyExists, InvalidObject. */
  create<K extends Kind>(object: NewObj<K>): Promise<Obj<K>>;
  /** Replaces metadata (labels, annotations) and spec, if nobody wrote since `object` was read. Throws Conflict, NotFound, InvalidObject. */
  update<K extends Kind>(object: Obj<K>): Promise<Obj<K>>;
  /** Replaces labels and status and leaves spec alone, if nobody wrote since `object` was read. Throws Conflict, NotFound, InvalidObject. */
  updateStatus<K extends Kind>(object: Obj<K>): Promise<Obj<K>>;
  /** Throws NotFound; Conflict where a precondition fails. */
  delete(kind: Kind, ref: Ref, precondition?: { uid?: string; resourceVersion?: string }): Promise<void>;
  /** Changes in order, none left out, until the signal. */
  watch<K extends Kind>(kind: K, options: WatchOptions): AsyncIterable<WatchEvent<K>>;
}

export class NotFound extends Error {
  override name = 'NotFound';
  constructor(kind: string, ref: Ref) {
    super(`${kind} ${ref.namespace}/${ref.name} does not exist`);
  }
}

export class AlreadyExists extends Error {
  override name = 'AlreadyExists';
  constructor(kind: string, ref: Ref) {
    super(`${kind} ${ref.namespace}/${ref.name} already exists`);
  }
}

/** Somebody else wrote in between: read again and decide again. */
export class Conflict extends Error {
  override name = 'Conflict';
  constructor(kind: string, ref: Ref) {
    super(`${kind} ${ref.namespace}/${ref.name} was changed in between; read it again`);
  }
}

/** We may not do this there: mostly as the namespace was not made ready for the projects of this installation. */
export class Forbidden extends Error {
  override name = 'Forbidden';
}

/** The version to watch from is no longer kept (HTTP 410): list again. */
export class Expired extends Error {
  override name = 'Expired';
}
