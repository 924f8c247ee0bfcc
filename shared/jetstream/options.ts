// What the JetStream broker is told, and the names that follow from it.
import { hash } from '../events/ids.ts';
import type { Log } from '../host/contract.ts';
import type { Subscription } from '../ports/broker.ts';

export interface JetStreamOptions {
  /** nats://HOST:PORT or tls://HOST:PORT; several separated by commas. Never with a password in it. */
  url: string;
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
  /** Copies of each stream, on as many servers. Absent: what is there stays, and what is new has one. */
  replicas?: 1 | 3 | undefined;
  /** First word of all subjects; in upper case the name of the streams. Default "tidemill". Lower-case letters, digits, "-". */
  prefix?: string | undefined;
  /** Bytes that events may take, in each copy. Default 2 GiB. */
  maxBytes?: number | undefined;
  /** Those of every function there is: their consumers are made before the first event is published, so that each function hears of it, running or not. */
  subscriptions?: readonly Pick<Subscription, 'name' | 'types'>[] | undefined;
  /** Pauses before a failed event is tried again: doubling from `base_ms` to `cap_ms`. */
  backoff?: { base_ms?: number; cap_ms?: number } | undefined;
  /** An event that a process had in hand comes again so long after the process was killed. Default 30 s. */
  ackWait_ms?: number | undefined;
  /** publish, deadLetters and redrive reject after so long without a server. Default 15 s. */
  patience_ms?: number | undefined;
  log: Log;
}

export interface Names {
  events: string;
  dead: string;
  counts: string;
  /** Subjects of each stream. */
  eventSubjects: string[];
  deadSubjects: string[];
  countSubjects: string[];
}

const DEFAULT_PREFIX = 'tidemill';

export function namesOf(prefix: string = DEFAULT_PREFIX): Names {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(prefix))
    throw new Error(`"${prefix}" cannot begin the subjects of a broker: take lower-case letters, digits and "-", at most 31`);
  const stream = prefix.toUpperCase();
  return {
    events: stream,
    dead: `${stream}_DEAD`,
    counts: `${stream}_COUNTS`,
    eventSubjects: [`${prefix}.events.>`, `${prefix}.redrive.>`],
    deadSubjects: [`${prefix}.dead.>`],
    countSubjects: [`${prefix}.counts.>`],
  };
}

/** The names that one broker publishes and listens under. */
export interface Subjects {
  /** One subject for each source and id: so a second one of them is known, however much later it comes. */
  event(event: { type: string; source: string; id: string }): string;
  /** All that a subscription hears: events of its types, and dead letters given another chance there. */
  filters(subscription: Pick<Subscription, 'name' | 'types'>): string[];
  redrive(subscription: string, letter: string): string;
  dead(subscription: string, letter: string): string;
  counts(subscription: string, sequence: number): string;
}

export function subjectsOf(prefix: string = DEFAULT_PREFIX): Subjects {
  return {
    event: ({ type, source, id }) => `${prefix}.events.${type}.${hash(source, id)}`,
    filters: ({ name, types }) => [...new Set(types)].map((type) => `${prefix}.events.${type}.*`).concat(`${prefix}.redrive.${name}.*`),
    redrive: (subscription, letter) => `${prefix}.redrive.${subscription}.${letter}`,
    dead: (subscription, letter) => `${prefix}.dead.${subscription}.${letter}`,
    counts: (subscription, sequence) => `${prefix}.counts.${subscription}.${sequence}`,
  };
}

/** Names of subscriptions are names of durable consumers, and words of subjects. */
export function checkSubscriptionName(name: string): void {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new Error(`"${name}" cannot be the name of a subscription: take letters, digits, "-" and "_", at most 64`);
}
