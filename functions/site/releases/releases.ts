// The releases that the site serves, by namespace and name: read when first asked for, kept true by a watch.
import type { Log } from '../../../shared/host/contract.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Objects, Ref } from '../../../shared/ports/objects.ts';
import type { Digest } from '../../../shared/ports/storage.ts';
import { keepFollowing } from './keep-following.ts';

export interface Version {
  name: string;
  manifest: Digest;
}

/** One release as it is served. */
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
  /** At once where it is known. Undefined: there is none. */
  get(ref: Ref): Live | undefined | Promise<Live | undefined>;
  close(): void;
}

const DEFAULT_KEEP = 5;
const MAX_KNOWN = 10_000;

interface Entry {
  live: Live | undefined;
  /** It changed while it was being read: read it again. */
  again: boolean;
  reading: boolean;
}

/** `namespace`: of all of them; absent: they are of many. */
export function createReleases({ objects, namespace, log }: { objects: Objects; namespace?: string | undefined; log: Log }): Releases {
  const where = namespace === undefined ? {} : { namespace };
  const known = new Map<string, Entry>();
  const closing = new AbortController();
  const loading = new Map<string, Promise<Live | undefined>>();
  let watching = false;
  let started = false;

  const read = async (ref: Ref): Promise<Live | undefined> => {
    const release = await objects.get('Release', ref);
    return release && liveOf(release);
  };

  const load = async (ref: Ref, key: string): Promise<Live | undefined> => {
    // Only what is read after the watch began is sure to be told of when it changes.
    const keep = watching;
    const entry: Entry = { live: undefined, again: false, reading: true };
    const pending = keep ? remember(key, entry) : undefined;
    try {
      do {
        entry.again = false;
        entry.live = await read(ref);
      } while (entry.again);
    } catch (error) {
      if (pending && known.get(key) === entry) known.delete(key);
      throw error;
    }
    entry.reading = false;
    return entry.live;
  };

  const remember = (key: string, entry: Entry): Entry => {
    const [oldest] = known.keys();
    if (known.size >= MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    known.set(key, entry);
    return entry;
  };

  /** The old answer stands until the new one is read: never one that is older than it. */
  const changed = ({ namespace: of, name }: Ref): void => {
    const ref = { namespace: of, name };
    const entry = known.get(keyOf(ref));
    if (!entry) return;
    entry.again = true;
    if (entry.reading) return;
    entry.reading = true;
    void refresh(ref, entry);
  };

  const refresh = async (ref: Ref, entry: Entry): Promise<void> => {
    try {
      while (entry.again) {
        entry.again = false;
        entry.live = await read(ref);
      }
      entry.reading = false;
    } catch (error) {
      log.warn({ ...ref, err: error }, 'a release could not be read again; it is read when it is next asked for');
      if (known.get(keyOf(ref)) === entry) known.delete(keyOf(ref));
    }
  };

  const follow = async (): Promise<void> => {
    const { resourceVersion } = await objects.list('Release', { ...where, limit: 1 });
    const events = objects.watch('Release', { ...where, since: resourceVersion, signal: closing.signal });
    known.clear();
    watching = true;
    for await (const event of events) if (event.type !== 'BOOKMARK') changed(event.object.metadata);
  };

  const ended = () => {
    watching = false;
    known.clear();
  };

  return {
    get: (ref) => {
      if (!started) {
        started = true;
        void keepFollowing({ what: 'releases', follow, ended, log, signal: closing.signal });
      }
      const key = keyOf(ref);
      const entry = known.get(key);
      if (entry && (!entry.reading || entry.live)) return entry.live;
      const current = loading.get(key);
      if (current) return current;
      const loaded = load(ref, key).finally(() => loading.delete(key));
      loading.set(key, loaded);
      return loaded;
    },
    close: () => closing.abort(),
  };
}

const keyOf = ({ namespace, name }: Ref) => `${namespace}/${name}`;

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
