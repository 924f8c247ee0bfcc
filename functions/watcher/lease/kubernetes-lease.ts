// The Lease that candidates share, coordination.k8s.io/v1, by plain requests.
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import type { HeldRecord, LeaseRecord, LeaseStore } from './election.ts';

export const LEASE_NAME = 'tidemill-watcher';

interface Lease {
  metadata: { name: string; namespace: string; resourceVersion?: string };
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; acquireTime?: string; renewTime?: string; leaseTransitions?: number };
}

export function kubernetesLease(client: Pick<KubeClient, 'request'>, namespace: string, name: string = LEASE_NAME): LeaseStore {
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  return {
    read: (signal) => orUndefined(404, async () => held(await client.request<Lease>('GET', `${leases}/${name}`, { signal }))),
    write: (record, version, signal) =>
      orUndefined(409, async () => {
        const metadata = { name, namespace, ...(version !== undefined && { resourceVersion: version }) };
        const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: specOf(record) };
        const written =
          version === undefined ? client.request<Lease>('POST', leases, { body, signal }) : client.request<Lease>('PUT', `${leases}/${name}`, { body, signal });
        return held(await written);
      }),
  };
}

function held({ metadata, spec = {} }: Lease): HeldRecord {
  return {
    version: metadata.resourceVersion ?? '',
    holder: spec.holderIdentity ?? '',
    duration_s: spec.leaseDurationSeconds ?? 0,
    acquired: spec.acquireTime ?? '',
    renewed: spec.renewTime ?? '',
    transitions: spec.leaseTransitions ?? 0,
  };
}

function specOf({ holder, duration_s, acquired, renewed, transitions }: LeaseRecord): Lease['spec'] {
  return { holderIdentity: holder, leaseDurationSeconds: duration_s, acquireTime: acquired, renewTime: renewed, leaseTransitions: transitions };
}

/** Undefined where the API server answers with this status. */
async function orUndefined<T>(status: number, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if ((error as { status?: unknown }).status === status) return undefined;
    throw error;
  }
}
