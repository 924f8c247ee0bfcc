// What every manifest is made of: an object of Kubernetes, and the labels that all of tidemill's carry.

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

/** Marks the workloads that publish events: the SinkBindings find them by it. */
export const PUBLISHES = 'tidemill.dev/publishes';

/** Says which Broker a workload publishes to, where there are Brokers. */
export const PUBLISHES_TO = 'tidemill.dev/broker';

/** The Broker that every function hears, for whoever has none of its own. */
export const BROKER = 'tidemill';

/** What all of tidemill's pods are selected by. */
export const PART_OF = { 'app.kubernetes.io/part-of': 'tidemill' } as const;

export const NAME_LABEL = 'app.kubernetes.io/name';
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** Labels of everything that belongs to one function or edge, or, without a name, to all of them. */
export function labelsOf(name?: string): Record<string, string> {
  return { ...(name && { [NAME_LABEL]: name }), ...PART_OF };
}

/** What Services, policies and budgets select the pods of a function by. */
export function selectorOf(name: string): Record<string, string> {
  return { [NAME_LABEL]: name, ...PART_OF };
}
