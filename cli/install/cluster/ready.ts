// Whether an object does what it is there for, and if not, why not: by its own status, and by the pods behind it.
import type { Condition, Live, Resources } from './resources.ts';
import { podTrouble } from './pods.ts';

export interface Readiness {
  state: 'ready' | 'waiting' | 'stuck';
  /** Why it is not ready. */
  why?: string;
}

const READY: Readiness = { state: 'ready' };
const waiting = (why: string): Readiness => ({ state: 'waiting', why });

const conditionOf = (object: Live, type: string): Condition | undefined => object.status?.conditions?.find((condition) => condition.type === type);

/** The status is of an earlier spec. */
const isOld = ({ metadata, status }: Live) => status?.observedGeneration !== undefined && status.observedGeneration < (metadata.generation ?? 0);

export async function readinessOf(object: Live, resources: Resources): Promise<Readiness> {
  if (object.kind === 'Deployment') return await deployment(object, resources);
  if (object.kind === 'HorizontalPodAutoscaler') return await autoscaled(object, resources);
  if (object.kind === 'CustomResourceDefinition') return byCondition(object, 'Established');
  const ready = byCondition(object, 'Ready');
  if (ready.state === 'ready' || object.apiVersion.split('/')[0] !== 'serving.knative.dev') return ready;
  const trouble = await podTrouble(resources, object.metadata.namespace!, `serving.knative.dev/service=${object.metadata.name}`);
  return trouble ?? ready;
}

function byCondition(object: Live, type: string): Readiness {
  const condition = conditionOf(object, type);
  if (isOld(object) || !condition) return waiting('its controller has not looked at it yet');
  if (condition.status === 'True') return READY;
  return waiting([condition.reason, condition.message].filter(Boolean).join(': ') || `${type} is ${condition.status}`);
}

async function deployment(object: Live, resources: Resources): Promise<Readiness> {
  const { metadata, status = {}, spec } = object as Live & { spec: { replicas?: number; selector: { matchLabels: Record<string, string> } } };
  const wanted = spec.replicas ?? 1;
  const count = (field: string) => Number(status[field] ?? 0);
  const done = !isOld(object) && count('updatedReplicas') >= wanted && count('availableReplicas') >= wanted && count('replicas') === count('updatedReplicas');
  if (done) return READY;
  const failure = conditionOf(object, 'ReplicaFailure');
  // Said at once when admission refuses a pod: Pod Security, quotas.
  if (failure?.status === 'True') return { state: 'stuck', why: `its pods are refused: ${failure.message ?? failure.reason ?? 'no reason given'}` };
  const selector = Object.entries(spec.selector.matchLabels).map(([key, value]) => `${key}=${value}`);
  const trouble = await podTrouble(resources, metadata.namespace!, selector.join(','));
  return trouble ?? waiting(`${count('availableReplicas')} of ${wanted} pods are available`);
}

interface Autoscaler {
  minReplicas?: number;
  scaleTargetRef: { apiVersion: string; kind: string; name: string };
}

/** A Deployment that is told no number begins with one pod: it is as it should be when its autoscaler has said how many, and they are there. */
async function autoscaled(object: Live, resources: Resources): Promise<Readiness> {
  const { minReplicas = 1, scaleTargetRef } = (object as unknown as { spec: Autoscaler }).spec;
  const { apiVersion, kind, name } = scaleTargetRef;
  const target = await resources.get({ apiVersion, kind, metadata: { name, namespace: object.metadata.namespace } });
  if (!target) return waiting(`its ${kind} ${name} is not there`);
  const { replicas = 1 } = (target as unknown as { spec: { replicas?: number } }).spec;
  if (replicas < minReplicas) return waiting(`${kind} ${name} is still to be scaled from ${replicas} to ${minReplicas}`);
  return await deployment(target, resources);
}
