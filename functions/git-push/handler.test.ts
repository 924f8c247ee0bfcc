import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitName, executionName, laneName, releaseName } from '../../shared/decisions/names.ts';
import { Conflict } from '../../shared/ports/objects.ts';
import { deletedEvent, eventOf, minute, NONE, pushEvent, REPOSITORY, sha, tagEvent } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const [A, B, C] = [sha('a'), sha('b'), sha('c')];
let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world.close());

const tell = async (...events: ReturnType<typeof pushEvent | typeof tagEvent | typeof deletedEvent>[]) => {
  for (const event of events) expect((await world.run('git-push', event)).settled).toEqual({ kind: 'done' });
};
const pushes = () => world.all('Push');
const onlyPush = async () => {
  const all = await pushes();
  expect(all).toHaveLength(1);
  return all[0]!;
};
const lane = async (project = 'site', ref = 'refs/heads/main') => (await world.get('Lane', laneName(project, ref))).status!;
const byNumber = async () => (await world.all('Execution')).toSorted((a, b) => a.spec.number - b.spec.number);

describe('a push', () => {
  it('becomes an execution, its source and its place in the lane', async () => {
    await world.project();
    const event = pushEvent({ after: A, pushedAt: minute(0), by: 'ada' });
    const { emitted } = await world.run('git-push', event);
    const push = await onlyPush();
    const name = executionName('site', push.metadata.name);
    expect(push.spec).toMatchObject({ kind: 'branch', repository: REPOSITORY, ref: 'refs/heads/main', before: NONE, after: A, by: 'ada' });
    expect(push.status).toMatchObject({
      pushedAt: minute(0),
      told: [{ event: event.id, teller: 'webhook' }],
      results: [{ namespace: 'default', project: 'site', execution: name }],
    });
    expect((await world.get('Execution', name)).spec).toMatchObject({
      number: 1,
      ref: 'refs/heads/main',
      sha: A,
      trigger: 'webhook',
      by: 'ada',
      push: push.metadata.name,
    });
    expect(await world.get('Execution', name)).toMatchObject({ spec: { sha: A } });
    const { source } = (await world.get('Execution', name)).spec;
    expect(source).toBe(commitName('site', { url: REPOSITORY }, A));
    expect((await world.get('Artifact', source)).spec).toEqual({ type: 'git', project: 'site', execution: name, url: REPOSITORY, ref: A });
    expect(await lane()).toMatchObject({ last: 1, running: [{ execution: name, number: 1 }], head: A, headPushedAt: minute(0) });
    expect(emitted).toMatchObject([
      {
        type: 'dev.tidemill.artifact.requested.v1',
        subject: name,
        source: '/functions/git-push',
        chainid: event.chainid,
        data: { namespace: 'default', project: 'site', execution: name, artifact: source },
      },
    ]);
  });

  it('of a commit that is known starts at once, and makes no second source of it', async () => {
    world.git.commit({ sha: A });
    await world.project('site');
    world.publish([pushEvent({ after: A })]);
    await world.drain();
    const { emitted } = await world.run('git-push', tagEvent('v1', { after: A }));
    const [first, second] = (await world.all('Execution')).toSorted((a, b) => (a.spec.ref < b.spec.ref ? -1 : 1));
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.artifact.resolved.v1', data: { execution: second!.metadata.name, artifact: first!.spec.source, type: 'git', digest: `sha1:${A}` } },
    ]);
    expect(second!.spec.source).toBe(first!.spec.source);
    expect(await world.all('Artifact')).toHaveLength(1);
    await world.drain();
    expect((await world.get('Execution', second!.metadata.name)).status).toMatchObject({ phase: 'Running', sha: A });
    expect(world.git.calls.filter((call) => call.startsWith('resolve'))).toEqual([`resolve ${A}`]);
  });

  it.each(['Unresolved', 'Failed', 'Invalid'] as const)('of a commit whose source is %s has one of its own', async (phase) => {
    await world.project('site');
    await tell(pushEvent({ after: A }));
    const [first] = await world.all('Artifact');
    await world.objects.updateStatus({ ...first!, status: { phase, ...(phase !== 'Unresolved' && { reason: 'refused' }) } });
    const { emitted } = await world.run('git-push', tagEvent('v1', { after: A }));
    const { execution } = emitted[0]!.data as { execution: string };
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.artifact.requested.v1', data: { artifact: `${execution}-source` } }]);
    expect((await world.get('Artifact', `${execution}-source`)).spec).toMatchObject({ execution, ref: A });
  });

  it('of a commit whose source has a name that somebody took has one of its own', async () => {
    await world.project('site');
    const name = commitName('site', { url: REPOSITORY }, A);
    const spec = { type: 'git' as const, project: 'site', url: 'https://git.example.org/acme/other', ref: A };
    const artifact = await world.objects.create<'Artifact'>({ kind: 'Artifact', metadata: { name, namespace: 'default' }, spec });
    await world.objects.updateStatus({ ...artifact, status: { phase: 'Resolved', digest: `sha1:${B}` } });
    await tell(pushEvent({ after: A }));
    const [execution] = await world.all('Execution');
    expect(execution!.spec.source).toBe(`${execution!.metadata.name}-source`);
  });

  it('that somebody else records at the same moment is theirs', async () => {
    await world.project('site');
    const told = pushEvent({ after: A, pushedAt: minute(0) });
    const polled = pushEvent({ after: A, id: 'p' });
    world.hooks.beforeCommit = async () => {
      world.hooks.beforeCommit = undefined;
      await tell(polled);
    };
    await tell(told);
    expect((await onlyPush()).status!.told.map(({ teller }) => teller).toSorted()).toEqual(['poll', 'webhook']);
    expect(await world.all('Execution')).toHaveLength(1);
  });

  it('opens an execution in each project of the repository, however that is spelled, and in no other', async () => {
    await world.project('site');
    await world.project('docs', { source: { url: 'git@git.example.org:acme/site' } });
    await world.project('other', { source: { url: 'https://git.example.org/acme/other' } });
    const { emitted } = await world.run('git-push', pushEvent());
    expect((await onlyPush()).status!.results.map(({ project }) => project).toSorted()).toEqual(['docs', 'site']);
    expect(emitted).toHaveLength(2);
    expect((await world.all('Execution')).map((execution) => execution.spec.project).toSorted()).toEqual(['docs', 'site']);
  });

  it('opens one in each of two namespaces that have a project of one name', async () => {
    const project = await world.project('site');
    await world.objects.create<'Project'>({ kind: 'Project', metadata: { ...project.metadata, namespace: 'other' }, spec: project.spec });
    const event = pushEvent();
    const { emitted } = await world.run('git-push', event);
    expect((await onlyPush()).status!.results.map(({ namespace }) => namespace)).toEqual(['default', 'other']);
    expect(emitted.map(({ data }) => (data as { namespace: string }).namespace)).toEqual(['default', 'other']);
    expect(new Set(emitted.map(({ id }) => id)).size).toBe(2);
    const [one, two] = await world.all('Execution');
    expect(one!.metadata.name).toBe(two!.metadata.name);
  });

  it('delivered again changes nothing and tells nothing new', async () => {
    await world.project();
    const event = pushEvent();
    await tell(event);
    const before = await world.picture();
    for (let n = 0; n < 3; n++) expect((await world.run('git-push', event)).emitted).toEqual([]);
    expect(await world.picture()).toEqual(before);
  });

  it('goes on where a kill after each of its writes left it', async () => {
    await world.project();
    const event = pushEvent();
    let kills = 0;
    world.hooks.beforeCommit = () => {
      if (kills++ < 3) throw new Error('killed');
    };
    for (let n = 0; n < 3; n++) await expect(world.run('git-push', event)).rejects.toThrow('killed');
    expect(await world.all('Execution')).toEqual([]);
    await tell(event);
    expect(await lane()).toMatchObject({ last: 1 });
    expect(await byNumber()).toMatchObject([{ spec: { number: 1 } }]);
    expect(world.types()).toEqual(['artifact.requested']);
  });

  it('is decided again when somebody wrote in between', async () => {
    await world.project();
    let conflicts = 0;
    world.hooks.beforeCommit = async () => {
      if (conflicts++ > 0) return;
      // Another teller is faster, and has told and answered it before this one writes.
      await world.run('git-push', pushEvent({ after: A, id: 'the-poll' }));
    };
    await tell(pushEvent({ after: A, pushedAt: minute(0), id: 'the-webhook' }));
    expect((await onlyPush()).status!.told.map((told) => told.event)).toEqual(['the-poll', 'the-webhook']);
    expect(await byNumber()).toHaveLength(1);
  });

  it('gives way to others after twenty conflicts, without counting that as an attempt', async () => {
    await world.project();
    world.hooks.beforeCommit = () => {
      throw new Conflict('Push', { namespace: 'default', name: 'x' });
    };
    expect((await world.run('git-push', pushEvent())).settled).toMatchObject({ kind: 'retry', waiting: true });
  });
});

describe('one push told by several', () => {
  const webhook = (id: string, pushedAt = minute(0)) => pushEvent({ before: NONE, after: A, pushedAt, id });
  const poll = (id: string) => pushEvent({ before: NONE, after: A, id });

  it.each([
    ['webhook, webhook', [webhook('w1'), webhook('w2')]],
    ['webhook, poll', [webhook('w1'), poll('p1')]],
    ['poll, webhook', [poll('p1'), webhook('w1')]],
    ['poll, poll', [poll('p1'), poll('p2')]],
    ['poll, webhook, poll, webhook', [poll('p1'), webhook('w1'), poll('p2'), webhook('w2')]],
  ])('%s: one push, one execution', async (_, events) => {
    await world.project();
    await tell(...events);
    expect((await onlyPush()).status!.told.map((told) => told.event)).toEqual(events.map((event) => event.id));
    expect(await byNumber()).toHaveLength(1);
    expect(world.types()).toEqual(['artifact.requested']);
  });

  it('at the same moment: one push, one execution', async () => {
    await world.project();
    await Promise.all([webhook('w1'), poll('p1'), webhook('w2'), poll('p2')].map((event) => world.run('git-push', event)));
    expect((await onlyPush()).status!.told).toHaveLength(4);
    expect(await byNumber()).toHaveLength(1);
  });

  it('of a tag, which no lane has as its head: one execution', async () => {
    await world.project();
    await tell(tagEvent('v1', { pushedAt: minute(0), id: 'w1' }), tagEvent('v1', { id: 'p1' }), tagEvent('v1', { id: 'p2' }));
    expect((await onlyPush()).status!.told).toHaveLength(3);
    expect(await byNumber()).toHaveLength(1);
  });

  it('that nobody builds: one push', async () => {
    await tell(webhook('w1'), poll('p1'));
    expect((await onlyPush()).status).toMatchObject({ told: [{ event: 'w1' }, { event: 'p1' }], skipped: expect.stringContaining('No project builds') });
  });

  it('with two times are two pushes', async () => {
    await world.project();
    await tell(webhook('w1', minute(0)), webhook('w2', minute(5)));
    expect(await pushes()).toHaveLength(2);
    expect(await byNumber()).toHaveLength(2);
  });

  it('again by a poll after the ref had moved away are two pushes', async () => {
    await world.project();
    await tell(
      pushEvent({ before: A, after: B, pushedAt: minute(0) }),
      pushEvent({ before: B, after: A, pushedAt: minute(1) }),
      pushEvent({ before: A, after: B, id: 'p1' }),
    );
    expect((await byNumber()).map((execution) => [execution.spec.sha, execution.spec.outdated])).toEqual([
      [B, undefined],
      [A, undefined],
      [B, undefined],
    ]);
    expect((await lane()).head).toBe(B);
    await tell(pushEvent({ before: A, after: B, id: 'p2' }));
    expect(await byNumber()).toHaveLength(3);
  });

  it('is known when a webhook was faster with a time that makes it another', async () => {
    await world.project();
    await tell(poll('p1'));
    await Promise.all([world.run('git-push', webhook('w1', minute(0))), world.run('git-push', webhook('w2', minute(5)))]);
    const all = await pushes();
    expect(all.map((push) => push.status!.pushedAt).toSorted()).toEqual([minute(0), minute(5)]);
    expect(all.flatMap((push) => push.status!.told.map((told) => told.event)).toSorted()).toEqual(['p1', 'w1', 'w2']);
  });
});

describe('pushes in any order', () => {
  it('leave the newest commit as the head, and mark the older ones that came later', async () => {
    await world.project();
    await tell(pushEvent({ before: B, after: C, pushedAt: minute(2) }), pushEvent({ before: A, after: B, pushedAt: minute(1) }));
    const [newer, older] = await byNumber();
    expect(newer!.spec.outdated).toBeUndefined();
    expect(older!.spec).toMatchObject({ sha: B, outdated: expect.stringContaining('moved on') });
    expect((await lane()).head).toBe(C);
  });

  it('mark them again when they are decided again', async () => {
    await world.project();
    await tell(pushEvent({ before: B, after: C, pushedAt: minute(2) }));
    let kills = 0;
    world.hooks.beforeCommit = () => {
      if (kills++ === 0) throw new Error('killed');
    };
    const older = pushEvent({ before: A, after: B, pushedAt: minute(1) });
    await expect(world.run('git-push', older)).rejects.toThrow('killed');
    await tell(older);
    expect((await byNumber())[1]!.spec).toMatchObject({ number: 2, outdated: expect.stringContaining('moved on') });
  });

  it('open the same executions, each once, whatever is told twice', async () => {
    const history = [
      pushEvent({ after: A, pushedAt: minute(0) }),
      pushEvent({ before: A, after: B, pushedAt: minute(1) }),
      pushEvent({ before: B, after: C, pushedAt: minute(2) }),
    ];
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...history, ...history], { minLength: 6, maxLength: 6 }), async (order) => {
        const own = openWorld();
        try {
          await own.project();
          for (const event of order) await own.run('git-push', event);
          const executions = await own.all('Execution');
          expect(executions.map((execution) => execution.spec.sha).toSorted()).toEqual([A, B, C]);
          expect(executions.map((execution) => execution.spec.number).toSorted()).toEqual([1, 2, 3]);
          expect((await own.get('Lane', laneName('site', 'refs/heads/main'))).status!.head).toBe(C);
        } finally {
          await own.close();
        }
      }),
      { numRuns: 15 },
    );
  });

  it('supersede: a newer push has the older executions cancelled, an outdated one has not', async () => {
    await world.project('site', { lane: { mode: 'supersede' } });
    await tell(pushEvent({ after: A, pushedAt: minute(0) }));
    const [first] = await byNumber();
    const { emitted } = await world.run('git-push', pushEvent({ before: B, after: C, pushedAt: minute(2) }));
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.artifact.requested.v1' },
      { type: 'dev.tidemill.execution.cancel-requested.v1', data: { execution: first!.metadata.name, reason: 'superseded by execution number 2' } },
    ]);
    const late = await world.run('git-push', pushEvent({ before: A, after: B, pushedAt: minute(1) }));
    expect(world.types(late.emitted)).toEqual(['artifact.requested']);
  });
});

describe('a push that builds nothing says why on the Push', () => {
  const why = async () => {
    const { status } = await onlyPush();
    return status!.skipped ?? status!.results[0]!.skipped;
  };

  it('no project', async () => {
    await tell(pushEvent());
    expect(await why()).toBe(`No project builds ${REPOSITORY}: add one with \`tidemill add\``);
  });

  it('a paused project', async () => {
    await world.project('site', { paused: true });
    await tell(pushEvent());
    expect(await why()).toMatch(/Project site is paused; resume it/);
  });

  it('a branch that the project does not build', async () => {
    await world.project('site', { branches: ['main', 'release/*'] });
    await tell(pushEvent({ branch: 'feature/x' }));
    expect(await why()).toBe('Branch feature/x matches none of the branches that project site builds: main, release/*');
    expect(await world.all('Lane')).toEqual([]);
  });

  it('a branch that matches none of very many patterns: a reason that can be stored', async () => {
    await world.project('site', { branches: Array.from({ length: 100 }, (_, n) => `${n}-${'x'.repeat(250)}`) });
    await tell(pushEvent());
    expect(await why()).toHaveLength(4096);
  });

  it('a ref that is neither branch nor tag', async () => {
    await world.project();
    await tell(eventOf('dev.tidemill.git.push.v1', { ...pushEvent().data, ref: 'refs/notes/commits' }));
    expect(await why()).toBe('refs/notes/commits is neither a branch nor a tag');
  });

  it('a lane that is full, while other projects build', async () => {
    await world.project('docs');
    await world.project('site');
    const ref = 'refs/heads/main';
    const waiting = Array.from({ length: 1000 }, (_, n) => ({ execution: `old-${n}`, number: n + 2 }));
    await world.objects.create<'Lane'>({
      kind: 'Lane',
      metadata: { name: laneName('site', ref), namespace: 'default' },
      spec: { project: 'site', ref },
      status: { mode: 'queue', slots: 1, last: 1001, running: [{ execution: 'old', number: 1 }], waiting, recent: [] },
    });
    await tell(pushEvent());
    const results = (await onlyPush()).status!.results;
    expect(results.find(({ project }) => project === 'site')).toMatchObject({
      skipped: expect.stringMatching(/1000 executions wait in this lane already; cancel some/),
    });
    expect(results.find(({ project }) => project === 'docs')).toHaveProperty('execution');
  });

  const pullRequest = (of: object) =>
    eventOf('dev.tidemill.pull-request.changed.v1', {
      repository: REPOSITORY,
      number: 7,
      action: 'opened',
      head: A,
      headRef: 'refs/heads/x',
      baseRef: 'refs/heads/main',
      fork: false,
      ...of,
    });
  it.each([
    ['from a fork', { fork: true }, /Pull request 7 comes from a fork: its code is built only by a runner that isolates/],
    ['closed', { action: 'closed' }, /Pull request 7 was closed; the preview of its branch goes/],
    ['of a branch here', {}, /its commits are built by the push to x/],
  ])('a pull request %s', async (_, of, reason) => {
    await world.project();
    await tell(pullRequest(of) as never);
    expect(await why()).toMatch(reason);
    expect((await onlyPush()).spec).toMatchObject({ kind: 'pull-request', pullRequest: 7, after: A });
    expect(await byNumber()).toEqual([]);
  });
});

describe('a tag', () => {
  it('is built in the lane of the tags, and is never outdated', async () => {
    await world.project();
    await tell(tagEvent('v2', { after: B, pushedAt: minute(2) }), tagEvent('v1', { after: A, pushedAt: minute(1) }));
    expect(await byNumber()).toMatchObject([
      { spec: { ref: 'refs/tags/v2', lane: 'site.tags', number: 1 } },
      { spec: { ref: 'refs/tags/v1', lane: 'site.tags', number: 2 } },
    ]);
    expect((await lane('site', 'refs/tags/v1')).head).toBeUndefined();
  });
});

describe('a branch that is deleted', () => {
  const preview = () =>
    world.objects.create<'Release'>({
      kind: 'Release',
      metadata: { name: releaseName('site', 'preview-x'), namespace: 'default' },
      spec: { project: 'site', environment: 'preview-x', host: releaseName('site', 'preview-x') },
      status: { history: [] },
    });
  const reason = async () => (await pushes()).find((push) => push.spec.kind === 'branch-deleted')!.status!.results[0]!.skipped;

  it('has its preview taken down', async () => {
    await world.project();
    await preview();
    const { emitted } = await world.run('git-push', deletedEvent('x', { pushedAt: minute(1) }));
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.release.requested.v1', data: { action: 'retire', environment: 'preview-x', project: 'site', trigger: 'webhook' } },
    ]);
    expect(await reason()).toMatch(/its preview is taken down/);
  });

  it('has what builds it cancelled, and the number told up to which nothing comes back', async () => {
    await world.project();
    await tell(pushEvent({ branch: 'x', after: A, pushedAt: minute(0) }));
    const [execution] = await byNumber();
    const { emitted } = await world.run('git-push', deletedEvent('x', { before: A, pushedAt: minute(1) }));
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.release.requested.v1', data: { action: 'retire', lane: laneName('site', 'refs/heads/x'), number: 1 } },
      { type: 'dev.tidemill.execution.cancel-requested.v1', data: { execution: execution!.metadata.name, reason: 'branch x was deleted' } },
    ]);
    expect((await lane('site', 'refs/heads/x')).head).toBe(NONE);
  });

  it('told by webhook and poll is one deletion', async () => {
    await world.project();
    await preview();
    await tell(deletedEvent('x', { pushedAt: minute(1), id: 'w1' }), deletedEvent('x', { id: 'p1' }));
    expect(await pushes()).toHaveLength(1);
    expect(world.types()).toEqual(['release.requested']);
  });

  it('and made again before that was told keeps its preview', async () => {
    await world.project();
    await preview();
    await tell(pushEvent({ branch: 'x', after: A, pushedAt: minute(0) }), pushEvent({ branch: 'x', before: NONE, after: B, pushedAt: minute(2) }));
    const { emitted } = await world.run('git-push', deletedEvent('x', { before: A, pushedAt: minute(1) }));
    expect(emitted).toEqual([]);
    expect(await reason()).toMatch(/made again before this was told/);
    expect((await lane('site', 'refs/heads/x')).head).toBe(B);
  });

  it.each([true, false])('is not brought back by a push of it that is told later (times: %s)', async (timed) => {
    await world.project();
    await tell(
      deletedEvent('x', { before: B, pushedAt: timed ? minute(2) : undefined }),
      pushEvent({ branch: 'x', before: A, after: B, pushedAt: timed ? minute(1) : undefined }),
    );
    expect((await byNumber())[0]!.spec.outdated).toMatch(/had been deleted before this push was told/);
  });

  it('is not brought back by the push that made it', async () => {
    await world.project();
    await tell(deletedEvent('x', { before: A, pushedAt: minute(2) }), pushEvent({ branch: 'x', after: A, pushedAt: minute(1) }));
    expect((await byNumber())[0]!.spec.outdated).toMatch(/had been deleted/);
  });

  it('and made again is built afresh', async () => {
    await world.project();
    await tell(
      pushEvent({ branch: 'x', after: A, pushedAt: minute(0) }),
      deletedEvent('x', { before: A, pushedAt: minute(1) }),
      pushEvent({ branch: 'x', after: A, pushedAt: minute(2) }),
    );
    expect((await byNumber())[1]!.spec).not.toHaveProperty('outdated');
  });

  it.each([
    ['which is in production', 'main', /what is in production stays/],
    ['without a preview', 'x', /it had no preview to take down/],
  ])('%s', async (_, branch, why) => {
    await world.project();
    expect((await world.run('git-push', deletedEvent(branch, { pushedAt: minute(1) }))).emitted).toEqual([]);
    expect(await reason()).toMatch(why);
  });
});
