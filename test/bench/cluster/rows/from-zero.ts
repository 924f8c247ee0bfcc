// From all functions at zero on Knative: a signed push → its TaskRun, and where the time goes.
import { setTimeout as sleep } from 'node:timers/promises';
import { edges } from '../../../../functions/graph.ts';
import { PATCH } from '../../../../shared/kubernetes/client/client.ts';
import type { Overlay } from '../../../cluster/chain/installation.ts';
import { median } from '../../figures.ts';
import type { BenchRow } from '../../row.ts';
import type { Ground } from '../ground.ts';
import type { Installed } from '../installed.ts';
import { removeTaskRuns } from '../tekton.ts';

const PUSHES = 5;
const LIMIT_MS = 4000;
/** They sleep after so long, where a minute is the default: the bench would wait as long for each push. */
const WINDOW = { 'autoscaling.knative.dev/window': '6s', 'autoscaling.knative.dev/scale-to-zero-pod-retention-period': '0s' };
const ASLEEP_MS = 180_000;
/** On the way to the TaskRun, in this order. */
const CHAIN = ['github-webhook', 'git-push', 'artifact-requested', 'artifact-resolved'] as const;

interface Service {
  metadata: { name: string };
  spec: { template: object };
  status?: { conditions?: { type: string; status: string }[]; latestCreatedRevisionName?: string; latestReadyRevisionName?: string };
}

interface Pod {
  metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string };
  status: { conditions?: { type: string; status: string }[]; containerStatuses?: { name: string; state: { running?: object } }[] };
}

/** Milliseconds since the push was sent, by function. */
type Times = Record<string, { made?: number; running?: number; ready?: number }>;

interface Woken {
  answered: number;
  taskRun: number;
  pods: Times;
}

export async function fromZeroRows(ground: Ground, _overlay: Overlay, ours: Installed): Promise<BenchRow[]> {
  const { namespace, projects } = ours.installation;
  await sleepSoon(ground, namespace);
  const woken: Woken[] = [];
  while (woken.length < PUSHES) {
    await asleep(ground, namespace);
    const one = await wake(ground, namespace, ours);
    woken.push(one);
    ground.log(`from zero: 202 after ${one.answered.toFixed(0)} ms, TaskRun after ${one.taskRun.toFixed(0)} ms`);
    await removeTaskRuns(ground, projects);
  }
  const took = median(woken.map(({ taskRun }) => taskRun));
  const least = Math.min(...woken.map(({ taskRun }) => taskRun));
  return [
    {
      bench: 'cluster, knative',
      what: 'from all functions at zero: signed push → its TaskRun, p50',
      ours: took,
      peer: 'limit',
      theirs: LIMIT_MS,
      unit: 'ms',
      ratio: took / LIMIT_MS,
      target: '< 1',
      ok: took < LIMIT_MS,
      note: `${PUSHES} pushes, the quickest ${least.toFixed(0)} ms. Medians of ms after the push: ${whereItGoes(woken)}`,
    },
  ];
}

/** All at once, and then until each new revision is the one that is served. */
async function sleepSoon({ client, log }: Ground, namespace: string): Promise<void> {
  const path = `/apis/serving.knative.dev/v1/namespaces/${namespace}/services`;
  const { items } = await client.request<{ items: Service[] }>('GET', path);
  const patch = { spec: { template: { metadata: { annotations: WINDOW } } } };
  await Promise.all(items.map(({ metadata }) => client.request('PATCH', `${path}/${metadata.name}`, { body: patch, contentType: PATCH.merge })));
  const until = Date.now() + ASLEEP_MS;
  for (;;) {
    const now = await client.request<{ items: Service[] }>('GET', path);
    const ready = now.items.filter(
      ({ status }) =>
        status?.latestCreatedRevisionName === status?.latestReadyRevisionName && status?.conditions?.every((condition) => condition.status === 'True'),
    );
    if (ready.length === now.items.length) break;
    if (Date.now() > until) throw new Error(`${now.items.length - ready.length} services of Knative were not ready within ${ASLEEP_MS / 1000} s`);
    await sleep(1000);
  }
  log(`${items.length} functions sleep after ${WINDOW['autoscaling.knative.dev/window']} from now on`);
}

const podsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
const serviceOf = ({ metadata }: Pod) => metadata.labels?.['serving.knative.dev/service'];

/** No pod of a service but such as are on their way out. */
async function asleep({ client }: Ground, namespace: string): Promise<void> {
  const until = Date.now() + ASLEEP_MS;
  for (;;) {
    const { items } = await client.request<{ items: Pod[] }>('GET', podsPath(namespace));
    const awake = items.filter((pod) => serviceOf(pod) && !pod.metadata.deletionTimestamp);
    if (awake.length === 0) return;
    if (Date.now() > until) throw new Error(`${awake.map((pod) => pod.metadata.name).join(', ')} did not go to sleep within ${ASLEEP_MS / 1000} s`);
    await sleep(1000);
  }
}

async function wake({ client }: Ground, namespace: string, ours: Installed): Promise<Woken> {
  const { metadata } = await client.request<{ metadata: { resourceVersion: string } }>('GET', podsPath(namespace));
  const stop = new AbortController();
  const seen: { at: number; pod: Pod }[] = [];
  const follow = async () => {
    for await (const line of client.stream(podsPath(namespace), { query: { watch: true, resourceVersion: metadata.resourceVersion }, signal: stop.signal }))
      seen.push({ at: performance.now(), pod: (JSON.parse(line) as { object: Pod }).object });
  };
  const following = follow().catch(() => undefined); // ends when it is told to
  const { taskRun, began, answered } = await ours.tell();
  const there = await ours.arrivals.of(taskRun);
  stop.abort();
  await following;
  const pods: Times = {};
  for (const { at, pod } of seen) {
    const name = serviceOf(pod);
    if (!name || pod.metadata.deletionTimestamp) continue;
    const times = (pods[name] ??= {});
    times.made ??= at - began;
    if (pod.status.containerStatuses?.some((container) => container.name === name && container.state.running)) times.running ??= at - began;
    if (pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) times.ready ??= at - began;
  }
  return { answered: answered - began, taskRun: there - began, pods };
}

function whereItGoes(woken: readonly Woken[]): string {
  const of = (values: (number | undefined)[]) => {
    const known = values.filter((value) => value !== undefined);
    return known.length === 0 ? '?' : median(known).toFixed(0);
  };
  const parts = CHAIN.map((name) => {
    const times = woken.map(({ pods }) => pods[name] ?? {});
    return `pod of ${name} made ${of(times.map(({ made }) => made))}, ready ${of(times.map(({ ready }) => ready))}`;
  });
  const early = 'wakes' in edges['github-webhook'] ? 'the webhook wakes those after it; ' : '';
  return `${early}${parts.join('; ')}; 202 ${of(woken.map(({ answered }) => answered))}; TaskRun ${of(woken.map(({ taskRun }) => taskRun))}`;
}
