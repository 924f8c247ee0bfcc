import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { Obj, SpecOf } from '../../shared/objects/kinds.ts';
import { GitError } from '../../shared/ports/git.ts';
import { InvalidTaskRun, NotPrepared } from '../../shared/ports/runner.ts';
import { deletedEvent, eventOf, minute, pushEvent, sha, tagEvent } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const [A, B, C] = [sha('a'), sha('b'), sha('c')];
const taskSpec = { steps: [{ image: 'busybox', script: 'true' }] };
const twoStages = [
  {
    name: 'check',
    steps: [
      { name: 'lint', taskSpec },
      { name: 'test', taskSpec },
    ],
  },
  { name: 'build', steps: [{ name: 'site', taskSpec, output: 'dist' }] },
];
let world: World;
beforeEach(() => {
  world = openWorld();
  for (const one of [A, B, C]) world.git.commit({ sha: one });
});
afterEach(() => world.close());

/** A pushed execution, with the event that tells that its source is resolved. */
async function resolved(push = pushEvent({ after: A })): Promise<{ name: string; event: TidemillEvent }> {
  await world.run('git-push', push);
  const requested = world.events.findLast((event) => event.type === 'dev.tidemill.artifact.requested.v1')!;
  await world.run('artifact-requested', requested);
  return { name: requested.subject!, event: world.events.findLast((event) => event.type === 'dev.tidemill.artifact.resolved.v1')! };
}
const run = (event: TidemillEvent, attempt?: number) => world.run('artifact-resolved', event, attempt);
const status = async (name: string) => (await world.get('Execution', name)).status!;

describe('a resolved commit', () => {
  it('starts the first stage, all its steps side by side, with the pipeline frozen', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    const { settled, emitted } = await run(event);
    expect(settled).toEqual({ kind: 'done' });
    expect(world.runner.calls).toEqual([`start ${name}-check-lint`, `start ${name}-check-test`]);
    expect(await status(name)).toMatchObject({
      phase: 'Running',
      sha: A,
      subject: 'A change',
      definedBy: 'The stages of the project',
      definition: [{ name: 'check' }, { name: 'build' }],
      stages: [
        { phase: 'Running', steps: [{ taskRun: `${name}-check-lint`, phase: 'Running' }, { phase: 'Running' }] },
        { phase: 'Waiting', steps: [{ phase: 'Waiting' }] },
      ],
    });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.execution.started.v1', data: { execution: name, number: 1, sha: A, ref: 'refs/heads/main' } }]);
    const taskRun = await world.get('TaskRun', `${name}-check-lint`);
    expect(taskRun.metadata.annotations).toMatchObject({ 'tidemill.dev/chainid': event.chainid });
  });

  it('starts it without its source, which another execution had too and which was archived with that meanwhile', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    await world.objects.delete('Artifact', { namespace: 'default', name: (await world.get('Execution', name)).spec.source });
    await run(event);
    expect(await status(name)).toMatchObject({ phase: 'Running', sha: A, subject: 'A change', commitTime: expect.any(String) });
  });

  it('starts it by an event of an earlier version, which does not say of the commit', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    const { commit: _commit, ...data } = event.data as { commit: object };
    await run({ ...event, data } as TidemillEvent);
    expect(await status(name)).toMatchObject({ phase: 'Running', sha: A, subject: 'A change', commitTime: expect.any(String) });
  });

  it('finds the pipeline in the repository where the project says none', async () => {
    await world.project();
    const { name, event } = await resolved();
    await run(event);
    expect((await status(name)).phase).toBe('Running');
    expect((await status(name)).definedBy).toMatch(/index\.html/);
  });

  it('waits in its lane while another runs: what is frozen stays', async () => {
    await world.project();
    const first = await resolved(pushEvent({ after: A }));
    await run(first.event);
    const second = await resolved(pushEvent({ before: A, after: B }));
    expect((await run(second.event)).emitted).toEqual([]);
    expect(await status(second.name)).toMatchObject({ phase: 'Queued', sha: B, definition: expect.any(Array) });
    expect(world.runner.calls).toHaveLength(1);
  });

  it('told again changes nothing and starts nothing', async () => {
    await world.project();
    const { event } = await resolved();
    await run(event);
    const before = await world.picture();
    expect((await run(event)).emitted).toEqual([]);
    expect(await world.picture()).toEqual(before);
    expect(world.runner.calls).toHaveLength(1);
  });

  it('goes on after a kill between the start and its record', async () => {
    await world.project();
    const { name, event } = await resolved();
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(run(event)).rejects.toThrow('killed');
    expect(await status(name)).toMatchObject({ phase: 'Queued' });
    expect(world.types((await run(event)).emitted)).toEqual(['execution.started']);
    expect(await world.all('TaskRun')).toHaveLength(1);
  });

  it('goes on after a kill between the start and its record, where nothing was written before', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(run(event)).rejects.toThrow('killed');
    expect((await world.get('Execution', name)).status).toBeUndefined();
    expect(world.types((await run(event, 2)).emitted)).toEqual(['execution.started']);
    expect(await status(name)).toMatchObject({ phase: 'Running', definition: [{ name: 'check' }, { name: 'build' }] });
    expect(await world.all('TaskRun')).toHaveLength(2);
  });

  it('ends what was started before a kill when the execution was cancelled meanwhile, though nothing of it was written', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(run(event)).rejects.toThrow('killed');
    const data = { namespace: 'default', project: 'site', execution: name, reason: 'enough' };
    await world.run('execution-cancel', eventOf('dev.tidemill.execution.cancel-requested.v1', data));
    expect(await world.runner.running()).toHaveLength(2);
    await run(event, 2);
    expect(await world.runner.running()).toEqual([]);
    expect(await status(name)).toMatchObject({ phase: 'Cancelled' });
  });

  it.each([undefined, twoStages])('ends what it started when the execution was cancelled in that moment (%j)', async (stages) => {
    await world.project('site', stages && { stages });
    const { name, event } = await resolved();
    world.runner.onStart = async () => {
      world.runner.onStart = undefined;
      const data = { namespace: 'default', project: 'site', execution: name, reason: 'enough' };
      await world.run('execution-cancel', eventOf('dev.tidemill.execution.cancel-requested.v1', data));
    };
    await run(event);
    expect(await status(name)).toMatchObject({ phase: 'Cancelled' });
    expect(await world.runner.running()).toEqual([]);
    expect(world.types()).not.toContain('execution.started');
  });

  it('starts nothing of an execution that was cancelled while its pipeline was read', async () => {
    await world.project();
    const { name, event } = await resolved();
    const { list } = world.git;
    world.git.list = async (...asked) => {
      world.git.list = list;
      await world.run(
        'execution-cancel',
        eventOf('dev.tidemill.execution.cancel-requested.v1', { namespace: 'default', project: 'site', execution: name, reason: 'enough' }),
      );
      return list(...asked);
    };
    expect(world.types((await run(event)).emitted)).toEqual(['execution.finished']);
    expect([(await status(name)).phase, world.runner.calls]).toEqual(['Cancelled', []]);
  });

  it('uses the definition of the execution that is run again, whatever the project says now', async () => {
    const project = await world.project('site', { stages: twoStages });
    const first = await resolved();
    await run(first.event);
    await world.objects.update({ ...project, spec: { ...project.spec, stages: [twoStages[1]!] } });
    await world.run(
      'execution-requested',
      eventOf('dev.tidemill.execution.requested.v1', { namespace: 'default', project: 'site', trigger: 'user', rerunOf: first.name }),
    );
    await world.drain({ except: ['git-push', 'taskrun-finished', 'hook-dispatch'] });
    const again = (await world.all('Execution')).find((execution) => execution.spec.rerunOf === first.name)!;
    expect(again.status).toMatchObject({ definition: [{ name: 'check' }, { name: 'build' }], definedBy: expect.stringContaining(first.name) });
  });
});

describe('what cannot be started fails with its reason', () => {
  const failure = async (name: string) => {
    const { phase, message } = await status(name);
    expect(phase).toBe('Failed');
    expect(world.events.at(-1)).toMatchObject({ type: 'dev.tidemill.execution.finished.v1', data: { outcome: 'Failed', reason: message } });
    return message;
  };

  it('a repository that says nothing of how it is built', async () => {
    await world.project();
    world.git.commit({ sha: A, files: { 'README.md': 'nothing here' } });
    const { name, event } = await resolved();
    await run(event);
    expect(await failure(name)).toMatch(/\w/);
    expect(world.runner.calls).toEqual([]);
  });

  it('a pipeline that does not exist', async () => {
    await world.project('site', { pipeline: 'gone' });
    const { name, event } = await resolved();
    await run(event);
    expect(await failure(name)).toMatch(/pipeline gone, which does not exist/);
  });

  it('a project that was removed', async () => {
    await world.project();
    const { name, event } = await resolved();
    await world.objects.delete('Project', { namespace: 'default', name: 'site' });
    await run(event);
    expect(await failure(name)).toBe('Project site was removed');
  });

  it('a step that the runner does not take: the others of its stage are ended', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    world.runner.onStart = (started) => {
      if (started.endsWith('-test')) throw new InvalidTaskRun(`spec.taskSpec.steps[0].securityContext is not supported ${'x'.repeat(5000)}`);
    };
    await run(event);
    expect(await failure(name)).toMatch(/^spec\.taskSpec\.steps\[0\]\.securityContext is not supported/);
    expect(await world.runner.running()).toEqual([]);
  });

  it('a namespace that is not prepared, unless somebody prepares it in time', async () => {
    await world.project('site', { stages: twoStages });
    const { name, event } = await resolved();
    world.runner.onStart = () => {
      throw new NotPrepared('prepare it');
    };
    world.runner.cancel = async () => {
      throw new NotPrepared('prepare it');
    };
    expect((await run(event, 1)).settled).toMatchObject({ kind: 'retry', after_ms: 200 });
    expect((await run(event, 6)).settled).toMatchObject({ kind: 'retry', after_ms: 6400 });
    expect(await status(name)).toMatchObject({ phase: 'Queued' });
    await run(event, 7);
    expect(await failure(name)).toBe('prepare it');
    expect((await run(event)).settled).toEqual({ kind: 'done' });
  });

  it('a repository that is refused while its files are read, at once; one that is away, at the last attempt', async () => {
    await world.project();
    const { name, event } = await resolved();
    world.git.failures.push(new GitError('unreachable', 'no answer'));
    await expect(run(event)).rejects.toThrow('no answer');
    expect(await status(name)).toBeUndefined();
    world.git.failures.push(new GitError('unreachable', 'no answer'));
    await run(event, 10);
    expect(await failure(name)).toBe('no answer');
  });

  it('is not started by anybody afterwards', async () => {
    await world.project('site', { pipeline: 'gone' });
    const { event } = await resolved();
    await run(event);
    const before = await world.picture(['Execution']);
    expect((await run(event)).emitted).toEqual([]);
    expect(await world.picture(['Execution'])).toEqual(before);
  });
});

describe('a resolved site', () => {
  const digest = `sha256:${'d'.repeat(64)}`;
  /** The event that tells of the site of the newest execution. */
  const site = async (push: TidemillEvent, spec: Partial<SpecOf<'Project'>> = {}) => {
    if ((await world.all('Project')).length === 0) await world.project('site', spec);
    await world.run('git-push', push);
    const execution = (await world.all('Execution')).toSorted((a, b) => b.spec.number - a.spec.number)[0]!;
    const data = { namespace: 'default', project: 'site', execution: execution.metadata.name, artifact: 'the-site', type: 'site' as const, digest };
    return { execution, event: eventOf('dev.tidemill.artifact.resolved.v1', data) };
  };

  it.each([
    ['main', 'production'],
    ['feature/x', /^preview-feature-x-/],
  ])('of the branch %s is asked to be released to %s', async (branch, environment) => {
    const { execution, event } = await site(pushEvent({ branch, after: A, pushedAt: minute(0) }));
    const { emitted } = await run(event);
    expect(emitted).toMatchObject([
      {
        type: 'dev.tidemill.release.requested.v1',
        data: {
          action: 'deploy',
          artifact: 'the-site',
          trigger: 'webhook',
          number: 1,
          lane: execution.spec.lane,
          environment: expect.stringMatching(environment),
        },
      },
    ]);
    expect(emitted[0]!.data).not.toHaveProperty('outdated');
    expect(await world.run('artifact-resolved', event)).toMatchObject({ emitted: [] });
  });

  it('carries that its commit was outdated', async () => {
    await site(pushEvent({ before: B, after: C, pushedAt: minute(2) }));
    const { event } = await site(pushEvent({ before: A, after: B, pushedAt: minute(1) }));
    expect((await run(event)).emitted[0]!.data).toMatchObject({ outdated: true, number: 2 });
  });

  it.each([
    ['of a tag', tagEvent('v1'), {}, /only branches are released by themselves/],
    ['of a project that does not release by itself', pushEvent(), { release: { auto: false } }, /release\.auto/],
    ['of a branch, where there are no previews', pushEvent({ branch: 'x' }), { release: { previews: false } }, /release\.previews/],
  ])('%s is not, and the execution says why', async (_, push, spec, why) => {
    const { execution, event } = await site(push as TidemillEvent, spec);
    expect((await run(event)).emitted).toEqual([]);
    expect((await status(execution.metadata.name)).message).toMatch(why);
  });

  it('is told as released by rule, not by the person who asked for the build', async () => {
    await world.project();
    await world.run(
      'execution-requested',
      eventOf('dev.tidemill.execution.requested.v1', { namespace: 'default', project: 'site', trigger: 'user', by: 'ada' }),
    );
    const execution: Obj<'Execution'> = (await world.all('Execution'))[0]!;
    const data = { namespace: 'default', project: 'site', execution: execution.metadata.name, artifact: 'the-site', type: 'site' as const, digest };
    expect((await run(eventOf('dev.tidemill.artifact.resolved.v1', data))).emitted[0]!.data).toMatchObject({ trigger: 'auto' });
  });

  it('of a project or an execution that is gone is nothing', async () => {
    const { event } = await site(pushEvent());
    await world.objects.delete('Project', { namespace: 'default', name: 'site' });
    expect(await run(event)).toEqual({ settled: { kind: 'done' }, emitted: [] });
  });
});

it('a deleted branch does not come back: its build is cancelled, and what was asked to be released is refused', async () => {
  await world.project();
  const { name, event } = await resolved(pushEvent({ branch: 'x', after: A, pushedAt: minute(0) }));
  await run(event);
  const data = { namespace: 'default', project: 'site', execution: name, artifact: 'the-site', type: 'site' as const, digest: `sha256:${'d'.repeat(64)}` };
  const late = eventOf('dev.tidemill.artifact.resolved.v1', data);
  await world.run('git-push', deletedEvent('x', { before: A, pushedAt: minute(1) }));
  await run(late);
  await world.drain();
  expect((await status(name)).phase).toBe('Cancelled');
  const [release] = await world.all('Release');
  expect(release!.status).toMatchObject({ history: [], retired: { number: 1 } });
  expect(release!.status!.current).toBeUndefined();
});
