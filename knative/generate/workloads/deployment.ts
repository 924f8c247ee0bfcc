// A process that never sleeps: a Deployment, with a Service where somebody sends to it.
import { automount } from '../access/rights.ts';
import { COMPONENT_LABEL, type KubeObject, labelsOf, NAME_LABEL, PART_OF, selectorOf } from '../object.ts';
import type { Resolved } from '../options.ts';
import { container, volumes } from './pod.ts';
import { publishing, type Workload } from './workloads.ts';

/** What is in hand at the end may take so long; more than the host waits for it. */
const GRACE_S = 60;

const get = (path: string) => ({ httpGet: { path, port: 8080 } });

/** A start is looked for every second, so that one that is quick is taken up quickly; then one wrong answer is no reason to end it. */
const PROBES = {
  startupProbe: { ...get('/healthz'), periodSeconds: 1, failureThreshold: 60 },
  readinessProbe: { ...get('/readyz'), periodSeconds: 5, timeoutSeconds: 3 },
  livenessProbe: { ...get('/healthz'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
};

/** Of production: two of what somebody waits for, so that a node may go away. The others have their work kept by the broker meanwhile. */
export function replicas(workload: Workload, size: Resolved['size']): number {
  if (size === 'small') return 1;
  return workload.kind === 'edge' || workload.hot ? 2 : 1;
}

/** More of who is elected would only wait. */
export function scaled(workload: Workload, size: Resolved['size']): boolean {
  return size === 'production' && !workload.elected;
}

/** Each function's pods among themselves: the label's value is the pod's own. */
function spread(size: Resolved['size']): object {
  if (size === 'small') return {};
  const constraint = (topologyKey: string) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: PART_OF },
    matchLabelKeys: [NAME_LABEL],
  });
  return { topologySpreadConstraints: [constraint('topology.kubernetes.io/zone'), constraint('kubernetes.io/hostname')] };
}

function deployment(workload: Workload, options: Resolved, annotations: Record<string, string>): KubeObject {
  const { name } = workload;
  const labels = { ...labelsOf(name), [COMPONENT_LABEL]: workload.kind, ...(options.overlay === 'knative' && publishing(workload)) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: options.namespace, labels },
    spec: {
      // Where an autoscaler sets the number it is not told here, or every apply would take it back.
      ...(!scaled(workload, options.size) && { replicas: replicas(workload, options.size) }),
      selector: { matchLabels: selectorOf(name) },
      // Who is elected gives the lease back as it goes: the next has it before the old one is gone.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels, annotations },
        spec: {
          serviceAccountName: name,
          automountServiceAccountToken: automount(name),
          enableServiceLinks: false,
          terminationGracePeriodSeconds: GRACE_S,
          ...spread(options.size),
          containers: [container(workload, options, PROBES)],
          volumes: volumes(workload),
        },
      },
    },
  };
}

function service({ name }: Workload, { namespace }: Resolved): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: { selector: selectorOf(name), ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] },
  };
}

/** On jetstream a function is sent nothing: it fetches its events. */
export function deployed(workload: Workload, options: Resolved, annotations: Record<string, string>): KubeObject[] {
  const sentTo = workload.kind === 'edge' && workload.reach !== 'none';
  return [deployment(workload, options, annotations), ...(sentTo ? [service(workload, options)] : [])];
}
