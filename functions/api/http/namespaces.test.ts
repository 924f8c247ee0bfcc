// Projects in namespaces of their own: what is found wherever it stands, what has to be told apart, and where new things come to stand.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { executionName, projectLabels } from '../../../shared/decisions/names.ts';
import { createArchive } from '../../../shared/host/archive.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';

let api: TestApi;
const url = 'https://git.example.org/acme/site.git';

beforeEach(() => {
  api = openTestApi([], { namespaces: new Set(['default', 'docs', 'shop']), siteHost: 'sites.example.com' });
});
afterEach(() => api.close());

const project = (namespace: string, name: string) => {
  const spec = { source: { url } };
  return api.store.objects.create<'Project'>({ kind: 'Project', metadata: { namespace, name, labels: projectLabels(spec) }, spec });
};
const execution = (namespace: string, of: string, cause: string) =>
  api.store.objects.create<'Execution'>({
    kind: 'Execution',
    metadata: { namespace, name: executionName(of, cause), labels: { [LABEL.project]: of } },
    spec: { project: of, lane: 'lane', number: 1, ref: 'refs/heads/main', source: 'source', trigger: 'user' },
  });
type Listed = { items: { name: string; namespace: string }[]; continue?: string };
const list = async (path: string) => {
  const { items } = await api.json<Listed>(200, 'GET', path);
  return items.map(({ namespace, name }) => `${namespace}/${name}`).toSorted();
};
const detail = async (status: number, method: string, path: string, body?: unknown) => (await api.json<{ detail: string }>(status, method, path, body)).detail;

describe('lists', () => {
  test('are of all namespaces, each item with its own, and of one where that is said', async () => {
    await project('docs', 'site');
    await project('shop', 'site');
    await project('shop', 'till');
    await project('elsewhere', 'site');
    expect(await list('/projects')).toEqual(['docs/site', 'shop/site', 'shop/till']);
    expect(await list('/projects?namespace=shop')).toEqual(['shop/site', 'shop/till']);
    expect(await list('/projects?namespace=default')).toEqual([]);
  });

  test('go on page by page through objects and archive, with what has one name in two namespaces once each', async () => {
    const archive = createArchive({ storage: api.storage });
    for (const namespace of ['docs', 'shop']) {
      for (const cause of ['one', 'two', 'three']) {
        const made = await execution(namespace, 'site', cause);
        if (cause === 'three') continue;
        // The same second, as Kubernetes counts.
        const kept = { ...made, metadata: { ...made.metadata, creationTimestamp: cause === 'one' ? '2026-01-01T00:00:00Z' : '2026-01-02T00:00:00Z' } };
        await archive.put({ execution: kept, artifacts: [], taskRuns: [] });
        await api.store.objects.delete('Execution', { namespace, name: made.metadata.name });
      }
    }
    const seen: string[] = [];
    let next: string | undefined = '';
    for (let pages = 0; next !== undefined && pages < 20; pages++) {
      const page: Listed = await api.json(200, 'GET', `/executions?limit=1${next && `&continue=${encodeURIComponent(next)}`}`);
      seen.push(...page.items.map(({ namespace, name }) => `${namespace}/${name}`));
      next = page.continue;
    }
    expect(next).toBeUndefined();
    const expected = ['docs', 'shop'].flatMap((namespace) => ['one', 'two', 'three'].map((cause) => `${namespace}/${executionName('site', cause)}`));
    expect(seen.toSorted()).toEqual(expected.toSorted());
    expect(await list('/executions?namespace=docs')).toHaveLength(3);
  });
});

describe('a name', () => {
  test('is found wherever it stands', async () => {
    await project('shop', 'till');
    expect(await api.json(200, 'GET', '/projects/till')).toMatchObject({ name: 'till', namespace: 'shop', url: 'http://till.shop.sites.example.com/' });
    await api.json(200, 'PATCH', '/projects/till', { paused: true });
    expect((await api.store.objects.get('Project', { namespace: 'shop', name: 'till' }))?.spec.paused).toBe(true);
    await api.json(404, 'GET', '/projects/till?namespace=docs');
    await api.json(404, 'GET', '/projects/none');
  });

  test('that stands in two is refused with both, and what to do; then it is the one that was said', async () => {
    await project('docs', 'site');
    await project('shop', 'site');
    for (const path of ['/projects/site', '/projects/site/versions', '/projects/site/watch', '/pushes?project=site'])
      expect(await detail(409, 'GET', path)).toBe('There is a project "site" in each of docs, shop. Say which is meant: ?namespace=docs, or --namespace docs.');
    await api.json(409, 'DELETE', '/projects/site');
    await api.json(200, 'GET', '/pushes?project=site&namespace=shop');
    await api.json(200, 'DELETE', '/projects/site?namespace=docs');
    expect(await list('/projects')).toEqual(['shop/site']);
  });

  test('of an execution is that of the same push in two namespaces, live or archived', async () => {
    const { metadata } = await execution('docs', 'site', 'push');
    const other = await execution('shop', 'site', 'push');
    expect(await detail(409, 'GET', `/executions/${metadata.name}`)).toContain('in each of docs, shop');
    await api.json(202, 'POST', `/executions/${metadata.name}/cancel?namespace=shop`, {});
    expect(api.published.at(-1)!.data).toMatchObject({ namespace: 'shop', execution: metadata.name });
    await createArchive({ storage: api.storage }).put({ execution: other, artifacts: [], taskRuns: [] });
    for (const namespace of ['docs', 'shop']) await api.store.objects.delete('Execution', { namespace, name: metadata.name });
    expect(await api.json(200, 'GET', `/executions/${metadata.name}`)).toMatchObject({ namespace: 'shop' });
  });

  test('asked for twice under one Idempotency-Key is two requests in two namespaces', async () => {
    for (const namespace of ['docs', 'shop']) {
      await execution(namespace, 'site', 'push');
      await api.json(202, 'POST', `/executions/${executionName('site', 'push')}/rerun?namespace=${namespace}`, {}, { 'idempotency-key': 'k' });
    }
    expect(new Set(api.published.map(({ id }) => id)).size).toBe(2);
  });
});

describe("a site's address", () => {
  const urls = async (namespace: string) => {
    const { url: ofProject } = await api.json<{ url: string }>(200, 'GET', `/projects/site?namespace=${namespace}`);
    const { items } = await api.json<{ items: { url: string }[] }>(200, 'GET', `/releases?namespace=${namespace}`);
    return [ofProject, ...items.map((each) => each.url).toSorted()];
  };
  const release = (namespace: string, host: string, environment: string) =>
    api.store.objects.create<'Release'>({
      kind: 'Release',
      metadata: { namespace, name: host, labels: { [LABEL.project]: 'site' } },
      spec: { project: 'site', environment, host },
    });

  test('is short for a project of the usual namespace, and for its previews', async () => {
    await project('default', 'site');
    await release('default', 'next--site', 'next');
    expect(await urls('default')).toEqual(['http://site.sites.example.com/', 'http://next--site.sites.example.com/']);
    await sleep(2);
    await project('shop', 'site');
    expect((await urls('default'))[0]).toBe('http://site.sites.example.com/');
    expect((await urls('shop'))[0]).toBe('http://site.shop.sites.example.com/');
  });

  test('says the namespace where an older project is served on the short one, until that is gone', async () => {
    await project('shop', 'site');
    await sleep(2);
    await project('default', 'site');
    await release('default', 'next--site', 'next');
    expect(await urls('default')).toEqual(['http://site.default.sites.example.com/', 'http://next--site.default.sites.example.com/']);
    await api.store.objects.delete('Project', { namespace: 'shop', name: 'site' });
    expect(await urls('default')).toEqual(['http://site.sites.example.com/', 'http://next--site.sites.example.com/']);
  });

  test('is not touched by a project of a namespace that is none of ours', async () => {
    await project('elsewhere', 'site');
    await sleep(2);
    await project('default', 'site');
    expect((await urls('default'))[0]).toBe('http://site.sites.example.com/');
  });
});

describe('what is made', () => {
  const credential = { name: 'github', type: 'basic', host: 'github.com', username: 'me', value: 'tok' };

  test('stands where its body says, or the query, or else in the usual namespace', async () => {
    expect(await api.json(201, 'POST', '/credentials', { ...credential, namespace: 'docs' })).toMatchObject({ namespace: 'docs' });
    expect(await api.json(201, 'POST', '/credentials?namespace=shop', credential)).toMatchObject({ namespace: 'shop' });
    expect(await api.json(201, 'POST', '/credentials', credential)).toMatchObject({ namespace: 'default' });
    expect(await list('/credentials')).toEqual(['default/github', 'docs/github', 'shop/github']);
    await api.json(204, 'DELETE', '/credentials/github?namespace=docs');
    expect(await detail(400, 'POST', '/credentials?namespace=docs', { ...credential, namespace: 'shop' })).toContain('say one of them');
  });

  test('stands in no namespace that was not made ready', async () => {
    for (const [path, body] of [
      ['/credentials', { ...credential, namespace: 'none' }],
      ['/hooks', { url: 'https://example.org', namespace: 'none' }],
      ['/projects', { name: 'site', source: { url }, namespace: 'none' }],
      ['/projects?namespace=none', { name: 'site', source: { url } }],
    ] as const)
      expect(await detail(404, 'POST', path, body)).toBe(
        'There are no projects in namespace "none" here: they stand in default, docs, shop. In a cluster `tidemill install --project-namespace none` makes it ready.',
      );
    await api.json(404, 'PUT', '/secrets/x?namespace=none', { value: 'v' });
    await api.json(400, 'GET', '/projects?namespace=NO');
    await api.json(400, 'GET', '/projects?namespace=docs&namespace=shop');
  });

  test('a hook stands beside its project', async () => {
    await project('shop', 'till');
    expect(await api.json(201, 'POST', '/hooks', { url: 'https://example.org', project: 'till' })).toMatchObject({ namespace: 'shop', project: 'till' });
    await project('docs', 'till');
    await api.json(409, 'POST', '/hooks', { url: 'https://example.org', project: 'till' });
    expect(await api.json(201, 'POST', '/hooks', { url: 'https://example.org', project: 'till', namespace: 'docs' })).toMatchObject({ namespace: 'docs' });
  });
});

test('with one namespace a name is looked up once, and no other namespace is known', async () => {
  const alone = openTestApi();
  try {
    await alone.json(200, 'GET', '/projects?namespace=default');
    expect((await alone.json<{ detail: string }>(404, 'GET', '/projects?namespace=docs')).detail).toContain('they stand in default');
    await alone.json(404, 'POST', '/hooks', { url: 'https://example.org', namespace: 'docs' });
    await alone.json(201, 'POST', '/hooks', { url: 'https://example.org', namespace: 'default' });
    await alone.store.objects.create<'Project'>({ kind: 'Project', metadata: { namespace: 'docs', name: 'site' }, spec: { source: { url } } });
    expect((await alone.json<Listed>(200, 'GET', '/projects')).items).toEqual([]);
  } finally {
    await alone.close();
  }
});
