// What production has beside the workloads themselves: budgets for evictions, and scaling where Knative does not do it.
import { replicas, scaled } from './deployment.ts';
import { type KubeObject, labelsOf, selectorOf } from '../object.ts';
import type { Resolved } from '../options.ts';
import type { Workload } from './workloads.ts';

const MOST = 10;

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
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
    },
  };
}

/** `deployed`: those that are Deployments in this overlay. */
export function productionObjects(deployed: readonly Workload[], { namespace, size }: Resolved): KubeObject[] {
  if (size === 'small') return [];
  const several = deployed.filter((workload) => replicas(workload, size) > 1);
  const elastic = deployed.filter((workload) => scaled(workload, size));
  return [...several.map((workload) => budget(workload, namespace)), ...elastic.map((workload) => autoscaler(workload, namespace, replicas(workload, size)))];
}
