// The contract of an event function: (event, deps) → { change, outputs }. What it may reach is what the graph grants it.
import type { EventOf, Output } from '../events/event.ts';
import type { EventType } from '../events/types.ts';
import type { NewObj, Obj } from '../objects/kinds.ts';
import type { Git } from '../ports/git.ts';
import type { Objects } from '../ports/objects.ts';
import type { Runner } from '../ports/runner.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { Storage } from '../ports/storage.ts';

export interface Ports {
  objects: Objects;
  storage: Storage;
  runner: Runner;
  git: Git;
  secrets: Secrets;
}

/** What every function may use, beside the ports that it needs. */
export interface Common {
  /** The time, as RFC 3339 in UTC. Decisions take it as an argument. */
  now: () => string;
  log: Log;
  /** Namespace of what is told to the installation, and belongs to no project: Pushes. */
  home: string;
  /** 1 for the first delivery of this event. */
  attempt: number;
  /** At this attempt a failure is final. */
  lastAttempt: number;
}

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * What came of an event. The host writes `create`, `status` or `record`, and `outputs` so that a kill leaves all of it or none:
 * in one transaction where the store has them, else objects first, then the status or record with its outbox, then the events.
 */
export interface Outcome<E extends EventType> {
  /** New objects, with derived names: one that is there already is success. */
  create?: NewObj[];
  /** The object that the event is about, with the status it is to have; written only if nobody wrote since it was read. */
  status?: Obj;
  /** In the place of `status`, where the event is about an object that is to be made: a record, with its status. Is it there by now, all is decided anew. */
  record?: NewObj;
  outputs?: Output<E>[];
}

interface Wiring {
  consumes: readonly EventType[];
  emits: readonly EventType[];
  needs: readonly (keyof Ports)[];
}

export type Deps<W extends Wiring> = Pick<Ports, W['needs'][number]> & Common;

/** A handler as its entry in the graph allows it: `export const handle: Handler<(typeof functions)['git-push']> = …` */
export type Handler<W extends Wiring> = (event: EventOf<W['consumes'][number]>, deps: Deps<W>) => Promise<Outcome<W['emits'][number]>>;

/** Not yet: again after so long. `waiting`: nothing failed, so it does not count as an attempt. */
export class NotYet extends Error {
  override name = 'NotYet';
  readonly after_ms: number;
  readonly waiting: boolean;
  constructor(reason: string, after_ms: number, waiting = false) {
    super(reason);
    this.after_ms = after_ms;
    this.waiting = waiting;
  }
}

/** Never: refused for good; the event goes to the dead letter with this reason. */
export class Refused extends Error {
  override name = 'Refused';
}
