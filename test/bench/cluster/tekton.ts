// Tekton's controller, away while only the creation of TaskRuns is measured: what it would do with them would be measured too.
import { setTimeout as sleep } from 'node:timers/promises';
import { PATCH } from '../../../shared/kubernetes/client/client.ts';
import { type Ground, remove } from './ground.ts';

const NAMESPACE = 'tekton-pipelines';
const DEPLOYMENT = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/tekton-pipelines-controller`;
/** Stands on the deployment while it is away, so that a bench that was killed is put right by the next one. */
const NOTE = 'tidemill.dev/bench-replicas';
const GONE_MS = 90_000;

interface Deployment {
  metadata: { annotations?: Record<string, string> };
  spec: { replicas?: number };
  status?: { readyReplicas?: number };
}

/** Puts right what a bench that was killed left behind. */
export async function bringTektonBack(ground: Ground): Promise<void> {
  const { metadata } = await ground.client.request<Deployment>('GET', DEPLOYMENT);
  const before = metadata.annotations?.[NOTE];
  if (before === undefined) return;
  await scale(ground, Number(before), null);
  await until(ground, 'be there again', ({ spec, status }) => (status?.readyReplicas ?? 0) >= (spec.replicas ?? 1));
}

/** Runs `work` without the controller. What it leaves of TaskRuns in these namespaces goes before the controller comes back, or it would run them all. */
export async function withoutTekton<T>(ground: Ground, namespaces: readonly string[], work: () => Promise<T>): Promise<T> {
  const { spec } = await ground.client.request<Deployment>('GET', DEPLOYMENT);
  const replicas = Math.max(1, spec.replicas ?? 1);
  const back = ground.later("Tekton's controller", async () => {
    await Promise.all(namespaces.map((namespace) => removeTaskRuns(ground, namespace)));
    await scale(ground, replicas, null);
    await until(ground, 'be there again', ({ status }) => (status?.readyReplicas ?? 0) >= 1);
  });
  ground.log("Tekton's controller is scaled to zero");
  await scale(ground, 0, String(replicas));
  try {
    await until(ground, 'end', ({ status }) => (status?.readyReplicas ?? 0) === 0);
    return await work();
  } finally {
    await back();
    ground.log("Tekton's controller is back");
  }
}

export async function removeTaskRuns({ client }: Ground, namespace: string): Promise<void> {
  await remove(client, `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns`, { propagationPolicy: 'Background' });
}

async function scale({ client }: Ground, replicas: number, note: string | null): Promise<void> {
  const body = { metadata: { annotations: { [NOTE]: note } }, spec: { replicas } };
  await client.request('PATCH', DEPLOYMENT, { body, contentType: PATCH.merge });
}

async function until({ client }: Ground, what: string, is: (deployment: Deployment) => boolean): Promise<void> {
  const limit = Date.now() + GONE_MS;
  while (!is(await client.request<Deployment>('GET', DEPLOYMENT))) {
    if (Date.now() > limit) throw new Error(`Tekton's controller did not ${what} within ${GONE_MS / 1000} s`);
    await sleep(250);
  }
}
