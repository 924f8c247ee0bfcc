// What a watch has told so far, so that one that has to begin anew tells only what changed meanwhile, what went included.
import type { Kind } from '../../../objects/kinds.ts';
import type { WatchEvent } from '../../../ports/objects.ts';
import type { Raw } from '../convert.ts';
import type { Admit } from '../page.ts';

interface Told {
  uid: string;
  version: string;
  /** As it was last told; undefined: it never was valid. */
  object: Raw | undefined;
}

export interface Known<K extends Kind> {
  /** From here all there is comes again. */
  begin(): void;
  /** What the reader is to hear of a line. */
  take(type: 'ADDED' | 'MODIFIED' | 'DELETED', raw: Raw): WatchEvent<K>[];
  /** All there is has come: what did not is gone. */
  end(): WatchEvent<K>[];
}

export function createKnown<K extends Kind>(kind: K, admit: Admit): Known<K> {
  const told = new Map<string, Told>();
  /** What has come since the beginning; undefined: it came to its end. */
  let seen: Set<string> | undefined;

  const gone = (key: string, last?: Raw): WatchEvent<K>[] => {
    const known = told.get(key);
    told.delete(key);
    if (!known?.object) return [];
    // It may have been broken by hand before it was deleted: then it goes as it was told last.
    const object = (last && admit(kind, last)) ?? admit(kind, known.object);
    return object ? [{ type: 'DELETED', object }] : [];
  };

  return {
    begin: () => {
      seen = new Set();
    },
    take: (type, raw) => {
      const key = `${raw.metadata.namespace}/${raw.metadata.name}`;
      const { uid, resourceVersion: version } = raw.metadata;
      if (type === 'DELETED') {
        return gone(key, raw);
      }
      seen?.add(key);
      const before = told.get(key);
      if (before?.uid === uid && before.version === version) return [];
      const events = before && before.uid !== uid ? gone(key) : [];
      const last = before?.uid === uid ? before.object : undefined;
      const object = admit(kind, raw);
      told.set(key, { uid, version, object: object ? slim(raw) : last });
      return object ? [...events, { type: last ? 'MODIFIED' : 'ADDED', object }] : events;
    },
    end: () => {
      const left = seen ? [...told.keys()].filter((key) => !seen?.has(key)) : [];
      seen = undefined;
      return left.flatMap((key) => gone(key));
    },
  };
}

/** Without the book-keeping of apply, which is as large as the rest. */
function slim(raw: Raw): Raw {
  const { managedFields: _, ...metadata } = raw.metadata;
  return { ...raw, metadata };
}
