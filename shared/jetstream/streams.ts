// The streams and consumers that events travel by: made where they are missing, brought up to date where they differ, never deleted.
import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, DiscardPolicy, type StreamConfig } from '@nats-io/jetstream';
import { nanos } from 'nats';
import type { Subscription } from '../ports/broker.ts';
import { createConnection, type Session } from './connection.ts';
import { isNotFound } from './errors.ts';
import { type JetStreamOptions, type Names, namesOf, type Subjects, subjectsOf } from './options.ts';

const DAY_MS = 86_400_000;
/** How long an event is remembered, and a second one of it refused. */
const KEEP_EVENTS_MS = 30 * DAY_MS;
const KEEP_DEAD_MS = 365 * DAY_MS;
const DEFAULT_MAX_BYTES = 2 * 1024 ** 3;
const DEAD_BYTES = 256 * 1024 ** 2;
const COUNT_BYTES = 64 * 1024 ** 2;
const DEFAULT_ACK_WAIT_MS = 30_000;
/** Deliveries that are in hand or wait for their next attempt, of one subscription. Beyond that its newer events wait. */
const MAX_PENDING = 50_000;
/** A consumer made after others began to publish hears of what was published so shortly before. */
const LOOK_BACK_MS = 3_600_000;

export interface Topology {
  names: Names;
  subjects: Subjects;
  ackWait_ms: number;
  options: JetStreamOptions;
}

export function topologyOf(options: JetStreamOptions): Topology {
  return { names: namesOf(options.prefix), subjects: subjectsOf(options.prefix), ackWait_ms: options.ackWait_ms ?? DEFAULT_ACK_WAIT_MS, options };
}

/**
 * Makes streams and consumers, or brings them up to date. Idempotent; for an installer, and for whoever wants them there before the functions start.
 * Rejects with a clear error when the server cannot be reached in time, is too old, or has no room.
 */
export async function ensureStreams(options: JetStreamOptions): Promise<void> {
  const topology = topologyOf(options);
  const connection = createConnection(options);
  try {
    await connection.patiently('The streams of the broker could not be made', async (session) => {
      await ensureAllStreams(session, topology);
      await Promise.all((options.subscriptions ?? []).map((subscription) => ensureConsumer(session, topology, subscription)));
    });
  } finally {
    await connection.close();
  }
}

/** At the start of a process: streams, and consumers that nobody made yet. Those of others that are there are left as they are. */
export async function ensureTopology(session: Session, topology: Topology): Promise<void> {
  await ensureAllStreams(session, topology);
  const { subscriptions = [] } = topology.options;
  if (subscriptions.length === 0) return;
  const there = new Set<string>();
  for await (const { name } of session.jsm.consumers.list(topology.names.events)) there.add(name);
  const missing = subscriptions.filter(({ name }) => !there.has(name));
  await Promise.all(missing.map((subscription) => ensureConsumer(session, topology, subscription)));
}

async function ensureAllStreams(session: Session, { names, options }: Topology): Promise<void> {
  const { replicas, maxBytes } = options;
  const common = { allow_direct: true, ...(replicas && { num_replicas: replicas }) };
  await Promise.all([
    ensureStream(
      session,
      {
        ...common,
        name: names.events,
        description: 'Events of tidemill, each once',
        subjects: names.eventSubjects,
        // Full is said to the publisher; nothing that waits is forgotten for it.
        discard: DiscardPolicy.New,
        max_age: nanos(KEEP_EVENTS_MS),
        ...(maxBytes && { max_bytes: maxBytes }),
      },
      { max_bytes: DEFAULT_MAX_BYTES },
    ),
    ensureStream(session, {
      ...common,
      name: names.dead,
      description: 'Events that a function of tidemill gave up on',
      subjects: names.deadSubjects,
      discard: DiscardPolicy.New,
      max_age: nanos(KEEP_DEAD_MS),
      max_bytes: DEAD_BYTES,
    }),
    ensureStream(session, {
      ...common,
      name: names.counts,
      description: 'What of a delivery does not count as an attempt',
      subjects: names.countSubjects,
      discard: DiscardPolicy.Old,
      max_msgs_per_subject: 1,
      max_age: nanos(KEEP_EVENTS_MS),
      max_bytes: COUNT_BYTES,
    }),
  ]);
}

type Wanted = Partial<StreamConfig> & { name: string };

/** `atFirst`: what a new stream has and one that is there may have otherwise. */
async function ensureStream({ jsm }: Session, wanted: Wanted, atFirst: Partial<StreamConfig> = {}): Promise<void> {
  try {
    const { config } = await jsm.streams.info(wanted.name);
    if (differs(config, wanted)) await jsm.streams.update(wanted.name, { ...config, ...wanted });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await jsm.streams.add({ ...atFirst, ...wanted });
  }
}

/** The consumer as the server has it now. */
export async function ensureConsumer({ jsm }: Session, topology: Topology, subscription: Pick<Subscription, 'name' | 'types'>): Promise<ConsumerInfo> {
  const { names, subjects, ackWait_ms } = topology;
  const wanted: Partial<ConsumerConfig> = {
    description: `Events for ${subscription.name}`,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWait_ms),
    // Attempts are counted by tidemill, which knows a wait from a failure.
    max_deliver: -1,
    max_ack_pending: MAX_PENDING,
    filter_subjects: subjects.filters(subscription),
  };
  const found = await jsm.consumers.info(names.events, subscription.name).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (!found) {
    const from = { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(Date.now() - LOOK_BACK_MS).toISOString() };
    return jsm.consumers.add(names.events, { ...wanted, ...from, durable_name: subscription.name });
  }
  if (!differs(found.config, wanted)) return found;
  return jsm.consumers.update(names.events, subscription.name, { ...found.config, ...wanted });
}

function differs(has: object, wanted: object): boolean {
  const there = has as Record<string, unknown>;
  return Object.entries(wanted).some(([key, value]) => plain(there[key]) !== plain(value));
}

/** Order of subjects is no difference; a filter of one subject is told under its own name by some servers. */
function plain(value: unknown): string {
  return JSON.stringify(Array.isArray(value) ? value.map(String).toSorted((a, b) => (a < b ? -1 : 1)) : value);
}
