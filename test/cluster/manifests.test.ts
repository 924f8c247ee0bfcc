// The kustomize folders against a real API server: its admission webhooks take them, its authorizer gives each function what its row says, and no more.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AuthorizationV1Api, KubeConfig, type V1ResourceRule } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { knativeObjects } from '../../eventing/manifests/knative.ts';
import { type Rights, rights, type Table, type Verb } from '../../knative/generate/access/rights.ts';
import { resourceOf } from '../../knative/generate/access/roles.ts';
import { customResources } from '../../knative/generate/crds.ts';
import { manifests, projectNamespace } from '../../knative/generate/manifests.ts';
import type { KubeObject } from '../../knative/generate/object.ts';
import { OVERLAYS, resolve as resolveOptions, SIZES } from '../../knative/generate/options.ts';
import { isRecord } from '../../shared/objects/kinds.ts';
import { fromEnv } from './env.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const unique = `manifests-${Date.now().toString(36)}`;
const system = `${unique}-system`;
const shop = `${unique}-shop`;
const other = `${unique}-other`;
let folder: string;

const kubectl = (...words: string[]) => run('kubectl', words, { env: { ...process.env, KUBECONFIG: fromEnv('KUBECONFIG') }, maxBuffer: 64 * 1024 ** 2 });
const yaml = (objects: readonly object[]) => objects.map((object) => stringify(object, { version: '1.1', aliasDuplicateObjects: false })).join('---\n');

async function apply(objects: readonly object[], ...words: string[]) {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.yaml`);
  await writeFile(file, yaml(objects));
  return kubectl('apply', '--server-side', '--force-conflicts', ...words, '-f', file);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-manifests-'));
  await apply([system, shop, other].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })));
  // Accounts and roles for real: dry runs of Knative ask for the accounts, and the authorizer for the roles. Nothing that runs.
  await apply(manifests({ overlay: 'knative', namespace: system }).filter(({ kind }) => /Namespace|Account|Role/.test(kind)));
  await apply(projectNamespace(shop, system));
});

afterAll(async () => {
  const own = manifests({ overlay: 'knative', namespace: system }).filter(({ kind }) => kind.startsWith('Cluster'));
  await Promise.all([
    kubectl('delete', '--wait=false', '--ignore-not-found', 'namespace', system, shop, other),
    kubectl('delete', '--ignore-not-found', ...own.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`)),
  ]);
  await rm(folder, { recursive: true, force: true });
});

const idOf = ({ apiVersion, kind, metadata }: KubeObject) => `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
const sorted = (objects: readonly KubeObject[]) => objects.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
const parsed = (text: string) => parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as KubeObject);

describe.each(OVERLAYS.flatMap((overlay) => SIZES.map((size) => ({ overlay, size }))))('$overlay, $size', ({ overlay, size }) => {
  const path = join(ROOT, 'knative/overlays', size === 'small' ? overlay : `${overlay}-${size}`);

  test('the folder is what the function gives', async () => {
    const { stdout } = await kubectl('kustomize', path);
    const definitions = customResources() as unknown as KubeObject[];
    expect(sorted(parsed(stdout))).toEqual(sorted([...definitions, ...manifests({ overlay, size })]));
  });

  test('it is taken as it is, in another namespace, with no warning', async () => {
    const own = join(folder, `${overlay}-${size}`);
    await run('mkdir', [own]);
    await writeFile(join(own, 'kustomization.yaml'), yaml([{ namespace: system, resources: [relative(own, path)] }]));
    const { stdout, stderr } = await kubectl('apply', '--server-side', '--force-conflicts', '--dry-run=server', '-k', own);
    expect(stderr).toBe('');
    const { stdout: wanted } = await kubectl('kustomize', own);
    expect(stdout.trim().split('\n')).toHaveLength(parsed(wanted).length);
    for (const { metadata } of parsed(wanted)) expect([undefined, system]).toContain(metadata.namespace);
  });
});

test('a tick is taken, and wakes its function alone', async () => {
  const { ticks, triggers } = knativeObjects(resolveOptions({ overlay: 'knative', namespace: system }), { 'lane-advance': { schedule: '*/5 * * * *' } });
  const woken = triggers!.filter((trigger) => JSON.stringify(trigger['spec']).includes('dev.knative.sources.ping'));
  expect(woken.map(({ metadata }) => metadata.name)).toEqual(['lane-advance']);
  const { stdout, stderr } = await apply([...ticks!, ...woken], '--dry-run=server');
  expect(stderr).toBe('');
  expect(stdout).toMatch(/pingsource.sources.knative.dev\/lane-advance serverside-applied/);
});

test('a pod that is not restricted is refused where tidemill runs', async () => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'root', namespace: system }, spec: { containers: [{ name: 'c', image: 'x' }] } };
  await expect(apply([pod], '--dry-run=server')).rejects.toThrow(/violates PodSecurity "restricted:latest"/);
});

test('a namespace is made ready for projects by its folder as by the function', async () => {
  const { stdout } = await kubectl(
    'apply',
    '--server-side',
    '--force-conflicts',
    '--dry-run=server',
    '-n',
    other,
    '-k',
    join(ROOT, 'knative/project-namespace'),
    '-o',
    'yaml',
  );
  const [list] = parsed(stdout) as unknown as [{ items?: KubeObject[] } & KubeObject];
  const applied = list.items ?? parsed(stdout);
  const bare = ({ apiVersion, kind, metadata, ...rest }: KubeObject) => ({ apiVersion, kind, name: metadata.name, namespace: metadata.namespace, ...rest });
  expect(applied.map(bare)).toEqual(expect.arrayContaining(projectNamespace(other).map(bare)));
});

/** As a service account of the system namespace, or of another. */
function authorization(account: string, namespace = system): AuthorizationV1Api {
  const config = new KubeConfig();
  config.loadFromFile(fromEnv('KUBECONFIG'));
  const user = { ...config.getCurrentUser()!, impersonateUser: `system:serviceaccount:${namespace}:${account}` };
  config.loadFromClusterAndUser(config.getCurrentCluster()!, user);
  return config.makeApiClient(AuthorizationV1Api);
}

/** What everybody may: ask what he may, and who he is. */
const EVERYBODY = /^(authorization|authentication)\.k8s\.io (selfsubject\w+)$/;

/** `group resource verb`, and the name where it is one object alone, of all that the account may do in the namespace, as the API server sees it. */
async function may(api: AuthorizationV1Api, namespace: string): Promise<string[]> {
  const { status } = await api.createSelfSubjectRulesReview({
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
  });
  expect(status?.incomplete).toBe(false);
  const all = (status?.resourceRules ?? []).flatMap(({ apiGroups = [], resources = [], resourceNames = [], verbs }: V1ResourceRule) => {
    return apiGroups.flatMap((group) =>
      resources.flatMap((resource) => (EVERYBODY.test(`${group} ${resource}`) ? [] : verbs.map((verb) => [group, resource, verb, ...resourceNames].join(' ')))),
    );
  });
  return [...new Set(all)].toSorted();
}

const STATUS: Partial<Record<Verb, string>> = { status: 'update', 'patch-status': 'patch' };

function rowOf(...tables: (Table | undefined)[]): string[] {
  const all = tables.flatMap((table) =>
    Object.entries(table ?? {}).flatMap(([thing, verbs]) => {
      const { group, resource, name = [] } = resourceOf(thing as keyof Table);
      // A record has its status in itself, as any other field.
      const status = (verb: string) => (isRecord(thing) ? `${group} ${resource} patch` : `${group} ${resource}/status ${verb}`);
      return verbs.map((verb) => (STATUS[verb] ? status(STATUS[verb]) : [group, resource, verb].concat(name).join(' ')));
    }),
  );
  return [...new Set(all)].toSorted();
}

test.each(Object.entries<Rights>(rights))(
  '%s may do what its row says, where it says so, and nothing else',
  async (name, { cluster, project, system: own }) => {
    const api = authorization(name);
    expect(await may(api, system)).toEqual(rowOf(cluster, own));
    expect(await may(api, shop)).toEqual(rowOf(cluster, project));
    expect(await may(api, other)).toEqual(rowOf(cluster));
  },
);

/** Asked of every function, beside its row: what nobody should be able to get at. */
const NEVER = [
  { namespace: system, verb: 'get', resource: 'secrets' },
  { namespace: system, verb: 'list', resource: 'secrets' },
  { namespace: shop, verb: 'list', resource: 'secrets' },
  { namespace: shop, verb: 'watch', resource: 'secrets' },
  { namespace: other, verb: 'get', resource: 'secrets' },
  { namespace: 'kube-system', verb: 'get', resource: 'secrets' },
  { namespace: system, verb: 'create', group: 'tekton.dev', resource: 'taskruns' },
  { namespace: other, verb: 'create', group: 'tekton.dev', resource: 'taskruns' },
  { namespace: shop, verb: 'create', resource: 'pods' },
  { namespace: shop, verb: 'create', resource: 'pods', subresource: 'exec' },
  { namespace: shop, verb: 'create', resource: 'serviceaccounts', subresource: 'token' },
  { namespace: shop, verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'rolebindings' },
  { namespace: system, verb: 'patch', group: 'apps', resource: 'deployments' },
  { namespace: system, verb: 'update', resource: 'configmaps' },
  { verb: 'impersonate', resource: 'users' },
  { verb: 'escalate', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
  { verb: 'get', resource: 'nodes', subresource: 'proxy' },
  { verb: 'create', resource: 'namespaces' },
];

async function allowed(api: AuthorizationV1Api, resourceAttributes: (typeof NEVER)[number]): Promise<boolean> {
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
  return (await api.createSelfSubjectAccessReview({ body })).status?.allowed ?? false;
}

test.each([...Object.keys(rights), 'tidemill-build'])('%s gets at nothing that is none of its business', async (name) => {
  const api = authorization(name, name === 'tidemill-build' ? shop : system);
  const got = await Promise.all(NEVER.map(async (what) => ((await allowed(api, what)) ? [what] : [])));
  expect(got.flat()).toEqual([]);
});

test('a build may do nothing at all', async () => {
  const api = authorization('tidemill-build', shop);
  for (const namespace of [system, shop, other]) expect(await may(api, namespace)).toEqual([]);
});
