// What every manifest is made of: an object of Kubernetes, and the labels that all of tidemill's carry.

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

/** Marks the workloads that publish events: the SinkBindings find them by it. */
export const PUBLISHES = 'tidemill.dev/publishes';

/** Labels of everything that belongs to one function or edge, or, without a name, to all of them. */
export function labelsOf(name?: string): Record<string, string> {
  return { ...(name && { 'app.kubernetes.io/name': name }), 'app.kubernetes.io/part-of': 'tidemill' };
}

/** What Services, policies and budgets select the pods of a function by. */
export function selectorOf(name: string): Record<string, string> {
  return { 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'tidemill' };
}
