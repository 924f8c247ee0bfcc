// Two installations in one cluster, each with namespaces of its own for projects, beside one that is nobody's: as the accounts of their functions.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handle as gitPush } from '../../../functions/git-push/handler.ts';
import { functions } from '../../../functions/graph.ts';
import type { Watcher } from '../../../functions/watcher/watcher.ts';
import { projectLabels } from '../../../shared/decisions/names.ts';
import { type AnyHandler, startHost } from '../../../shared/host/host.ts';
import { beginWithOutbox } from '../../../shared/host/outbox.ts';
import type { Ports } from '../../../shared/host/contract.ts';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { INSTALLATION, MARKER } from '../../../shared/objects/project-namespace.ts';
import { followPrepared, recentlyPrepared } from '../../../shared/kubernetes/namespaces/prepared.ts';
import { within } from '../../../shared/kubernetes/namespaces/within.ts';
import { createKubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import type { Broker, Delivery, Settlement } from '../../../shared/ports/broker.ts';
import type { Objects } from '../../../shared/ports/objects.ts';
import { pushEvent, sha } from '../../fakes/events.ts';
import { quiet, recordingBroker, until } from '../../support/watcher.ts';
import { fromEnv } from '../env.ts';
import { clientAs, installRoles, prepare, removeRoles } from './installations.ts';
import { ensureCrds } from '../objects/crds.ts';
import { dropNamespaces, makeNamespaces } from '../objects/namespaces.ts';
import { apply, candidate, kubectl, newClient } from '../watcher/world.ts';

fromEnv('KUBECONFIG');

const admin = newClient();
const log = { info() {}, warn() {}, error() {} };
const everything = createKubernetesObjects({ client: admin });
const REPOSITORY = `https://git.example.org/acme/namespaces-${Date.now().toString(36)}.git`;
const clients: KubeClient[] = [];
let all: string[] = [];
/** Where the two run; a namespace of each; one more that the first gets later; one that is nobody's. */
let [one, two, shop, other, late, none] = ['', '', '', '', '', ''];

beforeAll(async () => {
  await ensureCrds(admin);
  [one, two, shop, other, late, none] = await makeNamespaces(admin, 'namespaces', ['one', 'two', 'shop', 'other', 'late', 'none']);
  all = [one, two, shop, other, late, none];
  await Promise.all([installRoles(one), installRoles(two)]);
  await Promise.all([prepare(shop, one), prepare(other, two)]);
  for (const namespace of [shop, other, late, none]) await project(namespace, 'site');
});
afterAll(async () => {
  for (const client of clients) client.close();
  await dropNamespaces(admin, all);
  await Promise.all([removeRoles(one), removeRoles(two)]);
  admin.close();
});

const project = (namespace: string, name: string) => {
  const spec = { source: { url: REPOSITORY } };
  return everything.create<'Project'>({ kind: 'Project', metadata: { namespace, name, labels: projectLabels(spec) }, spec });
};
const as = async (account: string, system: string) => {
  const client = await clientAs(admin, account, system);
  clients.push(client);
  return client;
};
const namesOf = (namespaces: Iterable<string>) => [...namespaces].filter((name) => all.includes(name)).toSorted();
const namespacesOf = (items: readonly { metadata: { namespace: string } }[]) => namesOf(new Set(items.map(({ metadata }) => metadata.namespace)));

describe('the namespaces of an installation', () => {
  it.each(['git-push', 'api', 'site', 'watcher'])('are known to %s, and no other binding is', async (account) => {
    const client = await as(account, one);
    expect(namesOf(await recentlyPrepared({ client, system: one }).all())).toEqual([shop]);
    const bindings = '/apis/rbac.authorization.k8s.io/v1/rolebindings';
    await expect(client.request('GET', bindings)).rejects.toThrow(/forbidden/);
    await expect(client.request('GET', bindings, { query: { labelSelector: `${INSTALLATION}=${one}` } })).rejects.toThrow(/forbidden/);
  });

  it('are not what somebody calls so who may not hand out its rights', async () => {
    const metadata = { name: MARKER, namespace: none, labels: { [INSTALLATION]: one, 'app.kubernetes.io/part-of': 'tidemill' } };
    const subjects = [{ kind: 'ServiceAccount', name: 'watcher', namespace: one }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
    await kubectl(none, ['apply', '-f', '-'], { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata, roleRef, subjects });
    expect(namesOf(await recentlyPrepared({ client: admin, system: one }).all(true))).toEqual([shop]);
  });
});

describe('a push', () => {
  it('opens executions where its installation builds, stands with it, and leaves the others alone', async () => {
    const client = await as('git-push', one);
    const objects = within(createKubernetesObjects({ client }), recentlyPrepared({ client, system: one }), one);
    const broker = recordingBroker();
    const settled = await deliver(objects, broker, one, pushEvent({ repository: REPOSITORY, after: sha('a') }));
    expect(settled).toEqual({ kind: 'done' });
    expect(broker.events.map(({ data }) => (data as { namespace: string }).namespace)).toEqual([shop]);
    expect(namespacesOf((await everything.list('Execution')).items)).toEqual([shop]);
    const pushes = (await everything.list('Push')).items.filter(({ spec }) => spec.repository === REPOSITORY);
    expect(pushes.map(({ metadata }) => metadata.namespace)).toEqual([one]);
    expect(pushes[0]!.status!.results.map(({ namespace }) => namespace)).toEqual([shop]);
  });
});

describe('the watcher', () => {
  it('of each answers for its own, for what is made ready later too, and lets alone what is nobody’s', { timeout: 60_000 }, async () => {
    const brokers = [recordingBroker(), recordingBroker()];
    const watchers: Watcher[] = [];
    const stops: (() => void)[] = [];
    const repository = `${REPOSITORY}-watched`;
    for (const [n, system] of [one, two].entries()) {
      const client = await as('watcher', system);
      const prepared = followPrepared({ client, system, log });
      stops.push(prepared.stop);
      const objects = within(createKubernetesObjects({ client, log }), prepared, system);
      watchers.push(candidate(client, system, brokers[n]!, `watcher-${n}`, { objects }));
    }
    try {
      for (const watcher of watchers) watcher.start();
      await until(
        () => watchers.every((watcher) => watcher.leads() && watcher.notReady() === undefined),
        () => watchers.map((watcher) => watcher.notReady()),
        20_000,
      );
      for (const namespace of [shop, other, late, none]) await apply(namespace, 'Project', 'watched', { source: { url: repository } });
      const told = () =>
        brokers.map(({ events }) =>
          events
            .map(({ data }) => data as { namespace: string; project: string })
            .flatMap(({ namespace, project: of }) => (of === 'watched' ? [namespace] : [])),
        );
      await until(() => told().every((namespaces) => namespaces.length > 0), told, 20_000);
      await quiet(3000);
      expect(told()).toEqual([[shop], [other]]);
      for (const namespace of [late, none]) expect(await everything.get('Project', { namespace, name: 'watched' })).not.toHaveProperty('metadata.labels');
      await prepare(late, one);
      await until(() => told()[0]!.length === 2, told, 10_000);
      expect(told()).toEqual([[shop, late], [other]]);
      expect((await everything.get('Project', { namespace: none, name: 'watched' }))?.status).toBeUndefined();
    } finally {
      await Promise.all(watchers.map((watcher) => watcher.stop(5000)));
      for (const stop of stops) stop();
    }
  });
});

/** One event, by the function as it runs in a cluster. */
async function deliver(objects: Objects, broker: Broker, home: string, event: Delivery['event']): Promise<Settlement> {
  const name = 'git-push';
  const now = () => new Date().toISOString();
  let call: ((delivery: Delivery) => Promise<Settlement>) | undefined;
  const heard: Broker = { ...broker, subscribe: (_subscription, handler) => void (call = handler) };
  const begin = beginWithOutbox({ broker, durable: true, now, log });
  const load = async () => gitPush as AnyHandler;
  startHost({ functions: { [name]: functions[name] }, load, ports: { objects } as Ports, broker: heard, begin, log, now, home });
  return call!({ subscription: name, event, attempt: 1, checked: true } as Delivery);
}
