// Events that begin a chain, where the broker is a doorbell: it answers when all who hear of them have answered, and whoever asked cannot wait so long.
// They are written to Storage first; then whoever asked has its answer, and they are published. What a kill left there, the watcher publishes.
import { parseEvent, type TidemillEvent } from '../../shared/events/event.ts';
import { hash } from '../../shared/events/ids.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Storage } from '../../shared/ports/storage.ts';

const FOLDER = 'root-events/';
const TIME_LENGTH = 13;
const PAGE = 100;

export interface KeptEventsDeps {
  storage: Pick<Storage, 'put' | 'get' | 'list' | 'delete'>;
  broker: Pick<Broker, 'publish'>;
  log: Log;
}

export interface KeptEvents extends Pick<Broker, 'publish'> {
  /** Resolves when all that was taken is published, or has failed and is left for the watcher. */
  settled(): Promise<void>;
}

export function createKeptEvents(deps: KeptEventsDeps): KeptEvents {
  const { storage, broker, log } = deps;
  const inHand = new Set<Promise<void>>();
  return {
    publish: async (events) => {
      if (events.length === 0) return;
      const ids = events.map(({ source, id }) => hash(source, id));
      const key = `${FOLDER}${String(Date.now()).padStart(TIME_LENGTH, '0')}-${hash(...ids)}.json`;
      await storage.put(key, Buffer.from(JSON.stringify(events)));
      const handing = broker
        .publish(events)
        .then(() => storage.delete(key))
        .catch((error: unknown) => log.warn({ key, reason: (error as Error).message }, 'events are kept and could not be published yet; the watcher does that'))
        .finally(() => inHand.delete(handing));
      inHand.add(handing);
    },
    settled: async () => void (await Promise.all(inHand)),
  };
}

/** Publishes what was kept before that time (RFC 3339) and is still there, oldest first. Resolves with how many were. */
export async function ringKeptEvents(before: string, { storage, broker, log }: KeptEventsDeps): Promise<number> {
  const limit = String(Date.parse(before)).padStart(TIME_LENGTH, '0');
  const { keys } = await storage.list(FOLDER, { limit: PAGE });
  const due = keys.filter((key) => key.slice(FOLDER.length, FOLDER.length + TIME_LENGTH) < limit);
  const rung = await Promise.all(
    due.map(async (key) => {
      try {
        const events = await readEvents(storage, key);
        if (!events) return 0;
        await broker.publish(events);
        await storage.delete(key);
        return events.length;
      } catch (error) {
        log.warn({ key, reason: (error as Error).message }, 'events that were kept could not be published; it is tried again');
        return 0;
      }
    }),
  );
  return rung.reduce((sum, count) => sum + count, 0);
}

async function readEvents(storage: KeptEventsDeps['storage'], key: string): Promise<TidemillEvent[] | undefined> {
  const found = await storage.get(key);
  if (!found) return undefined;
  const events = JSON.parse(Buffer.concat(await found.body.toArray()).toString('utf8')) as unknown[];
  return events.map(parseEvent);
}
