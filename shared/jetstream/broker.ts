// The port Broker on NATS JetStream: a stream of events, each once; one durable pull consumer for each function; a stream of dead letters.
import type { Broker } from '../ports/broker.ts';
import { createConnection } from './connection.ts';
import { createCounts } from './counts.ts';
import { createDeadLetters } from './dead-letters.ts';
import { checkSubscriptionName, type JetStreamOptions } from './options.ts';
import { createPublisher } from './publish.ts';
import { createRoom } from './room.ts';
import { ensureTopology, topologyOf } from './streams.ts';
import { createSubscriber, type Subscriber } from './subscriber.ts';

const BACKOFF = { base_ms: 200, cap_ms: 300_000 };

/** Connects when first needed. Throws at once only for what is wrong with the options; a server that is away is waited for. */
export function createJetStreamBroker(options: JetStreamOptions): Broker {
  const { log } = options;
  const topology = topologyOf(options);
  const connection = createConnection(options);
  const tools = {
    connection,
    topology,
    log,
    counts: createCounts(topology),
    deadLetters: createDeadLetters(connection, topology),
    backoff: { ...BACKOFF, ...options.backoff },
    now: Date.now,
  };
  const subscribers = new Map<string, Subscriber>();
  const publisher = createPublisher(connection, topology, createRoom(topology.names, log));

  /** Streams are there, and whoever subscribed here hears. Once for a process; what failed is tried again by the next who asks. */
  let made: Promise<void> | undefined;
  let prepared: Promise<unknown> | undefined;
  const makeStreams = () => {
    made ??= connection
      .patiently('The streams of the broker could not be made', (session) => ensureTopology(session, topology))
      .catch((error: unknown) => {
        made = undefined;
        throw error;
      });
    return made;
  };
  const prepare = () => {
    prepared ??= makeStreams()
      .then(() => connection.patiently('The consumers of the broker could not be made', () => Promise.all([...subscribers.values()].map((each) => each.ready))))
      .catch((error: unknown) => {
        prepared = undefined;
        throw error;
      });
    return prepared;
  };

  const forget = () => {
    made = undefined;
    prepared = undefined;
  };

  let stopped: Promise<void> | undefined;
  const stop = async (grace_ms: number) => {
    await Promise.all([...subscribers.values()].map((subscriber) => subscriber.stop(grace_ms)));
    await connection.close();
  };

  return {
    publish: async (events) => {
      if (events.length === 0) return;
      await prepare();
      try {
        await publisher.publish(events);
      } catch (error) {
        // It may be that somebody deleted the streams: the next publish looks.
        forget();
        throw error;
      }
    },
    subscribe: (subscription, deliver) => {
      checkSubscriptionName(subscription.name);
      if (subscribers.has(subscription.name)) throw new Error(`There is a subscription named ${subscription.name} already: names are unique`);
      prepared = undefined;
      subscribers.set(subscription.name, createSubscriber(subscription, deliver, { ...tools, makeStreams, forgetStreams: forget }));
    },
    deadLetters: async (page) => {
      await makeStreams();
      return tools.deadLetters.list(page);
    },
    redrive: async (id) => {
      await makeStreams();
      await tools.deadLetters.redrive(id);
    },
    stop: (grace_ms) => (stopped ??= stop(grace_ms)),
  };
}
