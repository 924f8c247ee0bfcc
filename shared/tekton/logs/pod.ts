// The pod of a TaskRun, as far as its logs go: which steps it has, whether one of them ended, and which secrets they were given.
import { KubeError } from '../../kubernetes/client/error.ts';
import type { KubeClient } from '../../kubernetes/client/client.ts';
import { type Mask, createMask } from '../../runner/engine/lines.ts';

interface Container {
  name: string;
  env?: { valueFrom?: { secretKeyRef?: { name?: string } } }[];
  envFrom?: { secretRef?: { name?: string } }[];
}

export interface Pod {
  metadata: { name: string; namespace: string; uid: string; creationTimestamp: string };
  spec: {
    containers: Container[];
    volumes?: { secret?: { secretName?: string }; projected?: { sources?: { secret?: { name?: string } }[] } }[];
  };
  status?: { phase?: string; containerStatuses?: { name: string; restartCount?: number; state?: { terminated?: object } }[] };
}

/** The data of a Secret, decoded; undefined where there is none, or it may not be read: its values are then not masked. */
export type ReadSecret = (namespace: string, name: string) => Promise<Record<string, string> | undefined>;

const STEP = 'step-';
const SIDECAR = 'sidecar-';

export function podPath({ namespace, name }: { namespace: string; name: string }): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
}

export async function readPod(client: KubeClient, ref: { namespace: string; name: string }, signal?: AbortSignal): Promise<Pod | undefined> {
  try {
    return await client.request<Pod>('GET', podPath(ref), { signal });
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

/** Its steps in order, then its sidecars: how lines call them, and what their containers are called. */
export function containersOf(pod: Pod): { step: string; container: string; isSidecar: boolean }[] {
  const names = pod.spec.containers.map(({ name }) => name);
  return [
    ...names.filter((name) => name.startsWith(STEP)).map((name) => ({ step: name.slice(STEP.length), container: name, isSidecar: false })),
    ...names.filter((name) => name.startsWith(SIDECAR)).map((name) => ({ step: name, container: name, isSidecar: true })),
  ];
}

/** Nothing more comes of this container in this pod. */
export function hasEnded(pod: Pod, container: string): boolean {
  const { phase, containerStatuses } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed') return true;
  return containerStatuses?.find((status) => status.name === container)?.state?.terminated !== undefined;
}

/** Tekton ends a sidecar by putting another image in its place: what it printed is gone then. */
export function isReplaced(pod: Pod, container: string): boolean {
  return (pod.status?.containerStatuses?.find((status) => status.name === container)?.restartCount ?? 0) > 0;
}

/** Masks the values of every Secret that the pod's containers or volumes name. */
export async function maskOf(pod: Pod, readSecret: ReadSecret | undefined): Promise<Mask> {
  const mask = createMask();
  if (!readSecret) return mask;
  for (const name of secretsOf(pod)) for (const value of Object.values((await readSecret(pod.metadata.namespace, name)) ?? {})) mask.add(value);
  return mask;
}

function secretsOf({ spec }: Pod): Set<string> {
  const names = [
    ...spec.containers.flatMap(({ env = [], envFrom = [] }) => [
      ...env.map((each) => each.valueFrom?.secretKeyRef?.name),
      ...envFrom.map((each) => each.secretRef?.name),
    ]),
    ...(spec.volumes ?? []).flatMap((volume) => [volume.secret?.secretName, ...(volume.projected?.sources ?? []).map((source) => source.secret?.name)]),
  ];
  return new Set(names.filter((name) => name !== undefined));
}
