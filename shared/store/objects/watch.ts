// Watches: read from the change log and woken in process, so a slow reader costs no memory and nobody polls.
import type { DatabaseSync } from 'node:sqlite';
import type { Kind, Obj } from '../../objects/kinds.ts';
import { Expired, type WatchEvent, type WatchOptions } from '../../ports/objects.ts';
import type { Place, ReadPage } from './list.ts';
import { type ChangeType, type Records, parseLabels, toObject } from './records.ts';

const CHUNK = 100;
/** A bookmark follows the objects that were there at first, and then so many changes that did not concern the reader. */
const BOOKMARK_EVERY = 1000;

interface Change {
  version: number;
  type: ChangeType;
  namespace: string;
  name: string;
  labels: string | null;
  labels_before: string | null;
  object: string;
}

export type Watch = <K extends Kind>(kind: K, options: WatchOptions) => AsyncGenerator<WatchEvent<K>>;

export function createWatch(sql: DatabaseSync, records: Records, page: ReadPage): Watch {
  const after = sql.prepare(
    'SELECT version, type, namespace, name, labels, labels_before, object FROM changes WHERE kind = ? AND version > ? ORDER BY version LIMIT ?',
  );

  const read = (kind: Kind, since: number): Change[] => {
    if (since < records.floor())
      throw new Expired(`Changes after version ${since} are no longer kept, only those after ${records.floor()}: list again, and watch from there`);
    return after.all(kind, since, CHUNK) as unknown as Change[];
  };

  return async function* <K extends Kind>(kind: K, options: WatchOptions): AsyncGenerator<WatchEvent<K>> {
    const { signal } = options;
    let version = options.since === undefined ? records.version() : startingPoint(options.since, records);
    /** While the objects that are there are told page by page: the last one told. Undefined: all are. */
    let told: Place | undefined = options.since === undefined ? { namespace: '', name: '', id: 0 } : undefined;
    /** Newest version that the reader knows of. */
    let known = told ? -BOOKMARK_EVERY : version;
    while (!signal.aborted) {
      const newest = records.version();
      const changes = read(kind, version);
      for (const change of changes) {
        version = change.version;
        const event = told && !isTold(change, told) ? undefined : eventFor<K>(change, options);
        if (!event) continue;
        known = version;
        yield event;
        if (signal.aborted) return;
      }
      // What was yielded took time: read on until there is nothing, and go on in that same moment.
      if (changes.length > 0) continue;
      version = Math.max(version, newest);
      if (told) {
        const { rows, next } = page(kind, { ...options, order: 'name' }, told.name === '' ? undefined : told, CHUNK);
        told = next;
        for (const row of rows) {
          yield { type: 'ADDED', object: toObject<K>(row) };
          if (signal.aborted) return;
        }
      } else if (version - known >= BOOKMARK_EVERY) {
        known = version;
        yield { type: 'BOOKMARK', resourceVersion: String(version) };
      } else {
        await records.changed(signal);
      }
    }
  };
}

function startingPoint(since: string, records: Records): number {
  const version = Number(since);
  if (!Number.isSafeInteger(version) || version < 0 || version > records.version()) {
    throw new Expired(`"${since}" is no version of this store: list again, and watch from there`);
  }
  return version;
}

/** Whether the object of a change stands among those told already; the others are yet to be told as they will be then. */
function isTold(change: Change, told: Place): boolean {
  if (change.namespace !== told.namespace) return change.namespace < told.namespace;
  return change.name <= told.name;
}

/** The change as someone sees it who looks only at a namespace and some labels: what leaves the view is deleted from it. */
function eventFor<K extends Kind>(change: Change, options: WatchOptions): WatchEvent<K> | undefined {
  if (options.namespace !== undefined && change.namespace !== options.namespace) return undefined;
  const before = change.type !== 'ADDED' && matches(change.labels_before, options.labels);
  const now = change.type !== 'DELETED' && matches(change.labels, options.labels);
  if (!before && !now) return undefined;
  const type = before && now ? 'MODIFIED' : now ? 'ADDED' : 'DELETED';
  return { type, object: JSON.parse(change.object) as Obj<K> };
}

function matches(text: string | null, wanted: Record<string, string> | undefined): boolean {
  const entries = Object.entries(wanted ?? {});
  if (entries.length === 0) return true;
  const labels = parseLabels(text);
  return entries.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
