// Follows the logs of every TaskRun of an execution into the archive while it runs, for the watcher: begun again, it goes on where it stopped.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../kubernetes/client/client.ts';
import type { Obj } from '../objects/kinds.ts';
import { LABEL } from '../objects/meta.ts';
import { isDone } from '../objects/taskrun.ts';
import type { Objects } from '../ports/objects.ts';
import type { LogArchive } from './logs/archive.ts';
import { type TaskRunFeed, taskRunLines } from './logs/follow.ts';
import type { ReadSecret } from './logs/pod.ts';

export interface FollowTaskRunsOptions {
  client: KubeClient;
  objects: Pick<Objects, 'watch'>;
  archive: LogArchive;
  /** Default: all that may be read. */
  namespaces?: readonly string[];
  /** Logs followed at once; the others wait, oldest first. Default 100. */
  streams?: number;
  /** Masks what it gives. */
  readSecret?: ReadSecret;
  signal: AbortSignal;
  log: { warn(fields: object, message: string): void };
}

const STREAMS = 100;
/** Those whose log is whole are known by uid, so that it is not looked for each time that they change. */
const REMEMBERED = 10_000;
/** Between two tries at a log that cannot be read or written. Milliseconds. */
const RETRY_MS = [1000, 2000, 5000, 15_000, 30_000] as const;
/** A reader that heard of no change looks again. Milliseconds. */
const LOOK_MS = 2000;

interface Entry {
  /** Undefined: deleted. */
  latest: Obj<'TaskRun'> | undefined;
  wake(): void;
  feed: TaskRunFeed;
}

/** Resolves when the signal fires. Throws what keeps TaskRuns from being watched at all, such as a missing right. */
export async function followTaskRuns(options: FollowTaskRunsOptions): Promise<void> {
  const { objects, namespaces, signal } = options;
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const follower = createFollower({ ...options, signal: until });
  const watch = async (namespace?: string) => {
    for await (const event of objects.watch('TaskRun', { ...(namespace !== undefined && { namespace }), signal: until })) {
      if (event.type !== 'BOOKMARK') follower.take(event.object, event.type === 'DELETED');
    }
  };
  try {
    await Promise.all(namespaces ? namespaces.map(watch) : [watch()]);
  } finally {
    stop.abort(new Error('logs are no longer followed'));
    await follower.ended();
  }
}

function createFollower(options: FollowTaskRunsOptions) {
  const { streams = STREAMS, signal } = options;
  const entries = new Map<string, Entry>();
  const whole = new Set<string>();
  const working = new Map<string, Promise<void>>();
  const queue: string[] = [];

  const pump = () => {
    while (!signal.aborted && working.size < streams && queue.length) {
      const uid = queue.shift()!;
      const work = archive(entries.get(uid)!, options).then((isWhole) => {
        entries.delete(uid);
        working.delete(uid);
        if (isWhole) remember(uid);
        pump();
      });
      working.set(uid, work);
    }
  };
  const remember = (uid: string) => {
    whole.add(uid);
    if (whole.size > REMEMBERED) for (const oldest of whole.values().take(1)) whole.delete(oldest);
  };

  return {
    take(taskRun: Obj<'TaskRun'>, isDeleted: boolean): void {
      const { uid, labels } = taskRun.metadata;
      const entry = entries.get(uid);
      if (entry) {
        entry.latest = isDeleted ? undefined : taskRun;
        entry.wake();
        return;
      }
      if (isDeleted || whole.has(uid) || labels?.[LABEL.execution] === undefined || !hasBegun(taskRun)) return;
      entries.set(uid, createEntry(taskRun));
      queue.push(uid);
      pump();
    },
    ended: async () => void (await Promise.all(working.values())),
  };
}

/** Before its first pod there is nothing to read. */
function hasBegun({ status }: Obj<'TaskRun'>): boolean {
  return status?.podName !== undefined || isDone(status);
}

function createEntry(taskRun: Obj<'TaskRun'>): Entry {
  let waiting: (() => void)[] = [];
  let changes = 0;
  let seen = 0;
  const entry: Entry = {
    latest: taskRun,
    wake: () => {
      changes++;
      for (const resolve of waiting.splice(0)) resolve();
    },
    feed: {
      get: async () => {
        seen = changes;
        return entry.latest;
      },
      changed: async (signal) => {
        signal.throwIfAborted();
        if (seen !== changes) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        const go = () => resolve();
        waiting.push(go);
        const timer = setTimeout(go, LOOK_MS);
        signal.addEventListener('abort', go, { once: true });
        await promise;
        clearTimeout(timer);
        signal.removeEventListener('abort', go);
        waiting = waiting.filter((each) => each !== go);
        signal.throwIfAborted();
      },
    },
  };
  return entry;
}

/** Resolves with whether its log is whole: false where the signal came first. Never rejects. */
async function archive(entry: Entry, { client, archive, readSecret, signal, log }: FollowTaskRunsOptions): Promise<boolean> {
  const { namespace, name } = entry.latest!.metadata;
  for (let tries = 0; ; tries++) {
    try {
      await archive.record({ namespace, name }, (after) => taskRunLines({ client, feed: entry.feed, follow: true, after, readSecret, signal }), signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      log.warn({ taskRun: `${namespace}/${name}`, error: (error as Error).message }, 'the log of a TaskRun could not be followed; trying again');
      const wait = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]!;
      const aborted = await sleep(wait, false, { signal }).catch(() => true);
      if (aborted) return false;
    }
  }
}
