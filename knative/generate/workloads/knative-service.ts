// A process that sleeps at zero until a request wakes it: a Knative Service.
import { COMPONENT_LABEL, type KubeObject, labelsOf, PUBLISHES } from '../object.ts';
import type { Resolved } from '../options.ts';
import { container, volumes } from './pod.ts';
import type { Workload } from './workloads.ts';

/** An answer may take so long, the most that Knative Serving allows unless it is told otherwise: publishing waits until those who listen have answered. */
const TIMEOUT_S = 600;

/** Without a period Knative asks many times a second at the start, by itself: every second of a probe's period would be one of sleep. */
const PROBES = {
  readinessProbe: { httpGet: { path: '/readyz' } },
  livenessProbe: { httpGet: { path: '/healthz' }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
};

function scale(workload: Workload, size: Resolved['size']): Record<string, string> {
  const most = size === 'small' ? '5' : '20';
  const least = size === 'production' && workload.hot ? (workload.kind === 'edge' ? '2' : '1') : '0';
  return { 'autoscaling.knative.dev/min-scale': least, 'autoscaling.knative.dev/max-scale': most };
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
        ...(workload.publishes && { [PUBLISHES]: 'true' }),
      },
    },
    spec: {
      template: {
        metadata: { labels: { ...labelsOf(name), [COMPONENT_LABEL]: workload.kind }, annotations: { ...scale(workload, options.size), ...annotations } },
        spec: {
          serviceAccountName: name,
          enableServiceLinks: false,
          containerConcurrency: workload.concurrency,
          timeoutSeconds: TIMEOUT_S,
          containers: [container(workload, options, PROBES)],
          volumes: volumes(workload),
        },
      },
    },
  };
}
