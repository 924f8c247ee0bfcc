import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LABEL } from '../../../shared/objects/meta.ts';
import { startGitServer } from '../../../test/contracts/git-server.ts';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';
import { createRepository, frontEnd, type TestRepository } from '../../../test/support/repository.ts';
import type { ProblemBody } from '../http/problem.ts';
import type { ProjectView } from './project-view.ts';

let api: TestApi;
let repository: TestRepository;
beforeEach(() => {
  api = openTestApi();
  repository = createRepository(frontEnd('<h1>One</h1>'));
});
afterEach(async () => {
  await api.close();
  repository.remove();
});

const create = (name = 'shop', more: object = {}) => api.json<ProjectView>(201, 'POST', '/projects', { name, source: { url: repository.path }, ...more });

describe('POST /projects', () => {
  test('keeps the project with its default branch and its repository’s label, and says where it will be', async () => {
    const project = await create('shop', { site: { fallback: 'spa' } });
    expect(project).toMatchObject({
      name: 'shop',
      url: 'http://shop.localhost:8433/',
      status: { defaultBranch: 'main' },
      releases: [],
      site: { fallback: 'spa' },
    });
    const stored = await api.store.objects.get('Project', { namespace: 'default', name: 'shop' });
    expect(stored?.metadata.labels?.[LABEL.repository]).toMatch(/^[0-9a-z]{26}$/);
  });

  test('a name that is taken is 409, and changes nothing', async () => {
    await create();
    const problem = await api.json<ProblemBody>(409, 'POST', '/projects', { name: 'shop', source: { url: '/somewhere/else' } });
    expect(problem).toMatchObject({ type: 'urn:tidemill:problem:exists', status: 409 });
    expect((await api.json<ProjectView>(200, 'GET', '/projects/shop')).source.url).toBe(repository.path);
  });

  test.each([
    ['a repository that is not there', { url: '/nowhere/at/all' }, /.+/],
    ['a relative path', { url: 'code/site' }, /whole path/],
    ['a branch that is not there', { branch: 'nope' }, /^The repository has no branch "nope"; it has main\.$/],
    ['a credential that is not there', { credential: 'key' }, /no credential "key"/],
    ['a transport that runs commands', { url: 'ext::sh -c "touch /tmp/x"' }, /.+/],
  ])('%s is refused with the reason, and nothing is kept', async (_what, source, detail) => {
    const response = await api.call('POST', '/projects', { name: 'shop', source: { url: repository.path, ...source } });
    expect([404, 422]).toContain(response.status);
    expect(((await response.json()) as ProblemBody).detail).toMatch(detail);
    await api.json(404, 'GET', '/projects/shop');
  });

  test('names every field that is wrong', async () => {
    const problem = await api.json<ProblemBody>(422, 'POST', '/projects', {
      name: 'Shop!',
      source: { url: repository.path, brunch: 'x' },
      lane: { mode: 'fast' },
    });
    expect(problem.errors?.map((error) => error.path)).toEqual(['name', 'source', 'lane.mode']);
  });
});

describe('the first build', () => {
  test('of a repository that nobody watches is asked for at once; the others are the watch’s to tell', async () => {
    const server = await startGitServer({ root: dirname(repository.path) });
    try {
      const url = `${server.url}/${basename(repository.path)}/.git`;
      expect(await api.json(201, 'POST', '/projects', { name: 'remote', source: { url } })).toMatchObject({ firstBuild: true });
      expect(api.published).toMatchObject([
        { type: 'dev.tidemill.execution.requested.v1', data: { project: 'remote', ref: 'refs/heads/main', trigger: 'auto' } },
      ]);
      expect(await api.json(201, 'POST', '/projects', { name: 'polled', source: { url }, poll: '1m' })).toMatchObject({ firstBuild: true });
      expect(await create('local')).toMatchObject({ firstBuild: true });
      expect(await create('paused', { paused: true })).toMatchObject({ firstBuild: false });
      expect(api.published).toHaveLength(1);
    } finally {
      await server.close();
    }
  });

  test('there is none of a repository without a commit', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'tidemill-empty-'));
    try {
      execFileSync('git', ['init', '--quiet', '--bare', empty]);
      expect(await api.json(201, 'POST', '/projects', { name: 'empty', source: { url: empty } })).toMatchObject({ firstBuild: false });
      expect((await api.json<ProblemBody>(422, 'POST', '/projects/empty/executions')).detail).toContain('no commits yet');
    } finally {
      rmSync(empty, { recursive: true, force: true });
    }
  });
});

describe('PATCH and DELETE', () => {
  test('a merge patch changes what it names, and null takes away', async () => {
    await create('shop', { build: { build: 'make', output: 'out' } });
    const changed = await api.json<ProjectView>(200, 'PATCH', '/projects/shop', { build: { output: null, env: { A: '1' } }, paused: true });
    expect(changed.build).toEqual({ build: 'make', env: { A: '1' } });
    expect(changed.paused).toBe(true);
    await api.json(422, 'PATCH', '/projects/shop', { source: { url: null } });
    expect((await api.json<ProjectView>(200, 'PATCH', '/projects/shop', '{"__proto__":{"paused":false}}')).paused).toBe(true);
    await api.json(422, 'PATCH', '/projects/shop', { source: { branch: 'nope' } });
    await api.json(404, 'PATCH', '/projects/other', { paused: true });
  });

  test('deleting takes what belongs to it, ends what runs, and says what stays', async () => {
    await create();
    const { objects } = api.store;
    const labels = { [LABEL.project]: 'shop' };
    const at = (name: string) => ({ namespace: 'default', name, labels });
    await objects.create<'Release'>({
      kind: 'Release',
      metadata: at('shop'),
      spec: { project: 'shop', environment: 'production', host: 'shop' },
      status: { history: [] },
    });
    await objects.create<'TaskRun'>({ kind: 'TaskRun', metadata: at('shop-run'), spec: { taskSpec: { steps: [{ image: 'x' }] } } });
    const gone = await api.json<{ objects: Record<string, number>; kept: string }>(200, 'DELETE', '/projects/shop');
    expect(gone.objects).toMatchObject({ Release: 1, TaskRun: 1, Execution: 0 });
    expect(gone.kept).toContain('shop/archive/');
    expect(api.runner.cancelled).toEqual(['shop-run']);
    await api.json(404, 'GET', '/projects/shop');
    expect((await objects.list('Release', { labels })).items).toEqual([]);
  });
});

describe('GET /projects', () => {
  test('pages, newest first, and each page says where the next begins', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const first = await api.json<{ items: ProjectView[]; continue?: string }>(200, 'GET', '/projects?limit=2');
    expect(first.items.map((project) => project.name)).toEqual(['c', 'b']);
    const second = await api.json<{ items: ProjectView[]; continue?: string }>(200, 'GET', `/projects?limit=2&continue=${first.continue ?? 'missing'}`);
    expect(second).toEqual({ items: [expect.objectContaining({ name: 'a' })] });
    await api.json(400, 'GET', '/projects?limit=201');
    await api.json(400, 'GET', '/projects?limt=2');
    await api.json(400, 'GET', '/projects?limit=1&limit=2');
    await api.json(422, 'GET', '/projects?continue=made-up');
  });
});
