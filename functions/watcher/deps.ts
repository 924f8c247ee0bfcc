// What the watcher's duties reach.
import type { Output, TidemillEvent } from '../../shared/events/event.ts';
import { WATCHER_SOURCE } from '../../shared/events/ids.ts';
import type { Log } from '../../shared/host/contract.ts';
import { createPublish } from '../../shared/host/root-events.ts';
import type { Kind, Obj } from '../../shared/objects/kinds.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Git } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { Secrets } from '../../shared/ports/secrets.ts';
import type { Recent } from './follow/recent.ts';

/** Something to read in `kubectl describe` of an object. */
export interface Note {
  type: 'Normal' | 'Warning';
  /** One CamelCase word. */
  reason: string;
  message: string;
  /** RFC 3339: when it happened; with the reason it names the note, so that the same thing is said once. */
  at: string;
}

export interface Duties {
  objects: Objects;
  broker: Pick<Broker, 'publish'>;
  git: Pick<Git, 'heads'>;
  secrets: Pick<Secrets, 'delete'>;
  /** Rings a root event of the watcher's own; the same key again gives the same event. */
  ring: (output: Output, key: string) => Promise<void>;
  /** Publishes the event that the API publishes for the same, so that both of them are one. */
  ringAsApi: (output: Output, key: string) => Promise<void>;
  /** The event that tells of a TaskRun's end, with an id that is derived from it; undefined while it goes on. */
  taskRunEnd: (taskRun: Obj<'TaskRun'>) => TidemillEvent | undefined;
  note: (object: Obj<Kind>, note: Note) => void;
  /** uids of objects that came without their labels: a person wrote them, and no function. */
  written: Recent;
  now: () => string;
  log: Log;
  times: Times;
}

/** Milliseconds. */
export interface Times {
  /** So long after it was made an object without a status is taken for one that nobody gives one. */
  settle_ms: number;
  /** An outbox entry that is older is told again. */
  outbox_ms: number;
  /** An Artifact that is not resolved for so long is asked for again. */
  unresolved_ms: number;
  /** An Execution, a Lane that does not move for so long is rung again. */
  stuck_ms: number;
  /** Objects whose project is not there are as old as this before they are taken away. */
  orphan_ms: number;
}

export const TIMES: Times = { settle_ms: 2000, outbox_ms: 10_000, unresolved_ms: 30_000, stuck_ms: 60_000, orphan_ms: 600_000 };

/** The doors of `Duties` for root events. */
export function bells(broker: Broker, now: () => string): Pick<Duties, 'ring' | 'ringAsApi'> {
  const own = createPublish(broker, now, WATCHER_SOURCE);
  const api = createPublish(broker, now);
  return {
    ring: async (output, key) => void (await own([output], { key })),
    ringAsApi: async (output, key) => void (await api([output], { key })),
  };
}
