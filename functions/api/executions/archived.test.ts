import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitName, executionName } from '../../../shared/decisions/names.ts';
import { createArchive } from '../../../shared/host/archive.ts';
import type { NewObj, Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';
import { sha } from '../../../test/fakes/events.ts';
import type { ProblemBody } from '../http/problem.ts';

let api: TestApi;
beforeEach(() => {
  api = openTestApi();
});
afterEach(() => api.close());

const nameOf = (n: number, project = 'site') => executionName(project, `run-${n}`);

function execution(n: number, project = 'site', branch = 'main'): NewObj<'Execution'> {
  const name = nameOf(n, project);
  const lane = `${project}.branch.${branch}`;
  const spec = { project, lane, number: n + 1, ref: `refs/heads/${branch}`, trigger: 'user' as const, source: `${name}-source` };
  const status = { phase: n % 2 === 0 ? ('Succeeded' as const) : ('Failed' as const), sha: sha('a'), ended: '2026-01-01T00:00:00Z' };
  const stages = [{ name: 'a', phase: 'Succeeded' as const, steps: [{ name: 'b', phase: 'Succeeded' as const, taskRun: `${name}-a-b` }] }];
  return {
    kind: 'Execution',
    metadata: { name, namespace: 'default', labels: { [LABEL.project]: project, [LABEL.lane]: lane } },
    spec,
    status: { ...status, stages },
  };
}

/** Archived as it would stand in the store, the older the lower its number. */
async function archive(n: number, ...more: [project?: string, branch?: string]): Promise<void> {
  const made = execution(n, ...more);
  const metadata = {
    ...made.metadata,
    uid: `u${n}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString(),
  };
  const whole = { ...made, apiVersion: 'tidemill.dev/v1alpha1', metadata };
  const spec = { type: 'git' as const, project: made.spec.project, execution: made.metadata.name, url: 'https://git.example.org/a', ref: 'main' };
  const source: Obj<'Artifact'> = {
    ...whole,
    kind: 'Artifact',
    metadata: { ...metadata, name: `${metadata.name}-source` },
    spec,
    status: { phase: 'Resolved' },
  };
  await createArchive({ storage: api.storage }).put({ execution: whole, artifacts: [source], taskRuns: [] });
}

type List = { items: { name: string }[]; continue?: string };
async function all(query: string): Promise<string[]> {
  const names: string[] = [];
  let next: string | undefined;
  do {
    const page: List = await api.json<List>(200, 'GET', `/executions?${query}${next === undefined ? '' : `&continue=${next}`}`);
    names.push(...page.items.map(({ name }) => name));
    next = page.continue;
  } while (next !== undefined);
  return names;
}

describe('archived executions', () => {
  it.each([1, 2, 3, 4, 5, 50])('come after those that are objects, with pages of %d', async (limit) => {
    for (let n = 0; n < 4; n++) await archive(n);
    for (let n = 4; n < 6; n++) {
      await api.store.objects.create(execution(n));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    expect(await all(`limit=${limit}`)).toEqual([5, 4, 3, 2, 1, 0].map((n) => nameOf(n)));
  });

  it('are chosen by project, branch and phase like the others', async () => {
    for (let n = 0; n < 6; n++) await archive(n, n < 3 ? 'site' : 'docs', n % 3 === 0 ? 'next' : 'main');
    expect(await all('project=site&limit=2')).toEqual([2, 1, 0].map((n) => nameOf(n)));
    expect(await all('project=docs&branch=main&limit=1')).toEqual([nameOf(5, 'docs'), nameOf(4, 'docs')]);
    expect(await all('phase=Succeeded&limit=2')).toEqual([nameOf(4, 'docs'), nameOf(2), nameOf(0)]);
    expect(await all('phase=Running')).toEqual([]);
  });

  it('that are still there as well are shown once', async () => {
    await archive(1);
    await api.store.objects.create(execution(1));
    expect(await all('limit=50')).toEqual([nameOf(1)]);
  });

  it('are found by name, with their source and their lines, and can be neither cancelled nor run again', async () => {
    await archive(1);
    const name = nameOf(1);
    expect(await api.json(200, 'GET', `/executions/${name}`)).toMatchObject({ name, phase: 'Failed', sha: sha('a') });
    expect(await api.json(200, 'GET', `/artifacts/${name}-source`)).toMatchObject({ execution: name, phase: 'Resolved' });
    api.runner.say(`${name}-a-b`, 'hello');
    api.runner.end(`${name}-a-b`);
    expect(await (await api.call('GET', `/executions/${name}/logs`)).text()).toContain('hello');
    expect(await api.json<ProblemBody>(409, 'POST', `/executions/${name}/rerun`, {})).toMatchObject({
      type: 'urn:tidemill:problem:archived',
      detail: expect.stringContaining(`tidemill trigger site ${sha('a')}`),
    });
    expect(await api.json<ProblemBody>(409, 'POST', `/executions/${name}/cancel`, {})).toMatchObject({ type: 'urn:tidemill:problem:ended' });
  });

  it('have their source listed and found, also where an earlier one at the same commit had it first', async () => {
    const source = commitName('site', { url: '/r' }, sha('a'));
    const spec = { type: 'git' as const, project: 'site', execution: nameOf(0), url: '/r', ref: sha('a') };
    const labels = { [LABEL.project]: 'site', [LABEL.execution]: nameOf(0) };
    const artifact = await api.store.objects.create({ kind: 'Artifact', metadata: { name: source, namespace: 'default', labels }, spec });
    const made = execution(1);
    const whole = await api.store.objects.create({ ...made, spec: { ...made.spec, source } });
    const listed = await api.json<List>(200, 'GET', `/artifacts?execution=${nameOf(1)}`);
    expect(listed.items).toMatchObject([{ name: source, execution: nameOf(0) }]);
    expect((await api.json<List>(200, 'GET', `/artifacts?execution=${nameOf(1)}&type=site`)).items).toEqual([]);
    await createArchive({ storage: api.storage }).put({ execution: whole as Obj<'Execution'>, artifacts: [artifact as Obj<'Artifact'>], taskRuns: [] });
    for (const { kind, metadata } of [artifact, whole]) await api.store.objects.delete(kind, metadata);
    expect(await api.json(200, 'GET', `/artifacts/${source}`)).toMatchObject({ name: source, execution: nameOf(0) });
  });

  it.each([nameOf(9), 'never', 'a-b-c.site', `${nameOf(9)}-source`])('there is none named %s', async (name) => {
    await archive(1);
    await api.json(404, 'GET', `/executions/${name}`);
    await api.json(404, 'GET', `/artifacts/${name}`);
  });
});
