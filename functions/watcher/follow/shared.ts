// One watch of a kind that several read, each as if it were its own: of each change the API server tells one process once.
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Objects, WatchEvent, WatchOptions } from '../../../shared/ports/objects.ts';
import { idOf } from './attend.ts';

/** How a watch ended: by itself, or with what it threw. */
interface End {
  error?: Error;
}

interface Reader<K extends Kind> {
  tell(events: readonly WatchEvent<K>[]): void;
  end(how: End): void;
}

interface Source<K extends Kind> {
  join(reader: Reader<K>): void;
  /** With its last reader it ends. */
  leave(reader: Reader<K>): void;
}

/**
 * The objects, with one watch for all readers of all that there is of these kinds. Who joins is told first what there is, as with a watch of its own;
 * when the watch ends, or breaks off, it does so for each reader, and the first who begins anew begins it anew. Readers take what they are told at once.
 */
export function withSharedWatches(objects: Objects, shared: readonly Kind[]): Objects {
  const sources = new Map<Kind, Source<Kind>>();

  async function* read<K extends Kind>(kind: K, signal: AbortSignal): AsyncGenerator<WatchEvent<K>> {
    if (signal.aborted) return;
    let source = sources.get(kind) as Source<K> | undefined;
    if (!source) {
      const begun = begin(objects, kind, () => sources.get(kind) === begun && sources.delete(kind));
      source = begun;
      sources.set(kind, source);
    }
    yield* reading(source, signal);
  }

  return {
    ...objects,
    watch: (kind, options) => (shared.includes(kind) && isOfAll(options) ? read(kind, options.signal) : objects.watch(kind, options)),
  };
}

function isOfAll({ namespace, labels, since }: WatchOptions): boolean {
  return namespace === undefined && labels === undefined && since === undefined;
}

/** `over`: it takes no more readers. Called once, before they hear of it. */
function begin<K extends Kind>(objects: Objects, kind: K, over: () => void): Source<K> {
  const stop = new AbortController();
  const readers = new Set<Reader<K>>();
  const latest = new Map<string, Obj<K>>();
  /** Undefined: not all that there was at the beginning has been told. */
  let bookmark: WatchEvent<K> | undefined;

  const take = (event: WatchEvent<K>) => {
    if (event.type === 'BOOKMARK') bookmark = event;
    else if (event.type === 'DELETED') latest.delete(idOf(event.object));
    else latest.set(idOf(event.object), event.object);
    for (const reader of readers) reader.tell([event]);
  };

  const run = async (): Promise<End> => {
    try {
      for await (const event of objects.watch(kind, { signal: stop.signal })) take(event);
      return {};
    } catch (error) {
      return { error: error as Error };
    }
  };
  void run().then((how) => {
    over();
    for (const reader of readers) reader.end(how);
  });

  return {
    join: (reader) => {
      reader.tell([...latest.values()].map((object) => ({ type: 'ADDED', object })));
      if (bookmark) reader.tell([bookmark]);
      readers.add(reader);
    },
    leave: (reader) => {
      readers.delete(reader);
      if (readers.size > 0) return;
      over();
      stop.abort();
    },
  };
}

async function* reading<K extends Kind>(source: Source<K>, signal: AbortSignal): AsyncGenerator<WatchEvent<K>> {
  const waiting: WatchEvent<K>[] = [];
  let ended: End | undefined;
  let wake: (() => void) | undefined;
  const reader: Reader<K> = {
    tell: (events) => {
      for (const event of events) waiting.push(event);
      wake?.();
    },
    end: (how) => {
      ended = how;
      wake?.();
    },
  };
  const onAbort = () => wake?.();
  signal.addEventListener('abort', onAbort, { once: true });
  source.join(reader);
  try {
    for (;;) {
      // One at a time from the front would move all the others each time.
      for (const event of waiting.splice(0)) {
        if (signal.aborted) return;
        yield event;
      }
      if (signal.aborted) return;
      if (waiting.length > 0) continue;
      if (ended?.error) throw ended.error;
      if (ended) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    source.leave(reader);
  }
}
