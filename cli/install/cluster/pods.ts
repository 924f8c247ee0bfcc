// What keeps a pod from working, in one sentence: an image that cannot be had, a Secret that is missing, a crash with its last words, no node for it.
import type { Readiness } from './ready.ts';
import type { Live, Resources } from './resources.ts';

interface ContainerStatus {
  name: string;
  image: string;
  ready: boolean;
  restartCount: number;
  state?: { waiting?: { reason?: string; message?: string }; terminated?: { exitCode: number; reason?: string } };
  lastState?: { terminated?: { exitCode: number; reason?: string } };
}

interface PodStatus {
  phase?: string;
  reason?: string;
  message?: string;
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
}

const NO_IMAGE = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'RegistryUnavailable']);
const NOT_MADE = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);
/** Passes, or not: after so many it is not by chance. */
const CRASHES = 2;

/** The first trouble of the newest pods; undefined: they have none, or there are none. "stuck": it does not pass by waiting. */
export async function podTrouble(resources: Resources, namespace: string, labelSelector: string): Promise<Readiness | undefined> {
  const pods = await resources.list('v1', 'Pod', { namespace, labelSelector });
  const newest = pods
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .toSorted((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp));
  for (const pod of newest) {
    const trouble = await troubleOf(pod, resources);
    if (trouble) return trouble;
  }
  return undefined;
}

async function troubleOf(pod: Live, resources: Resources): Promise<Readiness | undefined> {
  const { name } = pod.metadata;
  const status = (pod.status ?? {}) as PodStatus;
  if (status.phase === 'Failed')
    return { state: 'stuck', why: `pod ${name} ended: ${[status.reason, status.message].filter(Boolean).join(': ') || 'no reason given'}` };
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return { state: 'waiting', why: `pod ${name} has no node: ${scheduled.message ?? scheduled.reason}` };
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    const { reason = '', message = '' } = container.state?.waiting ?? {};
    if (NO_IMAGE.has(reason)) return { state: 'stuck', why: `the image ${container.image} cannot be pulled (${reason}): ${firstOf(message)}` };
    if (NOT_MADE.has(reason)) return { state: 'stuck', why: `its container cannot be made (${reason}): ${firstOf(message)}` };
    const crashed = container.state?.terminated ?? (reason === 'CrashLoopBackOff' ? container.lastState?.terminated : undefined);
    if (crashed && crashed.exitCode !== 0) {
      const words = await lastWords(pod, container, resources);
      const how = `${container.name} ended with exit code ${crashed.exitCode}${crashed.reason && crashed.reason !== 'Error' ? ` (${crashed.reason})` : ''}`;
      return { state: container.restartCount >= CRASHES ? 'stuck' : 'waiting', why: `${how}${words ? `: ${words}` : ''}` };
    }
  }
  return undefined;
}

/** Messages of the runtime say the same several times over. */
const firstOf = (message: string) => message.slice(0, 300) || 'no reason given';

/** The last line of its log, or what it says of an error where it is JSON. */
async function lastWords(pod: Live, { name, state }: ContainerStatus, { client }: Resources): Promise<string> {
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}/log`;
  try {
    const log = await client.text(path, { query: { container: name, tailLines: 20, limitBytes: 65_536, previous: state?.terminated === undefined } });
    return spoken(log.trim().split('\n').at(-1) ?? '');
  } catch (error) {
    return `its log cannot be read (${(error as Error).message.slice(0, 200)})`;
  }
}

function spoken(line: string): string {
  try {
    const { msg, error } = JSON.parse(line) as { msg?: string; error?: string };
    if (msg) return [msg, error].filter(Boolean).join(': ').slice(0, 500);
  } catch {
    // A line that is no JSON is shown as it is.
  }
  return line.slice(0, 500);
}
