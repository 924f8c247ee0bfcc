// The releases that the site serves, by host: read when first asked for, kept true by a watch.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../shared/host/contract.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { Digest } from '../../shared/ports/storage.ts';

export interface Version {
  name: string;
  manifest: Digest;
}

/** One host as it is served. */
export interface Live {
  project: string;
  /** Undefined: nothing is released. */
  current: Version | undefined;
  /** Earlier versions whose files may still be asked for, newest first. */
  kept: readonly Version[];
  spa: boolean;
  cleanUrls: boolean;
}

export interface Releases {
  /** At once where it is known. Undefined: no release of this host. */
  get(host: string): Live | undefined | Promise<Live | undefined>;
  close(): void;
}

const DEFAULT_KEEP = 5;
const MAX_KNOWN = 10_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

interface Entry {
  live: Live | undefined;
  /** It changed while it was being read: read it again. */
  again: boolean;
  reading: boolean;
}

export function createReleases({ objects, namespace, log }: { objects: Objects; namespace: string; log: Log }): Releases {
  const known = new Map<string, Entry>();
  const closing = new AbortController();
  const loading = new Map<string, Promise<Live | undefined>>();
  let watching = false;
  let started = false;

  const read = async (host: string): Promise<Live | undefined> => {
    const release = await objects.get('Release', { namespace, name: host });
    return release && liveOf(release);
  };

  const load = async (host: string): Promise<Live | undefined> => {
    // Only what is read after the watch began is sure to be told of when it changes.
    const keep = watching;
    const entry: Entry = { live: undefined, again: false, reading: true };
    const pending = keep ? remember(host, entry) : undefined;
    try {
      do {
        entry.again = false;
        entry.live = await read(host);
      } while (entry.again);
    } catch (error) {
      if (pending && known.get(host) === entry) known.delete(host);
      throw error;
    }
    entry.reading = false;
    return entry.live;
  };

  const remember = (host: string, entry: Entry): Entry => {
    const [oldest] = known.keys();
    if (known.size >= MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    known.set(host, entry);
    return entry;
  };

  /** The old answer stands until the new one is read: never one that is older than it. */
  const changed = (host: string): void => {
    const entry = known.get(host);
    if (!entry) return;
    entry.again = true;
    if (entry.reading) return;
    entry.reading = true;
    void refresh(host, entry);
  };

  const refresh = async (host: string, entry: Entry): Promise<void> => {
    try {
      while (entry.again) {
        entry.again = false;
        entry.live = await read(host);
      }
      entry.reading = false;
    } catch (error) {
      log.warn({ host, err: error }, 'a release could not be read again; it is read when it is next asked for');
      if (known.get(host) === entry) known.delete(host);
    }
  };

  const follow = async (): Promise<void> => {
    const { resourceVersion } = await objects.list('Release', { namespace, limit: 1 });
    const events = objects.watch('Release', { namespace, since: resourceVersion, signal: closing.signal });
    known.clear();
    watching = true;
    for await (const event of events) if (event.type !== 'BOOKMARK') changed(event.object.metadata.name);
  };

  const keepFollowing = async (): Promise<void> => {
    for (let backoff = FIRST_BACKOFF_MS; !closing.signal.aborted; backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)) {
      const began = performance.now();
      try {
        await follow();
      } catch (error) {
        if (!closing.signal.aborted) log.warn({ err: error }, 'the watch on releases ended; it begins again');
      }
      watching = false;
      known.clear();
      if (performance.now() - began > MAX_BACKOFF_MS) backoff = FIRST_BACKOFF_MS;
      await sleep(backoff, undefined, { signal: closing.signal, ref: false }).catch(() => undefined); // closed: the loop ends
    }
  };

  return {
    get: (host) => {
      if (!started) {
        started = true;
        void keepFollowing();
      }
      const entry = known.get(host);
      if (entry && (!entry.reading || entry.live)) return entry.live;
      const current = loading.get(host);
      if (current) return current;
      const loaded = load(host).finally(() => loading.delete(host));
      loading.set(host, loaded);
      return loaded;
    },
    close: () => closing.abort(),
  };
}

function liveOf({ spec, status }: Obj<'Release'>): Live {
  const keep = status?.current?.site?.keepVersions ?? DEFAULT_KEEP;
  const current = status?.current && versionOf(status.current);
  const kept = new Map<string, Version>();
  for (const earlier of status?.history ?? []) {
    if (kept.size >= keep) break;
    if (current && earlier.version !== current.name && !kept.has(earlier.version)) kept.set(earlier.version, versionOf(earlier));
  }
  return {
    project: spec.project,
    current,
    kept: [...kept.values()],
    spa: status?.current?.site?.fallback === 'spa',
    cleanUrls: status?.current?.site?.cleanUrls ?? true,
  };
}

function versionOf({ version, manifest }: { version: string; manifest: string }): Version {
  return { name: version, manifest: manifest as Digest };
}
