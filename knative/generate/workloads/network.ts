// Who may send to whom. What comes from a pod that has no business here does not arrive, where the network enforces policies.
import { type KubeObject, labelsOf, selectorOf } from '../object.ts';
import type { Resolved } from '../options.ts';
import type { Workload } from './workloads.ts';

/** Requests to a sleeping or waking function come through Knative; those to one that is awake from the gateway itself, wherever that runs. */
const KNATIVE_NAMESPACES = [
  'knative-eventing',
  'knative-serving',
  'kourier-system',
  'istio-system',
  'contour-internal',
  'contour-external',
  'envoy-gateway-system',
];

/** Of queue-proxy: HTTP/1, HTTP/2, TLS, its admin port, and the figures that the autoscaler asks for. */
const QUEUE_PROXY_PORTS = [8012, 8013, 8112, 8022, 9090, 9091];

const tcp = (ports: readonly number[]) => ports.map((port) => ({ protocol: 'TCP', port }));

function policy(namespace: string, name: string, spec: object, owner?: string): KubeObject {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace, labels: labelsOf(owner) }, spec };
}

function ingressOf(workload: Workload, { overlay }: Resolved): object[] | undefined {
  const slept = workload.sleeps && overlay === 'knative';
  if (workload.reach === 'none' || (workload.kind === 'function' && !slept)) return undefined;
  const ports = tcp(slept ? QUEUE_PROXY_PORTS : [8080]);
  if (workload.reach === 'world') return [{ ports }];
  const from = slept
    ? [{ namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: KNATIVE_NAMESPACES }] } }]
    : [{ namespaceSelector: {} }];
  return [{ from, ports }];
}

/** Nobody may send to a pod of tidemill's but whom its own policy names. What they send is not restricted: hooks and git servers are anywhere. */
export function networkPolicies(workloads: readonly Workload[], options: Resolved): KubeObject[] {
  const { namespace } = options;
  const own = workloads.flatMap((workload) => {
    const ingress = ingressOf(workload, options);
    return ingress
      ? [policy(namespace, workload.name, { podSelector: { matchLabels: selectorOf(workload.name) }, policyTypes: ['Ingress'], ingress }, workload.name)]
      : [];
  });
  return [policy(namespace, 'deny-ingress', { podSelector: {}, policyTypes: ['Ingress'] }), ...own];
}
