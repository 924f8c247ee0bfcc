// A watcher for tests: real objects in memory, a Lease in memory, a broker that only records, and times of a tenth of a second.
import { createWatcher, type Watcher, type WatcherOptions } from '../../functions/watcher/watcher.ts';
import type { HeldRecord, LeaseStore } from '../../functions/watcher/lease/election.ts';
import type { NamedNote } from '../../functions/watcher/notes/recorder.ts';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { Kind, NewObj, Obj } from '../../shared/objects/kinds.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { GitError, Head } from '../../shared/ports/git.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import { endState, taskRunEvent } from '../../shared/runner/events.ts';
import { isDone } from '../../shared/objects/taskrun.ts';
import { openStore } from '../../shared/store/store.ts';
import { sha } from '../fakes/events.ts';

export const TIMES = { settle_ms: 100, outbox_ms: 150, unresolved_ms: 200, stuck_ms: 250, orphan_ms: 0 };
export const ELECTION = { duration_ms: 1000, deadline_ms: 600, retry_ms: 100 };

/** A Lease that can be made to fail, or to hang. */
export function memoryLease(): LeaseStore & { record: HeldRecord | undefined; failing: 'no' | 'refuses' | 'hangs'; writes: string[] } {
  let version = 0;
  const hold = async () => {
    if (lease.failing === 'refuses') throw new Error('the API server is away');
    if (lease.failing === 'hangs') await new Promise(() => undefined);
  };
  const lease: ReturnType<typeof memoryLease> = {
    record: undefined,
    failing: 'no',
    writes: [],
    read: async () => {
      await hold();
      return lease.record && { ...lease.record };
    },
    write: async (record, from) => {
      await hold();
      if (lease.record?.version !== from) return undefined;
      lease.writes.push(record.holder);
      lease.record = { ...record, version: String(++version) };
      return { ...lease.record };
    },
  };
  return lease;
}

/** Takes every event once, by source and id, as brokers do; `told` counts every time. */
export function recordingBroker(): Broker & { events: TidemillEvent[]; told: TidemillEvent[]; failing: boolean } {
  const broker: ReturnType<typeof recordingBroker> = {
    events: [],
    told: [],
    failing: false,
    publish: async (events) => {
      if (broker.failing) throw new Error('the broker is away');
      for (const event of JSON.parse(JSON.stringify(events)) as TidemillEvent[]) {
        broker.told.push(event);
        if (!broker.events.some(({ id, source }) => id === event.id && source === event.source)) broker.events.push(event);
      }
    },
    subscribe: () => undefined,
    deadLetters: () => Promise.resolve([]),
    redrive: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  return broker;
}

export type WatcherWorld = ReturnType<typeof openWatcherWorld>;

/** `objects`: others than those in memory. */
export function openWatcherWorld(over: { objects?: Objects; close?: () => Promise<void> } = {}) {
  const store = over.objects ? undefined : openStore(':memory:');
  const objects = over.objects ?? store!.objects;
  const broker = recordingBroker();
  const lease = memoryLease();
  const notes: (NamedNote & { of: string })[] = [];
  const secrets: string[] = [];
  const repository: { heads: Head[]; defaultBranch?: string; error?: GitError; asked: string[] } = {
    heads: [
      { ref: 'refs/heads/main', sha: sha('a') },
      { ref: 'refs/heads/next', sha: sha('b') },
      { ref: 'refs/tags/v1', sha: sha('c') },
    ],
    defaultBranch: 'main',
    asked: [],
  };
  const watchers: Watcher[] = [];
  const logged: { level: string; fields: object; message: string }[] = [];
  const logs = (level: string) => (fields: object, message: string) => void logged.push({ level, fields, message });

  const start = (more: Partial<WatcherOptions> = {}) => {
    const watcher = createWatcher({
      objects,
      broker,
      lease,
      identity: `watcher-${watchers.length}`,
      git: {
        heads: async ({ url }) => {
          repository.asked.push(url);
          if (repository.error) throw repository.error;
          return { heads: repository.heads, ...(repository.defaultBranch && { defaultBranch: repository.defaultBranch }) };
        },
      },
      secrets: { delete: async (name) => void secrets.push(name) },
      taskRunEnd: (taskRun) => (isDone(taskRun.status) ? taskRunEvent(taskRun, endState(taskRun)) : undefined),
      notes: async ({ kind, metadata }, note) => void notes.push({ ...note, of: `${kind} ${metadata.name}` }),
      now: () => new Date().toISOString(),
      log: { info: logs('info'), warn: logs('warn'), error: logs('error') },
      times: TIMES,
      election: ELECTION,
      ...more,
    });
    watchers.push(watcher);
    watcher.start();
    return watcher;
  };

  return {
    objects,
    broker,
    lease,
    notes,
    secrets,
    repository,
    logged,
    start,
    /** Short names of what was published, each once. */
    types: () => broker.events.map((event) => event.type.replace(/^dev\.tidemill\.|\.v1$/g, '')),
    create: <K extends Kind>(kind: K, name: string, spec: Obj<K>['spec'], more: Partial<NewObj<K>['metadata']> = {}, status?: Obj<K>['status']) =>
      objects.create<K>({ kind, metadata: { name, namespace: 'default', ...more }, spec, ...(status && { status }) } as NewObj<K>),
    get: async <K extends Kind>(kind: K, name: string): Promise<Obj<K>> => {
      const found = await objects.get(kind, { namespace: 'default', name });
      if (!found) throw new Error(`There is no ${kind} ${name}`);
      return found;
    },
    close: async () => {
      await Promise.all(watchers.map((watcher) => watcher.stop(2000)));
      await over.close?.();
      await store?.close();
    },
  };
}

/** Waits until it holds. Throws with what is so instead. */
export async function until(holds: () => unknown, what: () => unknown = () => '', within_ms = 5000): Promise<void> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > within_ms) throw new Error(`It did not come to be within ${within_ms} ms: ${JSON.stringify(what())}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** So long nothing more comes: what would be told twice has been told by then. */
export const quiet = (ms = 600): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
