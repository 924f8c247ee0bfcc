// Who may send to whom. What comes from a pod that has no business here does not arrive, where the network enforces policies.
import { COMPONENT_LABEL, type KubeObject, labelsOf, PART_OF, selectorOf } from '../object.ts';
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

function policy(name: string, { namespace }: Resolved, selected: Record<string, string>, ingress: object[]): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace, labels: labelsOf() },
    spec: { podSelector: { matchLabels: selected }, policyTypes: ['Ingress'], ...(ingress.length > 0 && { ingress }) },
  };
}

const KNATIVE = { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: KNATIVE_NAMESPACES }] } };
const ANY_POD = { namespaceSelector: {} };
/** Of the namespace that tidemill runs in. */
const OWN_POD = { podSelector: {} };

function ofEdge(workload: Workload, options: Resolved): KubeObject[] {
  if (workload.reach === 'none') return [];
  const behindKnative = workload.sleeps && options.overlay === 'knative';
  const ports = tcp(behindKnative ? QUEUE_PROXY_PORTS : [8080]);
  // What the Broker gives up on comes from the Broker, which of another class may run here: it may be sent again by hand, as what it says it is.
  const from = workload.name === 'dead-letters' ? [KNATIVE, OWN_POD] : [behindKnative ? KNATIVE : ANY_POD];
  return [policy(workload.name, options, selectorOf(workload.name), [{ ...(workload.reach === 'cluster' && { from }), ports }])];
}

/** Nobody may send to a pod of tidemill's but whom another policy names. What they send is not restricted: hooks and git servers are anywhere. */
export function networkPolicies(workloads: readonly Workload[], options: Resolved): KubeObject[] {
  const functions = policy('functions', options, { ...PART_OF, [COMPONENT_LABEL]: 'function' }, [{ from: [KNATIVE], ports: tcp(QUEUE_PROXY_PORTS) }]);
  return [
    policy('deny-ingress', options, PART_OF, []),
    ...(options.overlay === 'knative' ? [functions] : []),
    ...workloads.flatMap((workload) => (workload.kind === 'edge' ? ofEdge(workload, options) : [])),
  ];
}
