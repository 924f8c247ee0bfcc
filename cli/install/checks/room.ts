// Whether the nodes have room for what is to run at least, and whether its autoscalers have something to go by: said before anything is applied.
import type { KubeObject } from '../../../knative/generate/object.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import type { Live, Resources } from '../cluster/resources.ts';
import { type Finding, note, ok } from '../finding.ts';

interface Amount {
  /** Cores. */
  cpu: number;
  /** Bytes. */
  memory: number;
}

type Quantities = Partial<Record<'cpu' | 'memory', string>>;

interface PodSpec {
  nodeName?: string;
  containers: { resources?: { requests?: Quantities } }[];
  initContainers?: { resources?: { requests?: Quantities } }[];
}

const FACTORS: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };
for (const [index, letter] of ['K', 'M', 'G', 'T', 'P', 'E'].entries()) FACTORS[`${letter}i`] = 1024 ** (index + 1);

/** A quantity as Kubernetes writes it, such as "50m", "2", "128Mi" or "12e6". NaN for what is none. */
export function quantity(text: string): number {
  const [, number, unit = ''] = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(text) ?? [];
  return Number(number) * (FACTORS[unit] ?? Number.NaN);
}

const amountOf = ({ cpu = '0', memory = '0' }: Quantities = {}): Amount => ({ cpu: quantity(cpu), memory: quantity(memory) });
const times = ({ cpu, memory }: Amount, by: number): Amount => ({ cpu: cpu * by, memory: memory * by });
const sum = (amounts: readonly Amount[]): Amount => amounts.reduce((a, b) => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory }), { cpu: 0, memory: 0 });

/** What its first steps ask for, they have before the others begin. */
function requestsOf({ containers, initContainers = [] }: PodSpec): Amount {
  const own = sum(containers.map(({ resources }) => amountOf(resources?.requests)));
  const first = initContainers.map(({ resources }) => amountOf(resources?.requests));
  return { cpu: Math.max(own.cpu, ...first.map(({ cpu }) => cpu)), memory: Math.max(own.memory, ...first.map(({ memory }) => memory)) };
}

interface Workload {
  replicas?: number;
  template: { metadata?: { annotations?: Record<string, string> }; spec: PodSpec };
}

/** Of all pods that it takes to install them, beside what Knative adds to its own. */
export function wantedRoom(objects: readonly KubeObject[]): { pods: number; amount: Amount } {
  const autoscalers = objects.filter(({ kind }) => kind === 'HorizontalPodAutoscaler') as unknown as {
    spec: { minReplicas: number; scaleTargetRef: { name: string } };
  }[];
  const least = new Map(autoscalers.map(({ spec }) => [spec.scaleTargetRef.name, spec.minReplicas]));
  const all = objects.flatMap(({ apiVersion, kind, metadata, spec }) => {
    if (kind !== 'Deployment' && !(kind === 'Service' && apiVersion.startsWith('serving.knative.dev/'))) return [];
    const { replicas, template } = spec as Workload;
    const awake = Number(template.metadata?.annotations?.['autoscaling.knative.dev/min-scale'] ?? 0);
    // A Knative Service begins with a pod, whether or not it sleeps afterwards: it is not ready before that was.
    const pods = kind === 'Deployment' ? (replicas ?? least.get(metadata.name) ?? 1) : Math.max(1, awake);
    return [{ pods, amount: times(requestsOf(template.spec), pods) }];
  });
  return { pods: all.reduce((count, { pods }) => count + pods, 0), amount: sum(all.map(({ amount }) => amount)) };
}

interface Node {
  spec?: { unschedulable?: boolean; taints?: { effect: string }[] };
  status?: { allocatable?: Quantities };
}

const isOpen = ({ spec }: Node) => !spec?.unschedulable && !spec?.taints?.some(({ effect }) => effect !== 'PreferNoSchedule');

/** What pods have asked for on nodes that take more of them, those of the installation itself left out: they make way for the new ones. */
function freeRoom(nodes: readonly Live[], pods: readonly Live[], namespace: string): Amount {
  const open = nodes.filter((node) => isOpen(node as unknown as Node));
  const names = new Set(open.map(({ metadata }) => metadata.name));
  const all = sum(open.map((node) => amountOf((node as unknown as Node).status?.allocatable)));
  const taken = pods.filter((pod) => {
    const { nodeName } = (pod as unknown as { spec: PodSpec }).spec;
    return (
      pod.metadata.namespace !== namespace && nodeName !== undefined && names.has(nodeName) && !['Succeeded', 'Failed'].includes(String(pod.status?.['phase']))
    );
  });
  const asked = sum(taken.map((pod) => requestsOf((pod as unknown as { spec: PodSpec }).spec)));
  return { cpu: all.cpu - asked.cpu, memory: all.memory - asked.memory };
}

const textOf = ({ cpu, memory }: Amount) => `${Math.max(0, cpu).toFixed(1)} cores and ${(Math.max(0, memory) / 1024 ** 3).toFixed(1)} GiB`;

/** A note at most: an autoscaler of nodes may make room. Nothing for whoever may not look at nodes. */
export async function checkRoom(resources: Resources, objects: readonly KubeObject[], namespace: string): Promise<Finding[]> {
  try {
    const [nodes, pods] = await Promise.all([resources.list('v1', 'Node'), resources.list('v1', 'Pod')]);
    const wanted = wantedRoom(objects);
    const free = freeRoom(nodes, pods, namespace);
    const said = `${wanted.pods} pods ask for ${textOf(wanted.amount)} at least; ${textOf(free)} are free on the nodes`;
    if (wanted.amount.cpu <= free.cpu && wanted.amount.memory <= free.memory) return [ok('Room', said)];
    return [note('Room', said, 'Pods will wait for a node: add one, or take --size small')];
  } catch (error) {
    if (error instanceof KubeError && error.status === 403) return [];
    throw error;
  }
}

/** Without figures an autoscaler keeps what it scales at its least. */
export async function checkAutoscaling(resources: Resources, objects: readonly KubeObject[]): Promise<Finding[]> {
  const count = objects.filter(({ kind }) => kind === 'HorizontalPodAutoscaler').length;
  if (count === 0) return [];
  const todo = 'To have them scale, run metrics-server: https://github.com/kubernetes-sigs/metrics-server';
  try {
    if (await resources.serves('metrics.k8s.io/v1beta1', 'PodMetrics')) return [ok('Autoscalers', `${count}, and figures for them to go by`)];
    return [note('Autoscalers', `${count}, and no figures for them to go by: each function keeps its least number of pods`, todo)];
  } catch (error) {
    return [
      note('Autoscalers', `${count}, and the metrics API does not answer (${(error as Error).message}): each function keeps the number of pods it has`, todo),
    ];
  }
}
