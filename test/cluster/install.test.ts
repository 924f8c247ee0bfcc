// Installing, examining, breaking, mending, upgrading and uninstalling, on a real cluster with the real image: both overlays, in namespaces of the test's own.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from 'nats';
import { jetstreamManager } from '@nats-io/jetstream';
import { openCluster, type Cluster } from '../../cli/install/cluster/connect.ts';
import type { Live } from '../../cli/install/cluster/resources.ts';
import { ownObjects } from '../../cli/install/steps/survey.ts';
import { LEASE_NAME as DOCTORS_LEASE } from '../../cli/install/lease.ts';
import { readTektonEvents } from '../../cli/install/steps/tekton-events.ts';
import type { Finding } from '../../cli/install/finding.ts';
import type { Change } from '../../cli/install/steps/changes.ts';
import { LEASE_NAME } from '../../functions/watcher/lease/kubernetes-lease.ts';
import { PATCH } from '../../shared/kubernetes/client/client.ts';
import { testImage } from './chain/installation.ts';
import { fromEnv } from './env.ts';
import { evict } from './faults/breakage.ts';
import { answer, tidemill } from './install/cli.ts';
import { startNats } from './nats/server.ts';

interface Installed {
  ready: boolean;
  applied: { created: number; changed: number; same: number };
  removed: string[];
  unready: { object: string; why: string }[];
  addresses: { webhook?: string; api?: string };
}

const LONG_MS = 600_000;
let cluster: Cluster;
let image: string;

beforeAll(async () => {
  cluster = await openCluster({ kubeconfig: fromEnv('KUBECONFIG') });
  image = await testImage();
}, LONG_MS);
afterAll(() => cluster.close());

const made: string[] = [];
const named = (overlay: string) => {
  const name = `install-${overlay}-${randomBytes(3).toString('hex')}`;
  made.push(name);
  return name;
};

/** Whatever a test left: its installation, and the namespace of its projects. */
afterAll(async () => {
  const { client } = cluster.resources;
  for (const name of made) await tidemill(['uninstall', '--namespace', name, '--yes']);
  for (const name of made) await client.request('DELETE', `/api/v1/namespaces/${name}-projects`).catch(() => undefined); // it may never have been made
}, LONG_MS);

/** What other tests left in the cluster is no fault of this installation: their projects, and events of theirs that its functions gave up. */
const faults = ({ findings }: { findings: Finding[] }, namespace: string) =>
  findings.filter(({ state, check, said: text }) => state === 'wrong' && check !== 'Dead letters' && (check !== 'Projects' || text.includes(namespace)));
const doctor = async (namespace: string) =>
  faults(JSON.parse((await tidemill(['--json', 'doctor', '--namespace', namespace])).out) as { findings: Finding[] }, namespace);
/** Soon: Knative may look at a Trigger once more after it was ready. */
const healthy = (namespace: string) => vi.waitFor(async () => expect(said(await doctor(namespace))).toBe(''), { timeout: 60_000, interval: 3000 });
const said = (findings: Finding[]) => findings.map(({ check, said: text }) => `${check}: ${text}`).join('\n');

const object = (namespace: string, kind: string, name: string, apiVersion = 'v1') => ({ apiVersion, kind, metadata: { name, namespace } });
const secretOf = async (namespace: string) => {
  const secret = await cluster.resources.get(object(namespace, 'Secret', 'tidemill-secrets'));
  return secret?.['data'] as Record<string, string>;
};

describe.each(['jetstream', 'knative'] as const)('%s', (overlay) => {
  const namespace = named(overlay);
  const projects = `${namespace}-projects`;
  const words = ['install', '--namespace', namespace, '--yes'];
  const first = [
    ...words,
    ...['--overlay', overlay, '--build-image', fromEnv('TIDEMILL_TEST_BUILD_IMAGE'), '--project-namespace', projects, '--site-host', 'sites.test'],
    ...[
      '--s3-endpoint',
      fromEnv('TIDEMILL_TEST_S3_ENDPOINT'),
      '--s3-bucket',
      namespace,
      '--nats',
      fromEnv('TIDEMILL_TEST_NATS_URL'),
      '--nats-prefix',
      namespace,
    ],
    '--no-tekton-events',
  ];

  test('a dry run says what would be made, and makes nothing', async () => {
    const { changes } = await answer<{ changes: Change[] }>(0, ...first, '--image', image, '--dry-run');
    const created = changes.filter(({ what }) => what === 'create').map((change) => change.object);
    expect(created).toEqual(expect.arrayContaining([`Namespace ${namespace}`, `Secret ${namespace}/tidemill-secrets`, `Deployment ${namespace}/watcher`]));
    expect(changes.some(({ what }) => what === 'delete')).toBe(false);
    expect(await cluster.resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })).toBeUndefined();
    expect(await ownObjects(cluster.resources, namespace)).toEqual([]);
  });

  test('an image has to be named, and nothing is changed without it', async () => {
    const { code, err } = await tidemill(first);
    expect(code).toBe(2);
    expect(err).toContain('npm run image -- --push');
    expect(await ownObjects(cluster.resources, namespace)).toEqual([]);
  });

  test('the first install works, and the doctor finds nothing', { timeout: LONG_MS }, async () => {
    const { code, out, err } = await tidemill([...first, '--image', image]);
    expect(err).not.toContain(process.env['AWS_SECRET_ACCESS_KEY']);
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(out).toContain('tidemill doctor --namespace');
    expect(out).toContain(overlay === 'knative' ? '/webhooks/github' : 'port-forward service/api');
    await healthy(namespace);
  });

  test('again, nothing changes, and what was said the first time is kept', { timeout: LONG_MS }, async () => {
    const before = await secretOf(namespace);
    const installed = await answer<Installed>(0, ...words, '--no-tekton-events');
    expect(installed).toMatchObject({ ready: true, applied: { created: 0, changed: 0 }, removed: [] });
    expect(await secretOf(namespace)).toEqual(before);
    const { changes } = await answer<{ changes: Change[] }>(0, ...words, '--dry-run');
    expect(changes.filter(({ what }) => what !== 'same')).toEqual([]);
  });

  test('the doctor names what is broken, and an install mends it', { timeout: LONG_MS }, async () => {
    const { resources } = cluster;
    const trigger =
      overlay === 'knative' ? object(namespace, 'Trigger', 'git-push', 'eventing.knative.dev/v1') : object(namespace, 'Deployment', 'git-push', 'apps/v1');
    const webhookSecret = (await secretOf(namespace))['webhook-secret'];
    await resources.client.request('PATCH', `/api/v1/namespaces/${namespace}/secrets/tidemill-secrets`, {
      body: { data: { 'webhook-secret': null } },
      contentType: PATCH.merge,
    });
    await resources.remove(trigger);
    await resources.remove(object(projects, 'ServiceAccount', 'tidemill-build'));
    await resources.remove(object(namespace, 'Secret', 'tidemill-storage'));
    const text = said(await doctor(namespace));
    expect(text).toMatch(/Secrets: .*no webhook-secret/);
    expect(text).toContain(`${trigger.kind} ${namespace}/git-push is missing`);
    expect(text).toContain('no service account tidemill-build');
    expect(text).toContain('tidemill-storage is missing');
    expect((await tidemill(['doctor', '--namespace', namespace])).code).toBe(1);

    // A dry run says the same, and shows no value of a Secret.
    const dry = await tidemill([...words, '--dry-run']);
    expect(dry.out).toMatch(/\+ create .*git-push/);
    expect(dry.out).toMatch(/~ change .*tidemill-secrets\n +data\.webhook-secret: \(none\) → \(secret\)/);
    const { ready, applied } = await answer<Installed>(0, ...words, '--no-tekton-events');
    expect({ ready, created: applied.created }).toEqual({ ready: true, created: 3 });
    expect((await secretOf(namespace))['webhook-secret']).not.toBe(webhookSecret);
    await healthy(namespace);
  });

  test('an image that cannot be had is said so, by the install and by the doctor, and the right one mends it', { timeout: LONG_MS }, async () => {
    const none = `${fromEnv('TIDEMILL_TEST_REGISTRY')}/tidemill:there-is-none`;
    const failed = await answer<Installed>(1, ...words, '--no-tekton-events', '--image', none, '--timeout', '120');
    expect(failed.ready).toBe(false);
    expect(failed.unready.map(({ why }) => why).join('\n')).toMatch(/there-is-none cannot be pulled|there-is-none/);
    expect(said(await doctor(namespace))).toContain('there-is-none');
    expect(await answer<Installed>(0, ...words, '--no-tekton-events', '--image', image)).toMatchObject({ ready: true });
    await healthy(namespace);
  });

  test("what an earlier version left goes, and what is somebody else's stays", { timeout: LONG_MS }, async () => {
    const { resources } = cluster;
    const config = (name: string, labels: Record<string, string>) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data: {} });
    await resources.apply(config('of-an-earlier-version', { 'app.kubernetes.io/part-of': 'tidemill', 'tidemill.dev/installation': namespace }));
    await resources.apply(config('of-another-installation', { 'app.kubernetes.io/part-of': 'tidemill', 'tidemill.dev/installation': 'another' }));
    await resources.apply(config('of-somebody-else', {}));
    const { changes } = await answer<{ changes: Change[] }>(0, ...words, '--dry-run');
    expect(changes.filter(({ what }) => what === 'delete')).toEqual([{ what: 'delete', object: `ConfigMap ${namespace}/of-an-earlier-version` }]);
    expect(await answer<Installed>(0, ...words, '--no-tekton-events')).toMatchObject({ removed: ['ConfigMap of-an-earlier-version'] });
    expect(await resources.get(object(namespace, 'ConfigMap', 'of-an-earlier-version'))).toBeUndefined();
    for (const name of ['of-another-installation', 'of-somebody-else']) expect(await resources.get(object(namespace, 'ConfigMap', name))).toBeDefined();
  });

  if (overlay === 'jetstream')
    test('the other overlay takes its place, with the same secrets and settings', { timeout: LONG_MS }, async () => {
      const before = await secretOf(namespace);
      const { ready, removed } = await answer<Installed>(0, ...words, '--no-tekton-events', '--overlay', 'knative');
      expect(ready).toBe(true);
      expect(removed).toEqual(expect.arrayContaining(['Deployment git-push', 'Service api']));
      expect(await cluster.resources.get(object(namespace, 'Deployment', 'git-push', 'apps/v1'))).toBeUndefined();
      expect(await secretOf(namespace)).toEqual(before);
      await healthy(namespace);
    });

  test('uninstall takes all of it away, and leaves projects and definitions', { timeout: LONG_MS }, async () => {
    const { resources } = cluster;
    const project = object(projects, 'Project', 'kept', 'tidemill.dev/v1alpha1');
    await resources.apply({ ...project, spec: { source: { url: 'https://git.invalid/kept.git' }, paused: true } });
    const refused = await tidemill(['uninstall', '--namespace', namespace]);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('--yes') as string });
    expect((await ownObjects(resources, namespace)).length).toBeGreaterThan(50);
    const { left } = await answer<{ left: string[] }>(0, 'uninstall', '--namespace', namespace, '--yes');
    expect(left).toEqual([]);
    expect(await ownObjects(resources, namespace)).toEqual([]);
    const there = await resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    if (there) expect(there.metadata.deletionTimestamp).toBeDefined();
    expect((await resources.list('v1', 'Pod', { namespace })).map(({ metadata }) => metadata.name)).toEqual([]);
    expect((await resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: projects } }))?.metadata.deletionTimestamp).toBeUndefined();
    expect(await resources.get(object(projects, 'ServiceAccount', 'tidemill-build'))).toBeUndefined();
    expect((await resources.get(project))?.metadata.deletionTimestamp).toBeUndefined();
    expect(await resources.get(project)).toBeDefined();
    expect((await tidemill(['doctor', '--namespace', namespace])).code).toBe(1);
  });
});

describe('production', () => {
  const namespace = named('production');
  const servers = startNats(3, fromEnv('TIDEMILL_TEST_HOST'));
  afterAll(async () => {
    await tidemill(['uninstall', '--namespace', namespace, '--yes']);
    await (await servers).close();
  }, LONG_MS);
  const words = async () => [
    ...['install', '--namespace', namespace, '--yes', '--image', image, '--overlay', 'jetstream', '--size', 'production', '--nats', (await servers).url],
    ...['--s3-endpoint', fromEnv('TIDEMILL_TEST_S3_ENDPOINT'), '--s3-bucket', namespace, '--project-namespace', `${namespace}-projects`],
  ];

  test('it works once there are two of all that somebody waits for, on streams of three copies, and again changes nothing', { timeout: LONG_MS }, async () => {
    const { resources } = cluster;
    expect(await answer<Installed>(0, ...(await words()))).toMatchObject({ ready: true, unready: [] });
    const [deployments, autoscalers, pods] = await Promise.all([
      resources.list('apps/v1', 'Deployment', { namespace }),
      resources.list('autoscaling/v2', 'HorizontalPodAutoscaler', { namespace }),
      resources.list('v1', 'Pod', { namespace }),
    ]);
    const ready = new Map(deployments.map(({ metadata, status }) => [metadata.name, Number(status?.['readyReplicas'])]));
    for (const { metadata, spec } of autoscalers as (Live & { spec: { minReplicas: number } })[])
      expect([metadata.name, ready.get(metadata.name)]).toEqual([metadata.name, spec.minReplicas]);
    expect(ready.get('watcher')).toBe(2);
    expect(pods).toHaveLength([...ready.values()].reduce((count, one) => count + one, 0));
    const nc = await connect({ servers: (await servers).url.split(',') });
    const streams = await (await jetstreamManager(nc)).streams.list().next();
    await nc.close();
    expect(streams.map(({ config }) => config.num_replicas)).toEqual([3, 3, 3]);
    await healthy(namespace);
    const { changes } = await answer<{ changes: Change[] }>(0, ...(await words()), '--dry-run');
    expect(changes.filter(({ what }) => what !== 'same')).toEqual([]);
  });

  test('an eviction takes one of two, and not the other as well', { timeout: LONG_MS }, async () => {
    const { resources } = cluster;
    const all = await resources.list('v1', 'Pod', { namespace, labelSelector: 'app.kubernetes.io/name=github-webhook' });
    const [first, second] = all.map(({ metadata }) => metadata.name);
    expect(second).toBeDefined();
    // Its budget is reckoned a moment after its pods are ready.
    await vi.waitFor(async () => expect(await evict(namespace, first!)).toBe(true), { timeout: 30_000, interval: 500 });
    expect(await evict(namespace, second!)).toBe(false);
    expect((await resources.get(object(namespace, 'Pod', second!)))?.metadata.deletionTimestamp).toBeUndefined();
  });
});

describe('refusals', () => {
  const base = [
    'install',
    '--yes',
    '--image',
    'registry.invalid/tidemill:1',
    '--s3-endpoint',
    fromEnv('TIDEMILL_TEST_S3_ENDPOINT'),
    '--nats',
    fromEnv('TIDEMILL_TEST_NATS_URL'),
  ];

  test('everything that is missing is named at once, with what to do, and nothing is made', async () => {
    const namespace = named('none');
    const words = [
      '--overlay',
      'jetstream',
      '--nats',
      'nats://127.0.0.1:9',
      '--s3-endpoint',
      'http://127.0.0.1:9',
      '--project-namespace',
      `${namespace}-projects`,
    ];
    const { code, err } = await tidemill([...base, ...words, '--namespace', namespace]);
    expect(code).toBe(1);
    expect(err).toMatch(/✗ NATS/);
    expect(err).toMatch(/✗ S3/);
    expect(err).toContain('Nothing was changed');
    expect(await cluster.resources.get({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })).toBeUndefined();
  });

  test('a NATS server that stands alone has no room for three copies, which is said before anything is made', async () => {
    const namespace = named('alone');
    const words = ['--overlay', 'jetstream', '--size', 'production', '--namespace', namespace, '--project-namespace', `${namespace}-projects`];
    const { code, err } = await tidemill([...base, ...words]);
    expect(code).toBe(1);
    expect(err).toMatch(/NATS.*stands alone/);
    expect(err).toContain('Nothing was changed');
  });

  test.each([
    [['--overlay', 'kafka'], '--overlay takes knative and jetstream'],
    [['--namespace', 'Tide_Mill'], 'a namespace has lower-case letters'],
    [['--namespace', 'same', '--project-namespace', 'same'], 'Projects cannot stand in same'],
    [['--image', '-x'], 'is no name of an image'],
    [['--site-host', 'http://x/'], 'is no host name'],
    [['--timeout', 'soon'], '--timeout wants seconds'],
  ])('%j: %s', async (words, message) => {
    const { code, err } = await tidemill([...base, ...words]);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });

  test('without keys for S3 it says the three ways to give them', async () => {
    const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
    const { code, err } = await tidemill([...base, '--namespace', named('keys')], none);
    expect(code).toBe(2);
    expect(err).toMatch(/AWS_ACCESS_KEY_ID[\s\S]*--s3-secret[\s\S]*none/);
  });

  test('an object of somebody else is not taken over', async () => {
    const namespace = named('taken');
    const { resources } = cluster;
    await resources.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    await resources.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'tidemill-events', namespace }, data: { mine: 'yes' } });
    try {
      const { code, err } = await tidemill([...base, '--overlay', 'jetstream', '--namespace', namespace, '--project-namespace', `${namespace}-projects`]);
      expect(code).toBe(1);
      expect(err).toContain(`ConfigMap ${namespace}/tidemill-events is there and is not tidemill's`);
    } finally {
      await resources.remove({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    }
  });

  test('no cluster is exit code 3', async () => {
    const { code, err } = await tidemill(['doctor', '--kubeconfig', '/nowhere/config']);
    expect(code).toBe(3);
    expect(err).toContain('No cluster was found');
  });

  test('the doctor looks for the lease that the watcher holds', () => {
    expect(DOCTORS_LEASE).toBe(LEASE_NAME);
  });
});

test("Tekton's events: set where they are unset, taken out again, and never taken from another", async () => {
  const { setTektonEvents, unsetTektonEvents } = await import('../../cli/install/steps/tekton-events.ts');
  const before = await readTektonEvents(cluster.resources);
  if (!before || before.sink !== undefined) throw new Error("This test sets Tekton's config-events, and puts it back: its sink must be unset before");
  const sink = async () => (await readTektonEvents(cluster.resources))?.sink;
  const mine = `http://broker-ingress.invalid/${named('events')}/tidemill`;
  try {
    expect(await setTektonEvents(cluster.resources, 'mine', mine)).toMatchObject({ state: 'ok' });
    expect(await sink()).toBe(mine);
    expect(await setTektonEvents(cluster.resources, 'another', 'http://another.invalid')).toMatchObject({ state: 'note' });
    expect(await unsetTektonEvents(cluster.resources, 'another')).toBe(false);
    expect(await sink()).toBe(mine);
  } finally {
    await unsetTektonEvents(cluster.resources, 'mine');
  }
  const after = await readTektonEvents(cluster.resources);
  expect(after?.map['data']).toEqual(before.map['data']);
  expect(after?.setBy).toBeUndefined();
});
