// Two installations in one cluster, each with namespaces of its own for projects, beside one that is nobody's: as the accounts of their functions.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApi } from '../../../functions/api/api.ts';
import type { ApiDeps } from '../../../functions/api/deps.ts';
import { handle as gitPush } from '../../../functions/git-push/handler.ts';
import { functions } from '../../../functions/graph.ts';
import { allNamespaces } from '../../../functions/site/releases/places.ts';
import { createReleases } from '../../../functions/site/releases/releases.ts';
import type { Watcher } from '../../../functions/watcher/watcher.ts';
import { projectLabels } from '../../../shared/decisions/names.ts';
import { type AnyHandler, startHost } from '../../../shared/host/host.ts';
import { beginWithOutbox } from '../../../shared/host/outbox.ts';
import type { Ports } from '../../../shared/host/contract.ts';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { INSTALLATION, MARKER } from '../../../shared/objects/project-namespace.ts';
import { followPrepared, recentlyPrepared } from '../../../shared/kubernetes/namespaces/prepared.ts';
import { within } from '../../../shared/kubernetes/namespaces/within.ts';
import { createKubernetesSecrets } from '../../../shared/kubernetes/secrets.ts';
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
});
afterAll(async () => {
  for (const client of clients) client.close();
  await dropNamespaces(admin, all);
  await Promise.all([removeRoles(one), removeRoles(two)]);
  admin.close();
});

const project = (namespace: string, name: string, url = REPOSITORY) => {
  const spec = { source: { url } };
  return everything.create<'Project'>({ kind: 'Project', metadata: { namespace, name, labels: projectLabels(spec) }, spec });
};
const another = async () => {
  const [more] = await makeNamespaces(admin, 'namespaces', ['more']);
  all.push(more);
  return more;
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
    const names = namesOf(await recentlyPrepared({ client, system: one }).all());
    expect(names).toContain(shop);
    for (const theirs of [other, none]) expect(names).not.toContain(theirs);
    const bindings = '/apis/rbac.authorization.k8s.io/v1/rolebindings';
    await expect(client.request('GET', bindings)).rejects.toThrow(/forbidden/);
    await expect(client.request('GET', bindings, { query: { labelSelector: `${INSTALLATION}=${one}` } })).rejects.toThrow(/forbidden/);
  });

  it('are not what somebody calls so who may not hand out its rights', async () => {
    const metadata = { name: MARKER, namespace: none, labels: { [INSTALLATION]: one, 'app.kubernetes.io/part-of': 'tidemill' } };
    const subjects = [{ kind: 'ServiceAccount', name: 'watcher', namespace: one }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
    await kubectl(none, ['apply', '-f', '-'], { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata, roleRef, subjects });
    expect(await recentlyPrepared({ client: admin, system: one }).all(true)).not.toContain(none);
  });
});

describe('a push', () => {
  it('opens executions wherever its installation builds, stands with it, and leaves the others alone', async () => {
    const more = await another();
    await prepare(more, one);
    const url = `${REPOSITORY}-pushed`;
    for (const namespace of [shop, more, other, none]) await project(namespace, 'pushed', url);
    const client = await as('git-push', one);
    const objects = within(createKubernetesObjects({ client }), recentlyPrepared({ client, system: one }), one);
    const broker = recordingBroker();
    const settled = await deliver(objects, broker, one, pushEvent({ repository: url, after: sha('a') }));
    expect(settled).toEqual({ kind: 'done' });
    const own = [shop, more].toSorted();
    expect(broker.events.map(({ data }) => (data as { namespace: string }).namespace).toSorted()).toEqual(own);
    const opened = (await everything.list('Execution')).items.filter(({ spec }) => spec.project === 'pushed');
    expect(namespacesOf(opened)).toEqual(own);
    const pushes = (await everything.list('Push')).items.filter(({ spec }) => spec.repository === url);
    expect(pushes.map(({ metadata }) => metadata.namespace)).toEqual([one]);
    expect(pushes[0]!.status!.results.map(({ namespace }) => namespace).toSorted()).toEqual(own);
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

describe('the API', () => {
  it('finds a name in any of its namespaces, has two told apart, and makes things where it may', async () => {
    const more = await another();
    await prepare(more, one);
    await project(more, 'only');
    await project(shop, 'both');
    await project(more, 'elder');
    // Another second, as Kubernetes counts: who was first has the short address.
    await sleep(1100);
    await project(more, 'both');
    await project(shop, 'elder');
    const client = await as('api', one);
    const prepared = recentlyPrepared({ client, system: one });
    const objects = within(createKubernetesObjects({ client }), prepared, one);
    const api = createApi({
      ...({ storage: createMemory(), runner: {}, secrets: createKubernetesSecrets({ client }), git: {} } as unknown as ApiDeps),
      objects,
      namespaces: () => prepared.all(),
      namespace: shop,
      home: one,
      siteHost: 'sites.test',
      now: () => new Date().toISOString(),
      log,
      newId: randomUUID,
    });
    const call = async (method: string, path: string, body?: object) => {
      const init = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      const response = await api.fetch(new Request(`http://api.test/api/v1${path}`, { method, ...init }));
      const text = await response.text();
      return { status: response.status, body: (text ? JSON.parse(text) : {}) as Record<string, unknown> };
    };
    const listed = (await call('GET', '/projects?limit=200')).body['items'] as { namespace: string }[];
    const namespaces = new Set(listed.map(({ namespace }) => namespace));
    for (const namespace of [more, shop]) expect(namespaces).toContain(namespace);
    for (const namespace of [other, none]) expect(namespaces).not.toContain(namespace);
    expect(await call('GET', '/projects/only')).toMatchObject({ status: 200, body: { namespace: more, url: `http://only.${more}.sites.test/` } });
    expect(await call('GET', '/projects/both')).toMatchObject({ status: 409, body: { type: 'urn:tidemill:problem:ambiguous' } });
    expect(await call('GET', `/projects/both?namespace=${shop}`)).toMatchObject({ status: 200, body: { namespace: shop, url: 'http://both.sites.test/' } });
    expect(await call('GET', `/projects/elder?namespace=${shop}`)).toMatchObject({ status: 200, body: { url: `http://elder.${shop}.sites.test/` } });
    expect(await call('GET', `/projects/site?namespace=${other}`)).toMatchObject({ status: 404, body: { type: 'urn:tidemill:problem:no-such-namespace' } });
    const credential = { name: 'git', type: 'basic', host: 'git.example.org', username: 'me', value: 'tok' };
    for (const namespace of [more, shop])
      expect(await call('POST', '/credentials', { ...credential, namespace })).toMatchObject({ status: 201, body: { namespace } });
    expect(await call('POST', '/credentials', { ...credential, namespace: none })).toMatchObject({ status: 404 });
    expect(await call('DELETE', `/credentials/git?namespace=${more}`)).toMatchObject({ status: 204 });
    expect(await call('DELETE', '/credentials/git')).toMatchObject({ status: 204 });
    expect(await call('GET', '/pushes')).toMatchObject({ status: 200 });
  });
});

describe('the site', () => {
  it('serves what stands in its namespaces, the older of two by the short name, and what is made ready later within seconds', async () => {
    const extra = await another();
    const client = await as('site', one);
    const prepared = followPrepared({ client, system: one, log });
    const objects = within(createKubernetesObjects({ client, log }), prepared, one);
    const places = allNamespaces({ objects, namespace: shop, log });
    const releases = createReleases({ objects, log });
    try {
      await project(extra, 'twice');
      await sleep(1100); // ages are counted in seconds
      await project(shop, 'twice');
      for (const namespace of [extra, shop]) await release(namespace, 'twice');
      const projectAt = async (host: string) => {
        const at = await places.of(host);
        return at && (await releases.get(at)) ? at.namespace : undefined;
      };
      expect(await projectAt(`twice.${shop}`)).toBe(shop);
      expect(await projectAt(`twice.${extra}`)).toBeUndefined();
      await expect.poll(() => projectAt('twice'), { timeout: 5000 }).toBe(shop);
      await prepare(extra, one);
      await expect.poll(() => projectAt('twice'), { timeout: 10_000 }).toBe(extra);
      expect(await projectAt(`twice.${extra}`)).toBe(extra);
      expect(await projectAt(`twice.${shop}`)).toBe(shop);
      await kubectl(extra, ['delete', 'rolebinding', MARKER]);
      await expect.poll(() => projectAt('twice'), { timeout: 10_000 }).toBe(shop);
      expect(await projectAt(`twice.${extra}`)).toBeUndefined();
    } finally {
      places.close();
      releases.close();
      prepared.stop();
    }
  });
});

const release = async (namespace: string, name: string) => {
  const made = await everything.create<'Release'>({
    kind: 'Release',
    metadata: { namespace, name },
    spec: { project: name, environment: 'production', host: name },
  });
  const current = { artifact: 'a', version: '1', manifest: `sha256:${'0'.repeat(64)}`, at: '2026-01-01T00:00:00Z', trigger: 'user' as const };
  await everything.updateStatus<'Release'>({ ...made, status: { current, history: [] } });
};

/** A store with nothing in it. */
const createMemory = () => ({ get: async () => undefined, stat: async () => undefined, list: async () => ({ keys: [] }) });

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
