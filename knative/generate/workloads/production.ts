// What production has beside the workloads themselves: budgets for evictions, and scaling where Knative does not do it.
import { replicas, scaled } from './deployment.ts';
import { leastAwake } from './knative-service.ts';
import { type KubeObject, labelsOf, selectorOf } from '../object.ts';
import type { Resolved } from '../options.ts';
import type { Workload } from './workloads.ts';

const MOST = 10;

/**
 * Of a core, on the average of its pods. A process of Node uses one and hardly more: from half of it on, another is of use. Not a share of what is asked for,
 * which is what one needs that has nothing to do: a handful of events would scale it.
 */
const BUSY = '500m';

function budget({ name }: Workload, namespace: string): KubeObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(name) } },
  };
}

function autoscaler({ name }: Workload, namespace: string, least: number): KubeObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: least,
      maxReplicas: MOST,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: BUSY } } }],
    },
  };
}

/** `sleeps`: whether it is a Knative Service, of which Knative decides how many pods there are. */
export function productionObjects(workloads: readonly Workload[], sleeps: (workload: Workload) => boolean, { namespace, size }: Resolved): KubeObject[] {
  if (size === 'small') return [];
  const several = workloads.filter((workload) => (sleeps(workload) ? leastAwake(workload, size) : replicas(workload, size)) > 1);
  const elastic = workloads.filter((workload) => !sleeps(workload) && scaled(workload, size));
  return [...several.map((workload) => budget(workload, namespace)), ...elastic.map((workload) => autoscaler(workload, namespace, replicas(workload, size)))];
}
