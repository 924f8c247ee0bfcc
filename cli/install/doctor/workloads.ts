// Whether the functions run, are told where to send, and are watched over.
import type { Overlay } from '../../../knative/generate/options.ts';
import { PUBLISHES } from '../../../knative/generate/object.ts';
import { LEASE_NAME } from '../lease.ts';
import type { Live, Resources } from '../cluster/resources.ts';
import { type Finding, note, ok, wrong } from '../finding.ts';
import { selectorOf } from '../labels.ts';
import type { Wanted } from '../options.ts';
import { checkAutoscaling } from '../checks/room.ts';
import { readTektonEvents } from '../steps/tekton-events.ts';
import { unreadyOf } from '../steps/wait.ts';

const KINDS: Record<Overlay, [apiVersion: string, kind: string][]> = {
  jetstream: [['apps/v1', 'Deployment']],
  knative: [['eventing.knative.dev/v1', 'Broker'], ['apps/v1', 'Deployment'], ['serving.knative.dev/v1', 'Service'], ['eventing.knative.dev/v1', 'Trigger'], ['sources.knative.dev/v1', 'SinkBinding'], ['sources.knative.dev/v1', 'PingSource']],
}; // prettier-ignore

async function own(resources: Resources, { namespace }: Wanted, kinds: readonly [string, string][]): Promise<Live[]> {
  const lists = await Promise.all(kinds.map(([apiVersion, kind]) => resources.list(apiVersion, kind, { namespace, labelSelector: selectorOf(namespace) })));
  return lists.flat();
}

export async function checkWorkloads(resources: Resources, wanted: Wanted): Promise<Finding[]> {
  const all = await own(resources, wanted, KINDS[wanted.overlay]);
  const unready = await unreadyOf(resources, all);
  const look = `kubectl --namespace ${wanted.namespace} get pods; kubectl --namespace ${wanted.namespace} describe`;
  if (unready.length > 0)
    return unready.map(({ object, why }) =>
      wrong('Functions', `${object}: ${why}`, whatToDo(why) ?? `${look} ${object.split(' ')[0]!.toLowerCase()} ${object.split('/')[1] ?? ''}`),
    );
  const count = (kind: string) => all.filter((object) => object.kind === kind).length;
  const parts = KINDS[wanted.overlay].map(([, kind]) => `${count(kind)} ${kind}`);
  const autoscalers = await own(resources, wanted, [['autoscaling/v2', 'HorizontalPodAutoscaler']]);
  return [ok('Functions', `${parts.join(', ')}: ready`), ...(await checkAutoscaling(resources, autoscalers))];
}

const REMEDIES: [RegExp, string][] = [
  [/image .* cannot be pulled/, 'See that the image is where the nodes can pull it, and name it: tidemill install --image …'],
  [/secret ".*" not found|couldn't find key/, 'tidemill install makes the Secrets that are missing'],
  [
    /violates PodSecurity/,
    'A policy of the cluster refuses pods that restricted Pod Security allows, or somebody changed the Deployment: tidemill install takes that back',
  ],
  [/has no node/, 'The cluster has no room: add a node, or take --size small'],
];

const whatToDo = (why: string) => REMEDIES.find(([pattern]) => pattern.test(why))?.[1];

interface Container {
  env?: { name: string }[];
}

/** On Knative a SinkBinding tells those who publish where to. */
export async function checkSinks(resources: Resources, wanted: Wanted): Promise<Finding[]> {
  if (wanted.overlay !== 'knative') return [];
  const all = await own(resources, wanted, [['apps/v1', 'Deployment'], ['serving.knative.dev/v1', 'Service']]); // prettier-ignore
  const publishing = all.filter(({ metadata }) => metadata.labels?.[PUBLISHES] === 'true');
  const without = publishing.filter((object) => {
    const { containers } = (object as unknown as { spec: { template: { spec: { containers: Container[] } } } }).spec.template.spec;
    return !containers.some(({ env }) => env?.some(({ name }) => name === 'K_SINK'));
  });
  if (without.length === 0) return [ok('Sinks', `${publishing.length} publish to the Broker`)];
  const names = without.map(({ metadata }) => metadata.name).join(', ');
  return [
    wrong(
      'Sinks',
      `${names} were not told where to publish (no K_SINK)`,
      `kubectl --namespace ${wanted.namespace} get sinkbindings; does knative-eventing's webhook run?`,
    ),
  ];
}

/** Clocks of nodes and of this machine may differ so much. */
const LEASE_OLD_MS = 120_000;

export async function checkWatcher(resources: Resources, { namespace }: Wanted): Promise<Finding[]> {
  const lease = await resources.get({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: LEASE_NAME, namespace } });
  const { holderIdentity, renewTime } = (lease?.['spec'] ?? {}) as { holderIdentity?: string; renewTime?: string };
  const todo = `kubectl --namespace ${namespace} logs deployment/watcher`;
  if (!holderIdentity || !renewTime) return [wrong('Watcher', 'nobody holds its lease: changes by kubectl and ends of TaskRuns go unseen', todo)];
  const age = Date.now() - Date.parse(renewTime);
  if (age > LEASE_OLD_MS) return [wrong('Watcher', `${holderIdentity} has not renewed its lease since ${renewTime}`, todo)];
  return [ok('Watcher', `${holderIdentity} watches`)];
}

export async function checkTektonEvents(resources: Resources, { overlay, namespace }: Wanted, again: string): Promise<Finding[]> {
  const events = await readTektonEvents(resources);
  if (!events) return [];
  const rest = 'the watcher sees the ends of TaskRuns by itself, a little later';
  if (overlay === 'jetstream')
    return events.setBy === namespace ? [note('Tekton events', `go to ${events.sink}, where nobody of this installation listens`, again)] : [];
  if (events.sink === undefined) return [note('Tekton events', `are not sent; ${rest}`, again)];
  if (events.setBy !== namespace) return [note('Tekton events', `go to ${events.sink}, which is not this installation; ${rest}`)];
  return [ok('Tekton events', `go to ${events.sink}`)];
}
