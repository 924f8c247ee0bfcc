// On a cluster in memory: whether there is room for what is to be installed, and when a Deployment that an autoscaler counts is ready.
import { expect, test } from 'vitest';
import { manifests } from '../../../knative/generate/manifests.ts';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { readinessOf } from '../cluster/ready.ts';
import { keyOf, type Live, type Resources } from '../cluster/resources.ts';
import { checkAutoscaling, checkRoom, quantity, wantedRoom } from './room.ts';

const live = (object: KubeObject & { status?: object }): Live =>
  ({ ...object, metadata: { uid: keyOf(object), resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', ...object.metadata } }) as Live;
const cluster = (...objects: KubeObject[]) => {
  const all = objects.map(live);
  return {
    get: async (ref) => all.find((object) => keyOf(object) === keyOf(ref)),
    list: async (_apiVersion, kind) => all.filter((object) => object.kind === kind),
    serves: async (apiVersion) => all.some((object) => object.apiVersion === apiVersion),
  } as Pick<Resources, 'get' | 'list' | 'serves'> as Resources;
};
const node = (name: string, allocatable: object, spec: object = {}) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec, status: { allocatable } });
const pod = (namespace: string, nodeName: string, requests: object, phase = 'Running') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `${nodeName}-${phase}`, namespace },
  spec: { nodeName, containers: [{ resources: { requests } }, {}], initContainers: [{ resources: { requests: { cpu: '10m' } } }] },
  status: { phase },
});

test.each([
  ['50m', 0.05],
  ['2', 2],
  ['0.5', 0.5],
  ['128Mi', 134_217_728],
  ['24581696Ki', 25_171_656_704],
  ['1G', 1e9],
  ['2e3', 2000],
  ['12E-3', 0.012],
  ['1E', 1e18],
  ['1Ei', 1024 ** 6],
  ['3P', 3e15],
  ['250u', 0.00025],
  ['1500000n', 0.0015],
  ['.5', 0.5],
])('%s is %d', (text, wanted) => expect(quantity(text)).toBeCloseTo(wanted, 6));

test.each(['', 'm', '1X', '1 G', 'none'])('"%s" is no quantity', (text) => expect(quantity(text)).toBeNaN());

test('a Deployment counts as often as its autoscaler keeps it at least, and a Knative Service at least once, with which it begins', () => {
  const jetstream = manifests({ overlay: 'jetstream', size: 'production' });
  const deployments = jetstream.filter(({ kind }) => kind === 'Deployment').length;
  const { pods, amount } = wantedRoom(jetstream);
  // Five edges and three functions are there twice.
  expect(pods).toBe(deployments + 8);
  expect(amount.cpu).toBeCloseTo(pods * 0.05, 6);
  expect(amount.memory).toBe(pods * 128 * 1024 ** 2);
  expect(wantedRoom(manifests({ overlay: 'knative', size: 'production' })).pods).toBe(4 * 2 + 15 + 1);
  expect(wantedRoom(manifests({ overlay: 'knative' })).pods).toBe(4 + 15);
});

test('what is free is what open nodes have beside what others asked for there; too little is said, and is no fault', async () => {
  const objects = manifests({ overlay: 'jetstream', size: 'production', namespace: 'mill' });
  const others = [
    node('cordoned', { cpu: '64', memory: '64Gi' }, { unschedulable: true }),
    node('tainted', { cpu: '64', memory: '64Gi' }, { taints: [{ effect: 'NoSchedule' }] }),
    pod('mill', 'n1', { cpu: '1500m', memory: '3Gi' }),
    pod('shop', 'n1', { cpu: '64', memory: '64Gi' }, 'Succeeded'),
  ];
  const n1 = node('n1', { cpu: '2', memory: '8Gi' });
  expect(await checkRoom(cluster(n1, ...others), objects, 'mill')).toMatchObject([{ state: 'ok' }]);
  const full = await checkRoom(cluster(n1, ...others, pod('shop', 'n1', { cpu: '1800m', memory: '1Gi' })), objects, 'mill');
  expect(full).toMatchObject([{ state: 'note', said: expect.stringContaining('0.2 cores and 7.0 GiB are free') as string }]);
  expect(full[0]!.todo).toContain('--size small');
});

test('who may not look at nodes is told nothing of room; without the metrics API it is said what becomes of autoscalers, and only where there are some', async () => {
  const refuse = () => Promise.reject(new KubeError({ status: 403, reason: 'Forbidden', message: 'no', uncertain: false }));
  expect(await checkRoom({ list: refuse } as Partial<Resources> as Resources, [], 'mill')).toEqual([]);
  const objects = manifests({ overlay: 'jetstream', size: 'production' });
  expect(await checkAutoscaling(cluster(), objects)).toMatchObject([{ state: 'note', todo: expect.stringContaining('metrics-server') as string }]);
  const metrics = { apiVersion: 'metrics.k8s.io/v1beta1', kind: 'PodMetrics', metadata: { name: 'any' } };
  expect(await checkAutoscaling(cluster(metrics), objects)).toMatchObject([{ state: 'ok' }]);
  expect(await checkAutoscaling(cluster(), manifests({ overlay: 'jetstream' }))).toEqual([]);
});

test('a Deployment with an autoscaler is ready when that has said how many pods there are to be, and they are there', async () => {
  const metadata = { name: 'site', namespace: 'mill' };
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'site' };
  const autoscaler = live({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata, spec: { minReplicas: 2, scaleTargetRef } });
  const deployment = (replicas: number, available: number) => {
    const status = { updatedReplicas: replicas, replicas, availableReplicas: available };
    return cluster({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas, selector: { matchLabels: {} } }, status } as KubeObject);
  };
  expect(await readinessOf(autoscaler, deployment(1, 1))).toEqual({ state: 'waiting', why: 'Deployment site is still to be scaled from 1 to 2' });
  expect(await readinessOf(autoscaler, deployment(2, 1))).toEqual({ state: 'waiting', why: '1 of 2 pods are available' });
  expect(await readinessOf(autoscaler, deployment(2, 2))).toEqual({ state: 'ready' });
});
