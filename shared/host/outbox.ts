// The commit of an outcome where objects and broker share no transaction: one compare-and-swap of the object that the event is about,
// with the events in its outbox; then they are published, and struck. A cause that stands in an outbox is published again, never decided again.
import { parseEvent, type TidemillEvent } from '../events/event.ts';
import { hash } from '../events/ids.ts';
import type { Kind, NewObj, Obj } from '../objects/kinds.ts';
import { MAX_OUTBOX, type Outbox } from '../objects/meta.ts';
import type { Broker, Delivery } from '../ports/broker.ts';
import { AlreadyExists, Conflict, NotFound, type Objects } from '../ports/objects.ts';
import type { Log, Ports } from './contract.ts';
import { AlreadyDecided, type Begin, type Change } from './host.ts';
import { modifyStatus } from './modify.ts';

export interface OutboxOptions {
  broker: Pick<Broker, 'publish'>;
  /**
   * The broker delivers a cause again until its end is acknowledged. Then what was published need not be struck at once: the watcher
   * does it later. False: a doorbell, whose deliveries may be lost; only what is struck is known to be heard.
   */
  durable: boolean;
  now: () => string;
  log: Log;
}

type WithOutbox = Obj & { status?: { outbox?: Outbox } };

export function beginWithOutbox(options: OutboxOptions): Begin {
  return (delivery, ports) => {
    const cause = causeOf(delivery);
    const read = new Map<string, Outbox>();
    const objects = ports.objects && remembering(ports.objects, read, (object, entry) => decided(ports.objects!, object, entry, options));
    return {
      ports: { ...ports, ...(objects && { objects: objects(cause) }) },
      commit: (change) => commit(cause, change, read, ports, options),
    };
  };
}

/** Known by function, source and id: two functions may hear of one event. */
function causeOf({ subscription, event }: Delivery): string {
  return hash(subscription, event.source, event.id);
}

const idOf = ({ kind, metadata }: { kind: Kind; metadata: { namespace: string; name: string } }) => `${kind}/${metadata.namespace}/${metadata.name}`;
const outboxOf = (object: Obj): Outbox => (object as WithOutbox).status?.outbox ?? [];

/** The objects as a handler sees them: what it writes keeps the outbox that it read, and an object that has its cause already ends it. */
function remembering(objects: Objects, read: Map<string, Outbox>, onDecided: (object: Obj, entry: Outbox[number]) => AlreadyDecided) {
  const seen = <K extends Kind>(object: Obj<K>): Obj<K> => {
    read.set(idOf(object), outboxOf(object));
    return object;
  };
  return (cause: string): Objects => ({
    ...objects,
    async get(kind, ref, options) {
      const object = await objects.get(kind, ref, options);
      const entry = object && outboxOf(object).find((each) => each.cause === cause);
      if (entry) throw onDecided(object, entry);
      return object && seen(object);
    },
    list: (kind, options) => objects.list(kind, options),
    create: async (object) => seen(await objects.create(object)),
    update: async (object) => seen(await objects.update(object)),
    updateStatus: async (object) =>
      seen(await objects.updateStatus(withOutbox(object, outboxOf(object).length > 0 ? outboxOf(object) : read.get(idOf(object))))),
    delete: (kind, ref, precondition) => objects.delete(kind, ref, precondition),
    watch: (kind, watching) => objects.watch(kind, watching),
  });
}

function withOutbox<O extends Obj | NewObj>(object: O, outbox: Outbox | undefined): O {
  return outbox && outbox.length > 0 && object.kind !== 'TaskRun' ? { ...object, status: { ...object.status, outbox } } : object;
}

function decided(objects: Objects, object: Obj, entry: Outbox[number], options: OutboxOptions): AlreadyDecided {
  return new AlreadyDecided(idOf(object), async () => {
    if (!entry.events) return;
    await options.broker.publish(eventsOf(entry));
    if (!options.durable) await strike(objects, object, [entry.cause], options.log);
  });
}

async function commit(cause: string, change: Change, read: Map<string, Outbox>, ports: Partial<Ports>, options: OutboxOptions): Promise<void> {
  const { create, status, record, events } = change;
  const { objects } = ports;
  if (!objects) {
    if (create.length > 0 || status || record) throw new Error('A function that the graph grants no objects wants to write some');
    return options.broker.publish(events);
  }
  await Promise.all(create.map((object) => createOnce(objects, object)));
  if (!status && !record) return events.length > 0 ? options.broker.publish(events) : undefined;
  const entry = { cause, at: options.now(), ...(events.length > 0 && { events: events.map((event) => JSON.stringify(event)) }) };
  const written = record
    ? await createRecord(objects, withOutbox(record, [entry]))
    : await objects.updateStatus(withOutbox(status!, bounded([...(read.get(idOf(status!)) ?? outboxOf(status!)), entry])));
  if (events.length === 0) return;
  await options.broker.publish(events);
  if (!options.durable) await strike(objects, written, [cause], options.log);
}

/** Whoever was faster has recorded what the event is about: the handler is to see that. */
async function createRecord(objects: Objects, record: NewObj): Promise<Obj> {
  try {
    return await objects.create(record);
  } catch (error) {
    throw error instanceof AlreadyExists ? new Conflict(record.kind, record.metadata) : error;
  }
}

/** The oldest go first, and of those the ones that have nothing left to tell. */
function bounded(outbox: Outbox): Outbox {
  if (outbox.length <= MAX_OUTBOX) return outbox;
  const oldest = outbox.findIndex((entry) => !entry.events);
  return bounded(outbox.toSpliced(Math.max(0, oldest), 1));
}

/** A kill may have come between an object and its status: then the status is written now. */
async function createOnce(objects: Objects, object: NewObj): Promise<void> {
  try {
    await objects.create(object);
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
    if (!object.status) return;
    const { namespace, name } = object.metadata;
    const there = await objects.get(object.kind, { namespace, name });
    if (!there || there.status) return;
    try {
      await objects.updateStatus({ ...there, status: object.status });
    } catch (raced) {
      // Whoever was faster has written one, or has taken the object away.
      if (!(raced instanceof Conflict || raced instanceof NotFound)) throw raced;
    }
  }
}

function eventsOf(entry: Outbox[number]): TidemillEvent[] {
  return (entry.events ?? []).map((text) => parseEvent(JSON.parse(text)));
}

/** What was published need not be told again. That it could not be struck is no failure: it is rung again, which changes nothing. */
async function strike(objects: Objects, object: Obj, causes: readonly string[], log: Log): Promise<void> {
  const struck = (outbox: Outbox) => outbox.map(({ cause, at, events }) => ({ cause, at, ...(events && !causes.includes(cause) && { events }) }));
  const { namespace, name } = object.metadata;
  try {
    await objects.updateStatus({ ...object, status: { ...object.status, outbox: struck(outboxOf(object)) } });
  } catch (error) {
    try {
      if (!(error instanceof Conflict)) throw error;
      await modifyStatus(objects, object.kind, { namespace, name }, (now) => ({ ...now.status, outbox: struck(outboxOf(now)) }));
    } catch (failure) {
      log.warn({ object: idOf(object), reason: (failure as Error).message }, 'what was published could not be struck from its outbox; it is told again later');
    }
  }
}

/** What an object still has to tell of before that time (RFC 3339). */
export function leftBehind(object: Obj, before: string): boolean {
  return outboxOf(object).some((entry) => entry.events && entry.at < before);
}

/** Publishes what an object has left to tell since before that time, and strikes it. Resolves with how many events that were. */
export async function ringOutbox(objects: Objects, object: Obj, before: string, options: Pick<OutboxOptions, 'broker' | 'log'>): Promise<number> {
  const entries = outboxOf(object).filter((entry) => entry.events && entry.at < before);
  const events = entries.flatMap(eventsOf);
  if (events.length > 0) await options.broker.publish(events);
  if (entries.length > 0)
    await strike(
      objects,
      object,
      entries.map((entry) => entry.cause),
      options.log,
    );
  return events.length;
}
