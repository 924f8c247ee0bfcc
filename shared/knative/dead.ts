// What a Knative Broker, or the delay queue, gave up on: one document each in Storage, under dead/, until somebody redrives it.
import { hash } from '../events/ids.ts';
import type { DeadLetter } from '../ports/broker.ts';
import type { Storage } from '../ports/storage.ts';
import { readDocument, sortable, writeDocument } from './documents.ts';
import type { Later } from './later.ts';

const PREFIX = 'dead/';
const ID = /^\d{13}-[0-9a-z]{16}$/;
const MAX_REASON = 4096;
const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;
const AT_ONCE = 16;

export interface Dead {
  /** Durable when it resolves. Returns the letter's id. */
  keep(letter: Omit<DeadLetter, 'id'>): Promise<string>;
  /** Oldest first. */
  list(page?: { limit?: number; after?: string }): Promise<DeadLetter[]>;
  /** To the function that gave it up, from attempt 1, by way of the delay queue; then it is no letter any more. Throws when there is none of this id. */
  redrive(id: string, later: Pick<Later, 'put'>): Promise<void>;
}

export function createDead(storage: Storage): Dead {
  const read = async (id: string): Promise<DeadLetter | undefined> => {
    const letter = await readDocument(storage, keyOf(id));
    return letter === undefined ? undefined : { ...(letter as Omit<DeadLetter, 'id'>), id };
  };

  return {
    keep: async (letter) => {
      const { source, id: eventId } = (letter.event ?? {}) as { source?: unknown; id?: unknown };
      const id = `${sortable(Date.parse(letter.at) || 0)}-${hash(letter.subscription, String(source), String(eventId)).slice(0, 16)}`;
      await writeDocument(storage, keyOf(id), { ...letter, reason: letter.reason.slice(0, MAX_REASON) });
      return id;
    },
    list: async ({ limit = DEFAULT_PAGE, after } = {}) => {
      const most = Math.min(Math.max(1, limit), MAX_PAGE);
      const { keys } = await storage.list(PREFIX, { limit: most, ...(after !== undefined && ID.test(after) && { after: keyOf(after) }) });
      const letters: (DeadLetter | undefined)[] = [];
      for (let i = 0; i < keys.length; i += AT_ONCE) letters.push(...(await Promise.all(keys.slice(i, i + AT_ONCE).map((key) => read(idOf(key))))));
      return letters.filter((letter) => letter !== undefined);
    },
    redrive: async (id, later) => {
      const letter = ID.test(id) ? await read(id) : undefined;
      if (!letter) throw new Error(`There is no dead letter ${id.slice(0, 64)}: it was redriven before, or never was`);
      if (!letter.subscription) throw new Error(`Nobody knows which function the dead letter ${id} was for, so it cannot be redriven`);
      await later.put({ subscription: letter.subscription, event: letter.event, attempt: 1 }, 0);
      await storage.delete(keyOf(id));
    },
  };
}

const keyOf = (id: string) => `${PREFIX}${id}.json`;
const idOf = (key: string) => key.slice(PREFIX.length, -'.json'.length);
