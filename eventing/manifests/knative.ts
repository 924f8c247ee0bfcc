// The Broker of all functions, each with a Trigger for the types that wake it; those of single publishers on the way of every push; the sinks of those that
// publish, and the ticks.
import { type FunctionEntry, functions, type TickEntry, ticks as ticksOfGraph } from '../../functions/graph.ts';
import { BROKER, type KubeObject, labelsOf, PUBLISHES, PUBLISHES_TO } from '../../knative/generate/object.ts';
import { TICK } from '../../shared/events/tick.ts';
import { CONFIG, type Resolved } from '../../knative/generate/options.ts';
import { hasOwnBroker, type Workload, workloads } from '../../knative/generate/workloads/workloads.ts';

const EVENTING = 'eventing.knative.dev/v1';
const SERVING = 'serving.knative.dev/v1';

/** A failed delivery is made again so often, after 0.2 s and twice as long each time: 6 s in all. What needs longer is told so by an answer of 202, and kept. */
const RETRIES = 5;
const BACKOFF = 'PT0.2S';

const brokerRef = (name: string) => ({ ref: { apiVersion: EVENTING, kind: 'Broker', name } });
const DEAD_LETTERS = { ref: { apiVersion: 'v1', kind: 'Service', name: 'dead-letters' } };
const serviceRef = (name: string) => ({ ref: { apiVersion: SERVING, kind: 'Service', name } });

function broker(namespace: string, name: string): KubeObject {
  return {
    apiVersion: EVENTING,
    kind: 'Broker',
    metadata: { name, namespace, labels: labelsOf() },
    spec: {
      delivery: { retry: RETRIES, backoffPolicy: 'exponential', backoffDelay: BACKOFF, deadLetterSink: DEAD_LETTERS },
    },
  };
}

/** Every PingSource sends one type: what tells them apart for a Trigger, which sees no data, is an extension. */
const TICK_EXTENSION = 'tidemilltick';

type Ticks = Readonly<Record<string, TickEntry>>;

interface Subscription {
  /** Of the Trigger. */
  name: string;
  broker: string;
  /** Who is woken, and by what. */
  subscriber: string;
  types: readonly string[];
}

function trigger(namespace: string, { name, broker: of, subscriber, types }: Subscription, ticks: Ticks = {}): KubeObject {
  const filters = types.filter((type) => type !== TICK).map((type) => ({ exact: { type } }));
  const tick = subscriber in ticks ? [{ exact: { type: TICK, [TICK_EXTENSION]: subscriber } }] : [];
  return {
    apiVersion: EVENTING,
    kind: 'Trigger',
    metadata: { name, namespace, labels: labelsOf(subscriber) },
    spec: { broker: of, filters: [{ any: [...filters, ...tick] }], subscriber: serviceRef(subscriber) },
  };
}

/** Of the Broker that one publisher has for itself: who hears something of what it says. */
function hearing({ name: publisher, emits }: Workload): Subscription[] {
  return Object.entries<FunctionEntry>(functions).flatMap(([subscriber, { consumes }]) => {
    const types = consumes.filter((type) => emits.includes(type));
    return types.length > 0 ? [{ name: `${publisher}.${subscriber}`, broker: publisher, subscriber, types }] : [];
  });
}

function pingSource(namespace: string, name: string, { schedule }: TickEntry): KubeObject {
  return {
    apiVersion: 'sources.knative.dev/v1',
    kind: 'PingSource',
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: {
      schedule,
      timezone: 'UTC',
      contentType: 'application/json',
      data: JSON.stringify({ tick: name }),
      ceOverrides: { extensions: { [TICK_EXTENSION]: name } },
      sink: brokerRef(BROKER),
    },
  };
}

/** Gives K_SINK to everything that publishes to the Broker, as its labels say. */
function sinkBinding(namespace: string, name: string, apiVersion: string, kind: string, to: string): KubeObject {
  return {
    apiVersion: 'sources.knative.dev/v1',
    kind: 'SinkBinding',
    metadata: { name, namespace, labels: labelsOf() },
    spec: { subject: { apiVersion, kind, selector: { matchLabels: { [PUBLISHES]: 'true', [PUBLISHES_TO]: to } } }, sink: brokerRef(to) },
  };
}

export function knativeObjects({ namespace }: Resolved, ticks: Ticks = ticksOfGraph): Record<string, KubeObject[]> {
  const own = workloads('knative').filter(hasOwnBroker);
  const ofAll = Object.entries<FunctionEntry>(functions).map(([name, { consumes }]) => ({ name, broker: BROKER, subscriber: name, types: consumes }));
  return {
    settings: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG.events, namespace, labels: labelsOf() }, data: { TIDEMILL_BROKER: 'knative' } }],
    broker: [broker(namespace, BROKER), ...own.map(({ name }) => broker(namespace, name))],
    // Before who publishes is told where to: what nobody hears is lost.
    triggers: [
      ...ofAll.map((subscription) => trigger(namespace, subscription, ticks)),
      ...own.flatMap(hearing).map((subscription) => trigger(namespace, subscription)),
    ],
    'sink-bindings': [
      sinkBinding(namespace, 'sleeping', SERVING, 'Service', BROKER),
      sinkBinding(namespace, 'awake', 'apps/v1', 'Deployment', BROKER),
      ...own.map(({ name }) => sinkBinding(namespace, name, SERVING, 'Service', name)),
    ],
    ticks: Object.entries(ticks).map(([name, tick]) => pingSource(namespace, name, tick)),
  };
}
