// What is looked at of a pod: which of its containers can show a token of ours, and which have ended.
import type { OwnerReference } from '../../shared/objects/kinds.ts';
import { TOKEN_AUDIENCE } from '../../shared/steps/step-environment.ts';

interface Container {
  name: string;
  volumeMounts?: { name: string }[];
}

interface Volume {
  name: string;
  projected?: { sources?: { serviceAccountToken?: { audience?: string } }[] };
}

export interface Pod {
  metadata: { uid: string; labels?: Record<string, string>; ownerReferences?: OwnerReference[] };
  spec: { serviceAccountName?: string; containers: Container[]; initContainers?: Container[]; ephemeralContainers?: Container[]; volumes?: Volume[] };
  status?: { containerStatuses?: { name: string; state?: { terminated?: object } }[] };
}

export function podHolders({ spec, status }: Pod): { holders: Set<string>; ended: Set<string> } {
  const ours = ({ projected }: Volume) => projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken?.audience === TOKEN_AUDIENCE) ?? false;
  const volumes = new Set((spec.volumes ?? []).filter(ours).map(({ name }) => name));
  const containers = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  const holders = containers.filter(({ volumeMounts }) => volumeMounts?.some(({ name }) => volumes.has(name))).map(({ name }) => name);
  const ended = (status?.containerStatuses ?? []).filter(({ state }) => state?.terminated !== undefined).map(({ name }) => name);
  return { holders: new Set(holders), ended: new Set(ended) };
}
