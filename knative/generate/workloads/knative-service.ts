// A process that sleeps at zero until a request wakes it: a Knative Service.
import { COMPONENT_LABEL, type KubeObject, labelsOf } from '../object.ts';
import type { Resolved } from '../options.ts';
import { container, volumes } from './pod.ts';
import { publishing, type Workload } from './workloads.ts';

/** An answer may take so long, the most that Knative Serving allows unless it is told otherwise: publishing waits until those who listen have answered. */
const TIMEOUT_S = 600;

/** Without a period Knative asks many times a second at the start, by itself: every second of a probe's period would be one of sleep. */
const PROBES = {
  readinessProbe: { httpGet: { path: '/readyz' } },
  livenessProbe: { httpGet: { path: '/healthz' }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
};

/**
 * Requests go to pods that are awake without the activator, which by default stays between for bursts of 200 and is one more hop of every event.
 * From zero it holds them as ever. A burst waits in the function itself, which takes so many at a time, until more pods are there.
 */
const BURST_CAPACITY = '0';

/**
 * None at Knative: a chain of events nests, so with one it could wait for itself until the timeout. A function keeps to its own, and gives up the wait for
 * a turn after seconds; how many pods there are goes by that number, as a target.
 */
const NO_LIMIT = 0;

/** Pods that stay when nothing happens. */
export function leastAwake(workload: Workload, size: Resolved['size']): number {
  if (size === 'small' || !workload.hot) return 0;
  return workload.kind === 'edge' ? 2 : 1;
}

function scale(workload: Workload, size: Resolved['size']): Record<string, string> {
  const most = size === 'small' ? '5' : '20';
  return {
    'autoscaling.knative.dev/min-scale': String(leastAwake(workload, size)),
    'autoscaling.knative.dev/max-scale': most,
    ...(workload.concurrency > 0 && { 'autoscaling.knative.dev/target': String(workload.concurrency) }),
    'autoscaling.knative.dev/target-burst-capacity': BURST_CAPACITY,
  };
}

export function knativeService(workload: Workload, options: Resolved, annotations: Record<string, string>): KubeObject {
  const { name } = workload;
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: options.namespace,
      labels: {
        ...labelsOf(name),
        [COMPONENT_LABEL]: workload.kind,
        ...(workload.reach === 'cluster' && { 'networking.knative.dev/visibility': 'cluster-local' }),
        ...publishing(workload),
      },
    },
    spec: {
      template: {
        metadata: { labels: { ...labelsOf(name), [COMPONENT_LABEL]: workload.kind }, annotations: { ...scale(workload, options.size), ...annotations } },
        spec: {
          serviceAccountName: name,
          enableServiceLinks: false,
          containerConcurrency: NO_LIMIT,
          timeoutSeconds: TIMEOUT_S,
          containers: [container(workload, options, PROBES)],
          volumes: volumes(workload),
        },
      },
    },
  };
}
