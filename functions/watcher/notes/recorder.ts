// Says on the objects what became of them, each thing once, and never so much that anything waits for it.
import { hash } from '../../../shared/events/ids.ts';
import type { Log } from '../../../shared/host/contract.ts';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Note } from '../deps.ts';
import { createRecent } from '../follow/recent.ts';

export interface NamedNote extends Note {
  /** Derived: the same thing said again has the same name. At most 253 characters. */
  name: string;
}

/** Where notes go. One of a name that is there already is success. */
export type NoteSink = (object: Obj<Kind>, note: NamedNote) => Promise<void>;

export interface Recorder {
  /** `same`: what makes it the same thing. Default: its object, reason, time and message. */
  note(object: Obj<Kind>, note: Note, same?: string): void;
  /** Resolves when what was taken has been said, or dropped. */
  idle(): Promise<void>;
}

/** What happened longer ago is no news: it was said then, and has passed since. */
const NEWS_MS = 10 * 60_000;
const REMEMBERED = 10_000;
const MOST_WAITING = 500;
const AT_ONCE = 4;
const MAX_OBJECT_NAME = 200;

export function createRecorder(sink: NoteSink, now: () => string, log: Log): Recorder {
  const said = createRecent(REMEMBERED);
  const waiting: (() => Promise<void>)[] = [];
  const running = new Set<Promise<void>>();
  let dropped = 0;

  function fill(): void {
    while (running.size < AT_ONCE && waiting.length > 0) {
      const work: Promise<void> = waiting.shift()!().finally(() => {
        running.delete(work);
        fill();
      });
      running.add(work);
    }
  }

  async function say(object: Obj<Kind>, note: NamedNote): Promise<void> {
    const { kind, metadata } = object;
    try {
      await sink(object, note);
    } catch (error) {
      // A note is for reading only: nothing depends on it, and the next one may get through.
      log.warn(
        { kind, namespace: metadata.namespace, name: metadata.name, note: note.reason, error: (error as Error).message },
        'a note on an object could not be written',
      );
    }
  }

  return {
    note(object, note, same = [object.metadata.uid, note.reason, note.at, note.message].join('\0')) {
      if (Date.parse(note.at) < Date.parse(now()) - NEWS_MS) return;
      const name = nameOf(object, same);
      if (said.has(name)) return;
      said.add(name);
      if (waiting.length >= MOST_WAITING) {
        dropped += 1;
        if (dropped % MOST_WAITING === 1) log.warn({ dropped }, 'more notes on objects than can be written; some are left out');
        return;
      }
      waiting.push(() => say(object, { ...note, name }));
      fill();
    },
    idle: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

function nameOf({ metadata }: Obj<Kind>, same: string): string {
  return `${metadata.name.slice(0, MAX_OBJECT_NAME).replace(/[.-]+$/, '')}.${hash(same)}`;
}
