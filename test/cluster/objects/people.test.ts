// What people and other programs do to objects beside us: edits by hand, apply, finalizers, tokens that change, secrets.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, PATCH } from '../../../shared/kubernetes/client/client.ts';
import { inCluster } from '../../../shared/kubernetes/client/in-cluster.ts';
import { fromKubeconfig } from '../../../shared/kubernetes/client/kubeconfig.ts';
import { FieldConflict } from '../../../shared/kubernetes/objects/errors.ts';
import { createKubernetesObjects, type Unfit } from '../../../shared/kubernetes/objects/objects.ts';
import { createKubernetesSecrets } from '../../../shared/kubernetes/secrets.ts';
import { InvalidObject, type NewObj } from '../../../shared/objects/kinds.ts';
import { Conflict, Forbidden } from '../../../shared/ports/objects.ts';
import { MissingSecret } from '../../../shared/ports/secrets.ts';
import { fromEnv } from '../env.ts';
import { ensureCrds } from './crds.ts';
import { dropNamespaces, makeNamespaces } from './namespaces.ts';

fromEnv('KUBECONFIG');
const PATIENCE = { timeout: 20_000, interval: 20 };
const client = createKubeClient({ connect: anywhere() });
let namespace: string;

beforeAll(async () => {
  await ensureCrds(client);
});
afterAll(() => client.close());
beforeEach(async () => {
  [namespace] = await makeNamespaces(client, 'objects', ['people']);
});
afterEach(() => dropNamespaces(client, [namespace]));

const objects = createKubernetesObjects({ client });
const ref = (name: string) => ({ namespace, name });
const hook = (name: string): NewObj<'Hook'> => ({ kind: 'Hook', metadata: { name, namespace }, spec: { url: 'https://example.com/', secret: 's' } });
const hookPath = (name: string) => `/apis/tidemill.dev/v1alpha1/namespaces/${namespace}/hooks/${name}`;
const byHand = (name: string, change: object) => client.request('PATCH', hookPath(name), { body: change, contentType: PATCH.merge });
/** The API server takes it, and no program could connect to it. */
const NONSENSE = { spec: { url: 'https://example.com:99999/' } };

describe('an object that was edited into nonsense', () => {
  test('is told by its field, left out of lists and watches, and stops nobody', async () => {
    await objects.create(hook('good'));
    await objects.create(hook('bad'));
    await byHand('bad', NONSENSE);
    await expect(objects.get('Hook', ref('bad'))).rejects.toThrow(
      new RegExp(`Hook ${namespace}/bad as it stands in the cluster is not valid: Hook\\.spec\\.url: `),
    );
    await expect(objects.list('Hook', { namespace })).rejects.toBeInstanceOf(InvalidObject);

    const unfit: Unfit[] = [];
    const careful = createKubernetesObjects({ client, onUnfit: (each) => void unfit.push(each) });
    expect((await careful.list('Hook', { namespace })).items.map((item) => item.metadata.name)).toEqual(['good']);
    expect(unfit).toMatchObject([{ kind: 'Hook', ref: ref('bad'), generation: 2, message: expect.stringContaining('Hook.spec.url') }]);

    const stop = new AbortController();
    const told: string[] = [];
    const reading = (async () => {
      for await (const event of careful.watch('Hook', { namespace, signal: stop.signal })) {
        if (event.type !== 'BOOKMARK') told.push(`${event.type} ${event.object.metadata.name} ${event.object.spec.url}`);
      }
    })();
    await expect.poll(() => told, PATIENCE).toEqual(['ADDED good https://example.com/']);
    await byHand('bad', { spec: { url: 'https://example.org/' } });
    await expect.poll(() => told.at(-1), PATIENCE).toBe('ADDED bad https://example.org/');
    await byHand('bad', NONSENSE);
    await client.request('DELETE', hookPath('bad'));
    // Whoever holds it is told of its end, with what it was when it last made sense.
    await expect.poll(() => told.at(-1), PATIENCE).toBe('DELETED bad https://example.org/');
    stop.abort();
    await reading;
  });
});

test('of what functions write nothing is checked again but what somebody else wrote to', async () => {
  await objects.create({ kind: 'Lane', metadata: { name: 'ours', namespace }, spec: { project: 'a', ref: 'refs/heads/main' } });
  await objects.create({ kind: 'Lane', metadata: { name: 'touched', namespace }, spec: { project: 'a', ref: 'refs/heads/main' } });
  const lanePath = (name: string) => `/apis/tidemill.dev/v1alpha1/namespaces/${namespace}/lanes/${name}`;
  const writers = async (name: string) =>
    (await client.request<{ metadata: { managedFields: { manager: string }[] } }>('GET', lanePath(name))).metadata.managedFields.map(({ manager }) => manager);
  const status = { mode: 'queue' as const, slots: 1, last: 0, running: [], waiting: [], recent: [] };
  await objects.updateStatus({ ...(await objects.get('Lane', ref('ours')))!, status });
  expect(new Set(await writers('ours'))).toEqual(new Set(['tidemill']));
  await client.request('PATCH', lanePath('touched'), {
    body: { metadata: { annotations: { 'example.com/a': 'b' } } },
    contentType: PATCH.merge,
    query: { fieldManager: 'kubectl-annotate' },
  });
  expect(await writers('touched')).toContain('kubectl-annotate');
  // TaskRuns that the API server takes, with more retries than there can be.
  const taskRun = (name: string, fieldManager: string) =>
    client.request('POST', `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns`, {
      body: {
        apiVersion: 'tekton.dev/v1',
        kind: 'TaskRun',
        metadata: { name, namespace },
        spec: { status: 'TaskRunCancelled', retries: 1000, taskSpec: { steps: [{ name: 'a', image: 'a', command: ['a'] }] } },
      },
      query: { fieldManager },
    });
  const unfit: string[] = [];
  const careful = createKubernetesObjects({ client, onUnfit: ({ ref: { name }, message }) => void unfit.push(`${name}: ${message}`) });
  const stop = new AbortController();
  const told: string[] = [];
  const reading = (async () => {
    for await (const event of careful.watch('TaskRun', { namespace, signal: stop.signal }))
      told.push(event.type === 'BOOKMARK' ? event.type : `${event.type} ${event.object.metadata.name}`);
  })();
  await expect.poll(() => told, PATIENCE).toContain('BOOKMARK');
  await taskRun('theirs', 'kubectl-create');
  await expect.poll(() => unfit.join(), PATIENCE).toContain('theirs: ');
  expect(unfit[0]).toContain('TaskRun.spec.retries');
  await taskRun('ours', 'tidemill');
  await expect.poll(() => told, PATIENCE).toContain('ADDED ours');
  // Tekton has said that it ended: that is somebody else's word.
  await expect.poll(() => unfit.some((line) => line.startsWith('ours: ')), PATIENCE).toBe(true);
  expect(told).not.toContain('ADDED theirs');
  stop.abort();
  await reading;
});

test('an update leaves alone what others keep in the metadata', async () => {
  const { apiVersion, kind, metadata } = await objects.create(hook('owner'));
  await objects.create(hook('a'));
  const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }];
  await byHand('a', { metadata: { finalizers: ['example.com/test'], ownerReferences } });
  const read = (await objects.get('Hook', ref('a')))!;
  const paused = await objects.update({ ...read, spec: { ...read.spec, paused: true } });
  await objects.updateStatus({ ...paused, metadata: { ...paused.metadata, labels: { x: '1' } }, status: { deliveries: [] } });
  const raw = await client.request('GET', hookPath('a'));
  expect(raw).toMatchObject({ metadata: { finalizers: ['example.com/test'], ownerReferences, labels: { x: '1' } }, spec: { paused: true } });
  await byHand('a', { metadata: { finalizers: null } });
});

test('owners given to a new object are its owners', async () => {
  const owner = await objects.create(hook('owner'));
  const { apiVersion, kind, metadata } = owner;
  const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }];
  await objects.create({ ...hook('owned'), metadata: { ...ref('owned'), ownerReferences } });
  expect(await client.request('GET', hookPath('owned'))).toMatchObject({ metadata: { ownerReferences } });
});

describe('apply', () => {
  const paused = (value: boolean) => ({ kind: 'Hook' as const, metadata: ref('a'), spec: { paused: value } });

  test('owns its fields: another writer is told which and whose, or takes them over', async () => {
    await objects.create(hook('a'));
    await objects.apply(paused(true), { fieldManager: 'one' });
    const conflict = await objects.apply(paused(false), { fieldManager: 'two' }).catch((error: unknown) => error);
    expect(conflict).toBeInstanceOf(FieldConflict);
    expect(conflict).toBeInstanceOf(Conflict);
    expect(String(conflict)).toMatch(/\.spec\.paused.*"one"/);
    const version = async () => (await objects.apply(paused(true), { fieldManager: 'one' })).metadata.resourceVersion;
    // A watcher that happens to run in the cluster may write to it too, but not all the time.
    await expect.poll(async () => (await version()) === (await version()), PATIENCE).toBe(true);
    expect(await objects.apply(paused(false), { fieldManager: 'two', force: true })).toMatchObject({ spec: { ...hook('a').spec, paused: false } });
  });

  test('makes what is not there, but not again what was deleted', async () => {
    const whole = { kind: 'Hook' as const, metadata: ref('a'), spec: { ...hook('a').spec } };
    const { metadata } = await objects.apply(whole);
    await objects.delete('Hook', ref('a'));
    await expect(objects.apply({ ...whole, metadata: { ...ref('a'), uid: metadata.uid } })).rejects.toBeInstanceOf(Conflict);
    expect(await objects.get('Hook', ref('a'))).toBeUndefined();
  });

  test('of a field that there is not is refused by name, and not tried again', async () => {
    const start = performance.now();
    await expect(objects.apply({ kind: 'Hook', metadata: ref('a'), spec: { ...hook('a').spec, nonesuch: 1 } })).rejects.toThrow(/\.spec\.nonesuch/);
    await expect(objects.apply({ kind: 'Hook', metadata: ref('a'), spec: { nonesuch: 1 } })).rejects.toBeInstanceOf(InvalidObject);
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('to the status alone', async () => {
    await objects.create(hook('a'));
    const applied = await objects.apply({ kind: 'Hook', metadata: ref('a'), status: { deliveries: [] } }, { subresource: 'status' });
    expect(applied).toMatchObject({ spec: hook('a').spec, status: { deliveries: [] } });
  });
});

test('a namespace that is not there is named', async () => {
  const nowhere = { ...hook('a'), metadata: { name: 'a', namespace: 'objects-nowhere' } };
  await expect(objects.create(nowhere)).rejects.toThrow(/namespace objects-nowhere does not exist/);
});

describe('the token of a service account', () => {
  const whoAmI = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  let files: string;
  beforeEach(async () => {
    files = await mkdtemp(join(tmpdir(), 'tidemill-token-'));
  });
  afterEach(() => rm(files, { recursive: true, force: true }));

  test('is read again when the server refuses the one before', async () => {
    await client.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { body: { metadata: { name: 'someone' } } });
    const token = async () => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/someone/token`;
      return (
        await client.request<{ status: { token: string } }>('POST', path, { body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} } })
      ).status.token;
    };
    const { server, tls } = await fromKubeconfig()();
    const { hostname, port } = new URL(server);
    await writeFile(join(files, 'ca.crt'), tls!.ca as Buffer);
    await writeFile(join(files, 'namespace'), `${namespace}\n`);
    await writeFile(join(files, 'token'), 'no-longer-valid\n');
    const pod = createKubeClient({ connect: inCluster({ files, host: hostname, port }) });
    try {
      expect(await pod.namespace()).toBe(namespace);
      const review = () => pod.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: whoAmI });
      await expect(review()).rejects.toMatchObject({ status: 401, reason: 'Unauthorized' });
      await writeFile(join(files, 'token'), await token());
      expect(await review()).toMatchObject({ status: { userInfo: { username: `system:serviceaccount:${namespace}:someone` } } });
      // It has no rights: that is not a matter of its token, and said as it is.
      await expect(createKubernetesObjects({ client: pod }).list('Hook', { namespace })).rejects.toThrow(Forbidden);
    } finally {
      pod.close();
    }
  });
});

describe('secrets', () => {
  const secrets = createKubernetesSecrets({ client });
  const raw = (name: string) =>
    client.request<{ data: Record<string, string>; metadata: { labels: Record<string, string> } }>('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`);

  test('are written, replaced, read and deleted', async () => {
    const value = 'é\0"\n'.repeat(100);
    await secrets.set('hook.one', value, namespace);
    expect(await secrets.get('hook.one', namespace)).toBe(value);
    await secrets.set('hook.one', 'second', namespace);
    expect(await secrets.get('hook.one', namespace)).toBe('second');
    expect((await raw('hook.one')).metadata.labels).toMatchObject({ 'tidemill.dev/secret': 'true' });
    await secrets.delete('hook.one', namespace);
    await secrets.delete('hook.one', namespace);
    await expect(secrets.get('hook.one', namespace)).rejects.toBeInstanceOf(MissingSecret);
  });

  test('of others are not there: neither read, nor changed, nor deleted', async () => {
    await client.request('POST', `/api/v1/namespaces/${namespace}/secrets`, { body: { metadata: { name: 'others' }, stringData: { value: 'theirs' } } });
    await expect(secrets.get('others', namespace)).rejects.toBeInstanceOf(MissingSecret);
    const error = await secrets.set('others', 'top-secret', namespace).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/lacks the label tidemill\.dev\/secret=true/);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error as Error))).not.toContain('top-secret');
    await secrets.delete('others', namespace);
    expect((await raw('others')).data).toEqual({ value: Buffer.from('theirs').toString('base64') });
  });

  test('of tasks stand in the namespace that their name says, with the keys of their value', async () => {
    const name = `run.${namespace}.npm`;
    await secrets.set(name, JSON.stringify({ user: 'u', token: 't' }));
    expect((await raw('npm')).data).toEqual({ user: Buffer.from('u').toString('base64'), token: Buffer.from('t').toString('base64') });
    expect(JSON.parse(await secrets.get(name))).toEqual({ user: 'u', token: 't' });
    await secrets.set(name, 'plain');
    expect((await raw('npm')).data).toEqual({ value: Buffer.from('plain').toString('base64') });
    expect(await secrets.get(name)).toBe('plain');
  });

  test('written by many at once are one of them, whole', async () => {
    const values = Array.from({ length: 4 }, (_, i) => `value-${i}`);
    await Promise.all(values.map((value) => secrets.set('contended', value, namespace)));
    expect(values).toContain(await secrets.get('contended', namespace));
  });

  test.each(['../x', 'A_b', 'run.no/slash.x', 'run.x.../y'])('have no name like %s', async (name) => {
    await expect(secrets.get(name, namespace)).rejects.toThrow();
    await expect(secrets.set(name, 'v', namespace)).rejects.toThrow();
  });
});
