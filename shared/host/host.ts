// The host of event functions: parses what comes in, calls the handler, checks what comes out, and commits all of it at once.
import { DEFAULT_NAMESPACE } from '../decisions/names.ts';
import { InvalidEvent, type Output, parseData, parseEvent, type TidemillEvent } from '../events/event.ts';
import { outputId } from '../events/ids.ts';
import { isTickOfAnother } from '../events/tick.ts';
import type { EventType } from '../events/types.ts';
import { InvalidObject, type NewObj, type Obj } from '../objects/kinds.ts';
import type { Broker, Delivery, Settlement } from '../ports/broker.ts';
import { Conflict } from '../ports/objects.ts';
import { type Log, NotYet, type Outcome, type Ports, Refused } from './contract.ts';

/** A function as the graph describes it. */
export interface Entry {
  consumes: readonly EventType[];
  emits: readonly EventType[];
  needs: readonly (keyof Ports)[];
  concurrency?: number;
  maxAttempts?: number;
}

// A handler is typed by its own entry; the host calls them all alike, and checks at run time what the types say.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyHandler = (event: any, deps: any) => Promise<Outcome<EventType>>;

/** All that is to be written of an outcome. */
export interface Change {
  create: NewObj[];
  status?: Obj;
  record?: NewObj;
  events: TidemillEvent[];
}

/** Writes the whole outcome, its events and the end of the delivery, or nothing of it. Throws Conflict. */
export type Commit = (delivery: Delivery, change: Change) => Promise<void>;

/** Begins the handling of one delivery: the ports as its handler is to see them, and the way its outcome is written. */
export type Begin = (delivery: Delivery, ports: Partial<Ports>) => { ports: Partial<Ports>; commit: (change: Change) => Promise<void> };

/** Where the store writes outcome, events and the end of the delivery in one transaction. */
export function inOneTransaction(commit: Commit): Begin {
  return (delivery, ports) => ({ ports, commit: (change) => commit(delivery, change) });
}

/** The cause was decided before, and that is recorded: what it came to is told again, and nothing is decided. */
export class AlreadyDecided extends Error {
  override name = 'AlreadyDecided';
  readonly tellAgain: () => Promise<void>;
  constructor(where: string, tellAgain: () => Promise<void>) {
    super(`The event was decided before, as ${where} has it`);
    this.tellAgain = tellAgain;
  }
}

export interface HostOptions {
  functions: Record<string, Entry>;
  load: (name: string) => Promise<AnyHandler>;
  ports: Ports;
  broker: Broker;
  begin: Begin;
  log: Log;
  now: () => string;
  /** Namespace of what belongs to no project. Default "default". */
  home?: string;
}

const DEFAULT_CONCURRENCY = 8;
const DEFAULT_MAX_ATTEMPTS = 10;
/** Somebody else wrote in between so often: then others may go first. */
const MAX_CONFLICTS = 20;
const AFTER_CONFLICTS_MS = 100;

/** Subscribes every function. Handlers are loaded when their first event comes. */
export function startHost(options: HostOptions): void {
  for (const [name, entry] of Object.entries(options.functions)) {
    const { concurrency = DEFAULT_CONCURRENCY, maxAttempts = DEFAULT_MAX_ATTEMPTS } = entry;
    const granted: Partial<Ports> = Object.fromEntries(entry.needs.map((need) => [need, options.ports[need]]));
    let handler: Promise<AnyHandler> | undefined;
    const call = async (delivery: Delivery) => {
      // One that could not be loaded is loaded again with the next event.
      handler ??= options.load(name).catch((error: unknown) => {
        handler = undefined;
        throw error;
      });
      const common = { now: options.now, log: options.log, home: options.home ?? DEFAULT_NAMESPACE, attempt: delivery.attempt, lastAttempt: maxAttempts };
      const { ports, commit } = options.begin(delivery, granted);
      return run({ name, entry, handler: await handler, deps: { ...ports, ...common }, commit }, delivery, options);
    };
    options.broker.subscribe({ name, types: entry.consumes, concurrency, maxAttempts }, oneByOne(call));
  }
}

/**
 * Deliveries of one event go one after the other: whoever comes second finds what the first did, and does not tell again what that is just telling.
 * A TaskRun's end comes from Tekton and from the watcher, at the same moment.
 */
function oneByOne(call: (delivery: Delivery) => Promise<Settlement>): typeof call {
  const inHand = new Map<string, Promise<unknown>>();
  return async (delivery) => {
    const key = JSON.stringify([delivery.event.source, delivery.event.id]);
    const mine = (inHand.get(key) ?? Promise.resolve()).then(() => call(delivery));
    const ended = mine.catch(() => undefined); // Who called is told; the next one goes on all the same.
    inHand.set(key, ended);
    try {
      return await mine;
    } finally {
      if (inHand.get(key) === ended) inHand.delete(key);
    }
  };
}

interface Callable {
  name: string;
  entry: Entry;
  handler: AnyHandler;
  deps: Partial<Ports>;
  commit: (change: Change) => Promise<void>;
}

async function run(callable: Callable, delivery: Delivery, options: HostOptions): Promise<Settlement> {
  try {
    const event = delivery.checked ? delivery.event : parseEvent(delivery.event);
    if (isTickOfAnother(event, callable.name)) return { kind: 'done' };
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      try {
        const outcome = await callable.handler(event, conflicts === 0 && delivery.attempt === 1 ? callable.deps : withoutLag(callable.deps));
        await callable.commit({
          create: outcome.create ?? [],
          ...(outcome.status && { status: outcome.status }),
          ...(outcome.record && { record: outcome.record }),
          events: eventsOf(callable, event, outcome, options.now()),
        });
        return { kind: 'done' };
      } catch (error) {
        if (error instanceof AlreadyDecided) {
          await error.tellAgain();
          return { kind: 'done' };
        }
        if (!(error instanceof Conflict)) throw error;
      }
    }
    return { kind: 'retry', after_ms: AFTER_CONFLICTS_MS, reason: 'others kept writing the same object', waiting: true };
  } catch (error) {
    return settle(callable.name, delivery, error, options.log);
  }
}

/** What somebody else wrote in between is not to be missed again. */
function withoutLag<D extends Partial<Ports>>(deps: D): D {
  const { objects } = deps;
  return objects ? { ...deps, objects: { ...objects, get: (kind, ref) => objects.get(kind, ref) } } : deps;
}

function eventsOf({ name, entry }: Callable, cause: TidemillEvent, outcome: Outcome<EventType>, now: string): TidemillEvent[] {
  const events = (outcome.outputs ?? []).map((output) => outputEvent(name, entry, cause, output, now));
  if (new Set(events.map((event) => event.id)).size < events.length)
    throw new Error(`${name} emitted two events of one type with one key: give each a key of its own`);
  return events;
}

/** Of one push come events of projects that have one name in two namespaces, with objects of one name. */
function keyOf({ key, subject = '', data }: Output): string {
  const { namespace = DEFAULT_NAMESPACE } = data as { namespace?: string };
  const own = key ?? subject;
  return namespace === DEFAULT_NAMESPACE ? own : `${namespace}/${own}`;
}

function outputEvent(name: string, entry: Entry, cause: TidemillEvent, output: Output, now: string): TidemillEvent {
  if (!entry.emits.includes(output.type)) throw new Error(`${name} emitted ${output.type}, which the graph does not allow it`);
  return {
    specversion: '1.0',
    id: outputId(cause, output.type, keyOf(output)),
    source: `/functions/${name}`,
    type: output.type,
    ...(output.subject && { subject: output.subject }),
    time: now,
    datacontenttype: 'application/json',
    chainid: cause.chainid,
    ...(cause.traceparent && { traceparent: cause.traceparent }),
    data: parseData(output.type, output.data),
  };
}

function settle(name: string, delivery: Delivery, error: unknown, log: Log): Settlement {
  if (error instanceof NotYet) return { kind: 'retry', after_ms: error.after_ms, reason: error.message, waiting: error.waiting };
  const message = error instanceof Error ? error.message : String(error);
  const fields = { function: name, event: delivery.event.id, type: delivery.event.type, attempt: delivery.attempt, reason: message };
  // Invalid data of an event that this host made is a fault of ours, and so is an invalid object: trying again cannot mend either.
  if (error instanceof InvalidEvent || error instanceof InvalidObject || error instanceof Refused) {
    log.warn(fields, 'refused for good');
    return { kind: 'dead', reason: message };
  }
  log.error({ ...fields, stack: error instanceof Error ? error.stack : undefined }, 'failed; it is tried again');
  throw error;
}
