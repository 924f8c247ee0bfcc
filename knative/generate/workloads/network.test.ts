// The policies as a network enforces them: who has business with a pod reaches it where it listens, and nobody else does.
import { expect, test } from 'vitest';
import * as graph from '../../../functions/graph.ts';
import { manifests } from '../manifests.ts';
import { COMPONENT_LABEL, type KubeObject, labelsOf } from '../object.ts';
import { OVERLAYS, SIZES } from '../options.ts';
import { DONE_BY } from './workloads.ts';

type Labels = Record<string, string>;
interface Requirement {
  key: string;
  operator: string;
  values: string[];
}
interface Selector {
  matchLabels?: Labels;
  matchExpressions?: Requirement[];
}
interface Peer {
  namespaceSelector?: Selector;
  podSelector?: Selector;
}
interface Policy {
  podSelector: Selector;
  policyTypes: string[];
  ingress?: { from?: Peer[]; ports?: { protocol: string; port: number }[] }[];
}
/** Who sends; undefined: from outside of the cluster. */
type Sender = { namespace: string; labels: Labels } | undefined;

const SYSTEM = 'mill';
const QUEUE_PROXY = 8012;

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  for (const { operator } of matchExpressions) expect(operator).toBe('In');
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''))
  );
}

function isFrom(sender: Sender, { namespaceSelector, podSelector = {} }: Peer): boolean {
  if (!sender) return false;
  const inNamespace = namespaceSelector ? selects(namespaceSelector, { 'kubernetes.io/metadata.name': sender.namespace }) : sender.namespace === SYSTEM;
  return inNamespace && selects(podSelector, sender.labels);
}

/** As Kubernetes defines it: what any policy selects takes what one of those that select it lets in. */
function reaches(objects: readonly KubeObject[], sender: Sender, to: Labels, port: number): boolean {
  const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy').map(({ spec }) => spec as Policy);
  const own = policies.filter(({ podSelector, policyTypes }) => policyTypes.includes('Ingress') && selects(podSelector, to));
  if (own.length === 0) return true;
  return own.some(({ ingress = [] }) =>
    ingress.some(
      ({ from, ports }) => (!from || from.some((peer) => isFrom(sender, peer))) && (!ports || ports.some((one) => one.protocol === 'TCP' && one.port === port)),
    ),
  );
}

const SENDERS: Record<string, Sender> = {
  world: undefined,
  build: { namespace: 'shop', labels: { 'app.kubernetes.io/managed-by': 'tekton-pipelines' } },
  own: { namespace: SYSTEM, labels: labelsOf('git-push') },
  eventing: { namespace: 'knative-eventing', labels: {} },
  serving: { namespace: 'knative-serving', labels: {} },
  gateway: { namespace: 'kourier-system', labels: {} },
};
const KNATIVE = ['eventing', 'gateway', 'serving'];
const EVERYBODY = Object.keys(SENDERS).toSorted();
const PODS = EVERYBODY.filter((name) => name !== 'world');

/** Who has business with it, and on which port, by what it is for. */
function business(overlay: string, name: string): { senders: string[]; port: number } {
  const behind = { senders: KNATIVE, port: QUEUE_PROXY };
  const isFunction = name in graph.functions;
  // It fetches its events from NATS.
  if (isFunction && overlay === 'jetstream') return { senders: [], port: 8080 };
  if (isFunction) return behind;
  const ofEdges: Record<string, { senders: string[]; port: number }> = {
    site: { senders: EVERYBODY, port: 8080 },
    bytes: { senders: PODS, port: 8080 },
    watcher: { senders: [], port: 8080 },
    'dead-letters': { senders: [...KNATIVE, 'own'].toSorted(), port: 8080 },
    // On Knative the gateway stands before them, and from wherever it comes: the port of its proxy is open.
    'github-webhook': { senders: EVERYBODY, port: overlay === 'knative' ? QUEUE_PROXY : 8080 },
    api: { senders: EVERYBODY, port: overlay === 'knative' ? QUEUE_PROXY : 8080 },
  };
  return ofEdges[name]!;
}

test.each(OVERLAYS.flatMap((overlay) => SIZES.map((size) => ({ overlay, size }))))('$overlay, $size', ({ overlay, size }) => {
  const objects = manifests({ overlay, size, namespace: SYSTEM });
  const edges = Object.keys(graph.edges).filter((name) => !(name in DONE_BY) && (overlay === 'knative' || name !== 'dead-letters'));
  for (const name of [...Object.keys(graph.functions), ...edges]) {
    const workload = objects.find((object) => object.metadata.name === name && object['spec'] && 'template' in (object['spec'] as object))!;
    const { labels } = (workload['spec'] as { template: { metadata: { labels: Labels } } }).template.metadata;
    expect(labels[COMPONENT_LABEL], name).toBe(name in graph.functions ? 'function' : 'edge');
    const { senders, port } = business(overlay, name);
    const reaching = (at: number) => EVERYBODY.filter((sender) => reaches(objects, SENDERS[sender], labels, at));
    expect({ name, senders: reaching(port) }).toEqual({ name, senders });
    // Nothing that it might listen on besides.
    expect({ name, senders: reaching(9229) }).toEqual({ name, senders: [] });
  }
});

test('a Service leads to a port that somebody may reach', () => {
  for (const overlay of OVERLAYS) {
    const objects = manifests({ overlay, size: 'production', namespace: SYSTEM });
    for (const { metadata, spec } of objects.filter(({ apiVersion, kind }) => apiVersion === 'v1' && kind === 'Service')) {
      const { selector, ports } = spec as { selector: Labels; ports: { targetPort: number }[] };
      const labels = { ...selector, [COMPONENT_LABEL]: 'edge' };
      for (const { targetPort } of ports) expect(reaches(objects, SENDERS['eventing'], labels, targetPort), metadata.name).toBe(true);
    }
  }
});
