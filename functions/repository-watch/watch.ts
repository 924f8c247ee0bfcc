// Tells of new commits where no webhook reaches: local repositories are watched, remote ones polled where the project asks for it.
import { localPath } from '../../shared/decisions/source/repository.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import { watchLocal } from './local-signs.ts';
import { createLooker, localPace, type Looker, pollPace } from './looker.ts';
import { createWatched, type WatchDeps, type Watched, watchKey } from './watched.ts';

export interface RepositoryWatch {
  /** Begins with every project there is, and follows those that come, change and go. */
  start(): void;
  /** Resolves when nothing is looked at or told any more. */
  stop(): Promise<void>;
}

interface Running {
  watched: Watched;
  looker: Looker;
  stop(): Promise<void>;
}

const RESTART_MS = 1000;
/** A server that does not answer keeps nobody from stopping: what comes of the look then is dropped. */
const LAST_LOOK_MS = 1000;
const never = new AbortController().signal;
const MIN_POLL_MS = 5000;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function createRepositoryWatch(deps: WatchDeps): RepositoryWatch {
  const { objects, log, allowLocal = true } = deps;
  const running = new Map<string, Running>();
  /** What each project, by namespace/name, is watched with. */
  const keys = new Map<string, string>();
  const ending = new Set<Promise<void>>();
  const abort = new AbortController();
  let following: Promise<void> = Promise.resolve();

  async function follow(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        await forgetDeleted();
        for await (const event of objects.watch('Project', { signal: abort.signal })) {
          if (event.type === 'DELETED') forget(idOf(event.object));
          else if (event.type !== 'BOOKMARK') consider(event.object);
        }
      } catch (error) {
        if (!abort.signal.aborted) log.warn({ error: (error as Error).message }, 'the watch of projects broke off; it begins again in a second');
      }
      await pause(RESTART_MS, abort.signal);
    }
  }

  /** Those that went while nobody watched. */
  async function forgetDeleted(): Promise<void> {
    for (const id of [...keys.keys()]) {
      const [namespace, name] = id.split('/') as [string, string];
      if (!(await objects.get('Project', { namespace, name }))) forget(id);
    }
  }

  function consider(project: Obj<'Project'>): void {
    const id = idOf(project);
    const every_ms = pollInterval(project);
    const path = localPath(project.spec.source.url);
    const key = `${watchKey(project)}\0${path === undefined ? every_ms : 'local'}`;
    if (keys.get(id) !== key) forget(id);
    if (path === undefined ? every_ms === undefined : !allowLocal) return;
    const there = running.get(key);
    const one = there ?? begin(path, every_ms);
    running.set(key, one);
    const isNew = !one.watched.projects.has(id);
    one.watched.projects.set(id, project);
    keys.set(id, key);
    if (isNew) one.looker.request();
  }

  function begin(path: string | undefined, every_ms: number | undefined): Running {
    const watched = createWatched(deps);
    const looker = createLooker(watched.look, path === undefined ? pollPace(every_ms!) : localPace);
    const signs = path === undefined ? undefined : watchLocal(path, looker.request, log);
    return {
      watched,
      looker,
      async stop() {
        signs?.stop();
        watched.stop();
        await Promise.race([looker.stop(), pause(LAST_LOOK_MS, never)]);
      },
    };
  }

  function forget(id: string): void {
    const key = keys.get(id);
    const one = key === undefined ? undefined : running.get(key);
    keys.delete(id);
    if (!one) return;
    one.watched.projects.delete(id);
    if (one.watched.projects.size > 0) return;
    running.delete(key!);
    const end = one.stop().finally(() => ending.delete(end));
    ending.add(end);
  }

  return {
    start() {
      following = follow();
    },
    async stop() {
      abort.abort();
      await following;
      for (const id of [...keys.keys()]) forget(id);
      await Promise.all(ending);
    },
  };
}

function idOf({ metadata }: Obj<'Project'>): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Milliseconds; five seconds at least. Undefined: the project does not ask for it. */
export function pollInterval({ spec }: Obj<'Project'>): number | undefined {
  if (spec.poll === undefined) return undefined;
  let ms = 0;
  for (const [, count, unit] of spec.poll.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) ms += Number(count) * UNITS[unit!]!;
  return Math.max(MIN_POLL_MS, ms);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  return promise.finally(() => clearTimeout(timer));
}
