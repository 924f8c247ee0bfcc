// TaskRun events of somebody who is not Tekton, and the ways to send them: by NATS, and from a pod.
import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from 'nats';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import { createJetStreamBroker } from '../../../shared/jetstream/broker.ts';
import { namesOf } from '../../../shared/jetstream/options.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Installation } from '../chain/installation.ts';
import { eventually } from '../chain/world.ts';
import { fromEnv } from '../env.ts';
import { apply } from './kubectl.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };

/** Each says that the TaskRun succeeded, and none is true while it runs. */
export function forgeries(taskRun: Obj<'TaskRun'>): TidemillEvent[] {
  const { name, namespace, uid, labels } = taskRun.metadata;
  const told = (metadata: object) => event({ name, namespace, uid, labels, ...metadata });
  return [
    told({}),
    told({ uid: randomUUID() }),
    told({ labels: {} }),
    told({ labels: { ...labels, 'tidemill.dev/execution': 'nobodys' } }),
    told({ name: 'unknown' }),
    told({ namespace: 'kube-system' }),
    { ...told({}), type: 'dev.tekton.event.taskrun.failed.v1' },
  ];
}

function event(metadata: { name: string; namespace: string; uid: string; labels: object | undefined }): TidemillEvent {
  const at = new Date().toISOString();
  const status = { conditions: [{ type: 'Succeeded', status: 'True', reason: 'Succeeded' }], startTime: at, completionTime: at };
  return {
    specversion: '1.0',
    id: randomUUID(),
    source: `/apis///namespaces/${metadata.namespace}//${metadata.name}`,
    type: 'dev.tekton.event.taskrun.successful.v1',
    subject: metadata.name,
    time: at,
    datacontenttype: 'application/json',
    chainid: randomUUID(),
    data: { taskRun: { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata, status } },
  };
}

/** Publishes them as anyone can who reaches the server, and resolves when the function has been through with them. */
export async function sendByNats(url: string, prefix: string, events: TidemillEvent[]): Promise<void> {
  const broker = createJetStreamBroker({ url, prefix, log });
  await broker.publish(events);
  await broker.stop(1000);
  const nc = await connect({ servers: url });
  try {
    const jsm = await jetstreamManager(nc);
    await eventually('taskrun-finished being through', 60_000, async () => {
      const { num_pending, num_ack_pending } = await jsm.consumers.info(namesOf(prefix).events, 'taskrun-finished');
      return num_pending + num_ack_pending === 0 ? true : undefined;
    });
  } finally {
    await nc.close();
  }
}

/** Posts each to each address from a pod among the projects, and gives the statuses: "none" where there was no answer. */
export async function sendFromPod(installation: Installation, addresses: string[], events: TidemillEvent[]): Promise<string[]> {
  const name = `stranger-${randomUUID().slice(0, 8)}`;
  const script = `
    const [addresses, events] = JSON.parse(process.env.SEND);
    const headers = { 'content-type': 'application/cloudevents+json' };
    for (const address of addresses) for (const event of events) {
      const answer = await fetch(address, { method: 'POST', headers, body: JSON.stringify(event), signal: AbortSignal.timeout(20000) }).catch(() => undefined);
      console.log(answer ? answer.status : 'none');
    }`;
  const send = { name: 'SEND', value: JSON.stringify([addresses, events]) };
  const command = ['node', '--input-type=module', '-e', script];
  const containers = [{ name: 'send', image: fromEnv('TIDEMILL_TEST_BUILD_IMAGE'), imagePullPolicy: 'IfNotPresent', command, env: [send] }];
  await apply(installation.projects, { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { restartPolicy: 'Never', containers } });
  await eventually('the end of the pod that is not Tekton', 120_000, async () =>
    (await installation.kubectl('get', 'pod', name, '-o', 'jsonpath={.status.phase}')) === 'Succeeded' ? true : undefined,
  );
  return (await installation.kubectl('logs', name)).split('\n');
}
