// These suites write as somebody does whom nobody disturbs; a watcher of tidemill labels and judges every object in the cluster, theirs too.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';

/** One that was stopped by the suite before holds its lease for a little longer. */
const PATIENCE_MS = 60_000;

interface Lease {
  metadata: { namespace: string; name: string };
  spec?: { holderIdentity?: string; renewTime?: string; leaseDurationSeconds?: number };
}

/** Throws where a watcher goes on running: what it writes would be taken for a fault. */
export async function untilAlone(client: KubeClient): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await client.request<{ items: Lease[] }>('GET', '/apis/coordination.k8s.io/v1/leases');
    const watching = items.filter(isHeld).map(({ metadata }) => metadata.namespace);
    if (watching.length === 0) return;
    if (Date.now() > until)
      throw new Error(`A watcher of tidemill runs in namespace ${watching.join(', ')}, and changes what this suite writes: stop it for as long as this runs`);
    await sleep(1000);
  }
}

function isHeld({ metadata, spec = {} }: Lease): boolean {
  const { holderIdentity, renewTime, leaseDurationSeconds = 0 } = spec;
  if (metadata.name !== 'tidemill-watcher' || !holderIdentity || !renewTime) return false;
  return Date.parse(renewTime) + leaseDurationSeconds * 1000 > Date.now();
}
