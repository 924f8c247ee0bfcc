// A Broker, a Trigger for each function with the types that wake it, the sinks of those that publish, and the ticks.
import { type FunctionEntry, functions, type TickEntry, ticks as ticksOfGraph } from '../../functions/graph.ts';
import { type KubeObject, labelsOf, PUBLISHES } from '../../knative/generate/object.ts';
import { TICK } from '../../shared/events/tick.ts';
import { CONFIG, type Resolved } from '../../knative/generate/options.ts';

const BROKER = 'tidemill';
const EVENTING = 'eventing.knative.dev/v1';
const SERVING = 'serving.knative.dev/v1';

/** A failed delivery is made again so often, after 0.2 s and twice as long each time: 6 s in all. What needs longer is told so by an answer of 202, and kept. */
const RETRIES = 5;
const BACKOFF = 'PT0.2S';

const brokerRef = { ref: { apiVersion: EVENTING, kind: 'Broker', name: BROKER } };
const DEAD_LETTERS = { ref: { apiVersion: 'v1', kind: 'Service', name: 'dead-letters' } };
const serviceRef = (name: string) => ({ ref: { apiVersion: SERVING, kind: 'Service', name } });

function broker(namespace: string): KubeObject {
  return {
    apiVersion: EVENTING,
    kind: 'Broker',
    metadata: { name: BROKER, namespace, labels: labelsOf() },
    spec: {
      delivery: { retry: RETRIES, backoffPolicy: 'exponential', backoffDelay: BACKOFF, deadLetterSink: DEAD_LETTERS },
    },
  };
}

/** Every PingSource sends one type: what tells them apart for a Trigger, which sees no data, is an extension. */
const TICK_EXTENSION = 'tidemilltick';

type Ticks = Readonly<Record<string, TickEntry>>;

function trigger(namespace: string, name: string, types: readonly string[], ticks: Ticks): KubeObject {
  const filters = types.filter((type) => type !== TICK).map((type) => ({ exact: { type } }));
  const tick = name in ticks ? [{ exact: { type: TICK, [TICK_EXTENSION]: name } }] : [];
  return {
    apiVersion: EVENTING,
    kind: 'Trigger',
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: { broker: BROKER, filters: [{ any: [...filters, ...tick] }], subscriber: serviceRef(name) },
  };
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
      sink: brokerRef,
    },
  };
}

/** Gives K_SINK to everything that carries the label. */
function sinkBinding(namespace: string, name: string, apiVersion: string, kind: string): KubeObject {
  return {
    apiVersion: 'sources.knative.dev/v1',
    kind: 'SinkBinding',
    metadata: { name, namespace, labels: labelsOf() },
    spec: { subject: { apiVersion, kind, selector: { matchLabels: { [PUBLISHES]: 'true' } } }, sink: brokerRef },
  };
}

export function knativeObjects({ namespace }: Resolved, ticks: Ticks = ticksOfGraph): Record<string, KubeObject[]> {
  return {
    settings: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG.events, namespace, labels: labelsOf() }, data: { TIDEMILL_BROKER: 'knative' } }],
    broker: [broker(namespace)],
    'sink-bindings': [sinkBinding(namespace, 'sleeping', SERVING, 'Service'), sinkBinding(namespace, 'awake', 'apps/v1', 'Deployment')],
    triggers: Object.entries<FunctionEntry>(functions).map(([name, entry]) => trigger(namespace, name, entry.consumes, ticks)),
    ticks: Object.entries(ticks).map(([name, tick]) => pingSource(namespace, name, tick)),
  };
}
