// Which namespaces were made ready for the projects of this installation: asked for, and remembered for a moment, or followed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../client/client.ts';
import { INSTALLATION, isMarker, MARKER } from '../../objects/project-namespace.ts';

export interface Prepared {
  /** As they were moments ago; `fresh`: as they are. */
  all(fresh?: boolean): Promise<ReadonlySet<string>>;
  /** Where they are followed. */
  followed?: {
    has(namespace: string): boolean;
    /** Goes off when there are others than now. */
    changed(): AbortSignal;
  };
}

interface Options {
  client: Pick<KubeClient, 'request' | 'stream'>;
  /** Namespace of the installation. */
  system: string;
}

interface Bindings {
  metadata: { resourceVersion: string };
  items: Parameters<typeof isMarker>[0][];
}

const PATH = '/apis/rbac.authorization.k8s.io/v1/rolebindings';
/** Told to the API server by name, so that a role need let nobody see any other binding. */
const query = (system: string) => ({ fieldSelector: `metadata.name=${MARKER}`, labelSelector: `${INSTALLATION}=${system}` });

async function ask({ client, system }: Options, mayLag: boolean): Promise<{ names: Set<string>; version: string }> {
  const { items, metadata } = await client.request<Bindings>('GET', PATH, { query: { ...query(system), ...(mayLag && { resourceVersion: '0' }) } });
  const own = items.filter((binding) => isMarker(binding, system));
  return { names: new Set(own.map(({ metadata: { namespace } }) => namespace)), version: metadata.resourceVersion };
}

/** So long what was asked for is answered again. Milliseconds. */
const RECENT_MS = 2000;

/** For who is woken now and then: asked for at most once in two seconds. */
export function recentlyPrepared(options: Options): Prepared {
  let recent: { at: number; names: Promise<ReadonlySet<string>> } | undefined;
  return {
    all: (fresh = false) => {
      const now = performance.now();
      if (!fresh && recent && now - recent.at < RECENT_MS) return recent.names;
      const asked = { at: now, names: ask(options, !fresh).then(({ names }) => names) };
      recent = asked;
      asked.names.catch(() => {
        if (recent === asked) recent = undefined;
      });
      return asked.names;
    },
  };
}

/** The API server ends a watch after so long, and then all is looked at again. Seconds. */
const WATCH_S = 300;
const GRACE_MS = 10_000;
/** Namespaces are made ready several at a time: so long is waited for the others. */
const SETTLE_MS = 300;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

export interface FollowedPrepared extends Prepared {
  followed: NonNullable<Prepared['followed']>;
  stop(): void;
}

/** For who is always there: known at every moment, and told of when they change. `all` waits until they were read for the first time. */
export function followPrepared({ log, ...options }: Options & { log: { warn(fields: object, message: string): void } }): FollowedPrepared {
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  let names: ReadonlySet<string> | undefined;
  let change = new AbortController();

  const take = (found: ReadonlySet<string>) => {
    const before = names;
    names = found;
    first.resolve();
    if (!before || (before.size === found.size && [...found].every((name) => before.has(name)))) return;
    const changed = change;
    change = new AbortController();
    changed.abort();
  };

  const follow = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted;) {
      try {
        const { names: found, version } = await ask(options, false);
        take(found);
        failures = 0;
        await untilChanged(options, version, stop.signal);
        await sleep(SETTLE_MS, undefined, { signal: stop.signal, ref: false });
      } catch (error) {
        if (stop.signal.aborted) return;
        failures++;
        log.warn({ reason: (error as Error).message }, 'the namespaces of projects cannot be followed; it is tried again');
        const wait_ms = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
        await sleep(wait_ms, undefined, { signal: stop.signal, ref: false }).catch(() => undefined); // stopped: the loop ends
      }
    }
  };
  void follow();

  return {
    all: async () => {
      await first.promise;
      return names!;
    },
    followed: { has: (namespace) => names?.has(namespace) ?? false, changed: () => change.signal },
    stop: () => stop.abort(),
  };
}

/** Resolves with the first change, or when the watch has lasted long enough. */
async function untilChanged({ client, system }: Options, version: string, signal: AbortSignal): Promise<void> {
  const watched = { ...query(system), watch: true, allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds: WATCH_S };
  for await (const line of client.stream(PATH, { query: watched, signal, idle_ms: WATCH_S * 1000 + GRACE_MS }))
    if ((JSON.parse(line) as { type?: string }).type !== 'BOOKMARK') return;
}
