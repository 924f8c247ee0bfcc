// A Broker with Triggers in a namespace of a test's own, whose subscribers are on this machine.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../../shared/kubernetes/client/client.ts';

export interface TestTrigger {
  name: string;
  /** Where its events go. */
  url: string;
  filters?: readonly object[];
}

export interface TestBroker {
  client: KubeClient;
  namespace: string;
  /** As it is reached from this machine. */
  sink: string;
  close(): Promise<void>;
}

const EVENTING = '/apis/eventing.knative.dev/v1';
const READY_WITHIN_MS = 60_000;
const GONE_WITHIN_MS = 30_000;

interface Conditioned {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

/** Ready when it resolves. `delivery` as the Broker's spec has it. */
export async function createTestBroker(triggers: readonly TestTrigger[], delivery: object): Promise<TestBroker> {
  const client = createKubeClient({ connect: anywhere() });
  const namespace = `brokers-${randomBytes(4).toString('hex')}`;
  const at = `${EVENTING}/namespaces/${namespace}`;
  const close = async () => {
    await endTriggers(client, namespace);
    await client.request('DELETE', `/api/v1/namespaces/${namespace}`);
    client.close();
  };
  await client.request('POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } });
  try {
    const kind = { apiVersion: 'eventing.knative.dev/v1' };
    await client.request('POST', `${at}/brokers`, { body: { ...kind, kind: 'Broker', metadata: { name: 'events' }, spec: { delivery } } });
    for (const { name, url, filters } of triggers) {
      const spec = { broker: 'events', subscriber: { uri: url }, ...(filters && { filters }) };
      await client.request('POST', `${at}/triggers`, { body: { ...kind, kind: 'Trigger', metadata: { name }, spec } });
    }
    await untilReady(client, `${at}/brokers/events`);
    for (const { name } of triggers) await untilReady(client, `${at}/triggers/${name}`);
    const ingress = await client.request<{ spec: { clusterIP: string } }>('GET', '/api/v1/namespaces/knative-eventing/services/broker-ingress');
    return { client, namespace, sink: `http://${ingress.spec.clusterIP}/${namespace}/events`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** First the Triggers: their subscriptions cannot end without the channel, and a namespace takes all of it away at once. */
async function endTriggers(client: KubeClient, namespace: string): Promise<void> {
  await client.request('DELETE', `${EVENTING}/namespaces/${namespace}/triggers`);
  const subscriptions = `/apis/messaging.knative.dev/v1/namespaces/${namespace}/subscriptions`;
  for (const until = Date.now() + GONE_WITHIN_MS; Date.now() < until; await sleep(200)) {
    const { items } = await client.request<{ items: unknown[] }>('GET', subscriptions);
    if (items.length === 0) return;
  }
}

async function untilReady(client: KubeClient, path: string): Promise<void> {
  const until = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const { status } = await client.request<Conditioned>('GET', path);
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (ready?.status === 'True') return;
    if (Date.now() > until) throw new Error(`${path} is not ready: ${ready?.message ?? 'no condition'}`);
    await sleep(200);
  }
}

/** A Trigger says that it is ready a moment before its events come: until then a Broker answers 202 and delivers to nobody. */
export async function untilHeard(probe: () => Promise<unknown>, heard: () => boolean): Promise<void> {
  for (let tries = 0; !heard(); tries++) {
    if (tries > 200) throw new Error('The Triggers are ready, and no event comes through them');
    await probe().catch(() => undefined);
    await sleep(100);
  }
}

/** Ends every pod of Knative's broker; its deployments make new ones. */
export async function deleteBrokerPods(client: KubeClient): Promise<void> {
  const pods = '/api/v1/namespaces/knative-eventing/pods';
  const { items } = await client.request<{ items: { metadata: { name: string } }[] }>('GET', pods);
  const ofBroker = items.map(({ metadata }) => metadata.name).filter((name) => /^(mt-broker-(ingress|filter)|imc-dispatcher)-/.test(name));
  await Promise.all(ofBroker.map((name) => client.request('DELETE', `${pods}/${name}`, { body: { gracePeriodSeconds: 0 } })));
}
