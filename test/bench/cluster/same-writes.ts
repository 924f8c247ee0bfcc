// All that a push writes, written by a bare client: the objects in their order, without the functions and the broker.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchArrivals } from './arrivals.ts';
import type { Ground } from './ground.ts';
import type { Installed } from './installed.ts';
import type { Peer, TaskRunTemplate } from './peers.ts';

interface Sample {
  apiVersion: string;
  kind: string;
  metadata: { name: string; uid?: string; resourceVersion?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
  status?: object;
}

const GROUP = '/apis/tidemill.dev/v1alpha1';
const LANES = 64;
const STATUS_TRIES = 100;
const STATUS_MS = 50;

/** In the order in which they are written: each waits for the one before, as what it says follows from it. The TaskRun is there before the last. */
export const WRITES = 'the Lane’s status, the Execution, the Push, the TaskRun, the Execution’s status';

/** The same TaskRun, with the other objects of one push of ours as samples. */
export async function sameWrites(ground: Ground, { installation, tell, arrivals: ofOurs }: Installed, template: TaskRunTemplate): Promise<Peer> {
  const { client } = ground;
  const told = await tell();
  await ofOurs.of(told.taskRun);
  const execution = await written(ground, `${GROUP}/namespaces/${installation.projects}/executions/${told.execution}`);
  const lane = await client.request<Sample>('GET', `${GROUP}/namespaces/${installation.projects}/lanes/${String(execution.spec['lane'])}`);
  const push = await client.request<Sample>('GET', `${GROUP}/namespaces/${installation.namespace}/pushes/${String(execution.spec['push'])}`);

  const namespace = await ground.namespace('writes');
  const arrivals = await watchArrivals(client, namespace);
  ground.later('watch of the same writes', async () => arrivals.close());
  const at = (plural: string) => `${GROUP}/namespaces/${namespace}/${plural}`;
  const post = (path: string, { apiVersion, kind, metadata: { labels, annotations }, spec, status }: Sample, name: string) =>
    client.request<Sample>('POST', path, { body: { apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec, status } });
  const putStatus = async (plural: string, object: Sample, status: object | undefined) => {
    const { apiVersion, kind, metadata } = object;
    const { name, uid, resourceVersion } = metadata;
    const body = { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status };
    return client.request<Sample>('PUT', `${at(plural)}/${name}/status`, { body });
  };

  const { spec, ...meta } = template;
  const taskRun: Sample = { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name: told.taskRun, ...meta }, spec: { ...spec } };
  const free = await Promise.all(Array.from({ length: LANES }, (_, n) => post(at('lanes'), lane, `lane-${n}`)));
  return {
    namespace,
    shot: async () => {
      const name = `writes-${randomBytes(10).toString('hex')}`;
      const own = free.pop()!;
      const began = performance.now();
      free.push(await putStatus('lanes', own, lane.status));
      const made = await post(at('executions'), execution, name);
      await post(at('pushes'), push, name);
      await post(`/apis/tekton.dev/v1/namespaces/${namespace}/taskruns`, taskRun, name);
      const [there] = await Promise.all([arrivals.of(name), putStatus('executions', made, execution.status)]);
      return there - began;
    },
  };
}

/** With the status that says what runs, which is written after the TaskRun. */
async function written({ client }: Ground, path: string): Promise<Sample> {
  for (let tries = 1; tries <= STATUS_TRIES; tries++) {
    const found = await client.request<Sample>('GET', path);
    if (found.status) return found;
    await sleep(STATUS_MS);
  }
  throw new Error(`${path} has no status after ${(STATUS_TRIES * STATUS_MS) / 1000} s`);
}
