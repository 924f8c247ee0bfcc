import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { laneName } from '../../shared/decisions/names.ts';
import type { EventData } from '../../shared/events/types.ts';
import { eventOf, minute, pushEvent, sha } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const [A, B] = [sha('a'), sha('b')];
let world: World;
beforeEach(async () => {
  world = openWorld();
  await world.project();
});
afterEach(() => world.close());

type Data = EventData<'dev.tidemill.execution.requested.v1'>;
const requested = (of: Partial<Data> = {}, id?: string) =>
  eventOf('dev.tidemill.execution.requested.v1', { namespace: 'default', project: 'site', trigger: 'user', ...of }, id);
const newest = async () => (await world.all('Execution')).toSorted((a, b) => b.spec.number - a.spec.number)[0]!;

describe('execution-requested', () => {
  it.each([
    [{}, 'refs/heads/main', 'site.branch.main'],
    [{ ref: 'refs/heads/next' }, 'refs/heads/next', 'site.branch.next'],
    [{ ref: 'refs/tags/v1' }, 'refs/tags/v1', 'site.tags'],
    [{ ref: A }, A, 'site.commits'],
  ] as const)('opens an execution of %j in its lane', async (of, ref, lane) => {
    const { settled, emitted } = await world.run('execution-requested', requested({ ...of, by: 'ada' }));
    expect(settled).toEqual({ kind: 'done' });
    const execution = await newest();
    expect(execution.spec).toMatchObject({ project: 'site', ref, lane, number: 1, trigger: 'user', by: 'ada' });
    expect(execution.status).toBeUndefined();
    expect((await world.get('Artifact', execution.spec.source)).spec).toMatchObject({ type: 'git', ref });
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.artifact.requested.v1', data: { execution: execution.metadata.name, artifact: execution.spec.source } },
    ]);
  });

  it("takes the project's own branch before the repository's", async () => {
    await world.project('docs', { source: { url: '/r', branch: 'live' } });
    await world.run('execution-requested', requested({ project: 'docs' }));
    expect((await newest()).spec.ref).toBe('refs/heads/live');
  });

  it('opens one for each request, and none for a request that comes again', async () => {
    for (const id of ['r1', 'r1', 'r2', 'r1']) await world.run('execution-requested', requested({}, id));
    expect((await world.all('Execution')).map((execution) => execution.spec.number).toSorted()).toEqual([1, 2]);
    expect(world.types()).toEqual(['artifact.requested', 'artifact.requested']);
  });

  it('keeps its number through a kill before its outcome was written', async () => {
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(world.run('execution-requested', requested())).rejects.toThrow('killed');
    await world.run('execution-requested', requested());
    expect((await newest()).spec.number).toBe(1);
    expect((await world.get('Lane', 'site.branch.main')).status).toMatchObject({ last: 1, waiting: [], running: [{ number: 1 }] });
  });

  it('refuses for good what cannot be', async () => {
    expect((await world.run('execution-requested', requested({ project: 'gone' }))).settled).toEqual({
      kind: 'dead',
      reason: 'There is no project gone; it was removed, or never added',
    });
    expect((await world.run('execution-requested', requested({ rerunOf: 'gone-1' }))).settled).toEqual({
      kind: 'dead',
      reason: 'There is no execution gone-1 to run again',
    });
    const waiting = Array.from({ length: 1000 }, (_, n) => ({ execution: `old-${n}`, number: n + 2 }));
    await world.objects.create<'Lane'>({
      kind: 'Lane',
      metadata: { name: laneName('site', 'refs/heads/main'), namespace: 'default' },
      spec: { project: 'site', ref: 'refs/heads/main' },
      status: { mode: 'queue', slots: 1, last: 1001, running: [{ execution: 'old', number: 1 }], waiting, recent: [] },
    });
    expect((await world.run('execution-requested', requested())).settled).toMatchObject({
      kind: 'dead',
      reason: expect.stringMatching(/1000 executions wait/),
    });
  });

  it('has older executions cancelled in a lane that supersedes', async () => {
    await world.project('docs', { lane: { mode: 'supersede' } });
    await world.run('execution-requested', requested({ project: 'docs' }, 'r1'));
    const first = await newest();
    const { emitted } = await world.run('execution-requested', requested({ project: 'docs' }, 'r2'));
    expect(emitted[1]).toMatchObject({ type: 'dev.tidemill.execution.cancel-requested.v1', data: { execution: first.metadata.name } });
  });
});

describe('a rerun', () => {
  const pushed = async () => {
    await world.run('git-push', pushEvent({ after: A, pushedAt: minute(0) }));
    return newest();
  };

  it('is of the same commit, with a number of its own', async () => {
    const first = await pushed();
    await world.run('execution-requested', requested({ rerunOf: first.metadata.name }));
    const second = await newest();
    expect(second.spec).toMatchObject({ number: 2, ref: 'refs/heads/main', sha: A, rerunOf: first.metadata.name });
    expect(second.spec).not.toHaveProperty('outdated');
    expect((await world.get('Artifact', second.spec.source)).spec).toMatchObject({ ref: A });
  });

  it('of a commit that the branch has left is not released by itself', async () => {
    const first = await pushed();
    await world.run('git-push', pushEvent({ before: A, after: B, pushedAt: minute(1) }));
    await world.run('execution-requested', requested({ rerunOf: first.metadata.name }));
    expect((await newest()).spec).toMatchObject({ number: 3, sha: A, outdated: expect.stringContaining('an earlier commit') });
  });
});
