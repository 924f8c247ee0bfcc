import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { SpecOf } from '../../shared/objects/kinds.ts';
import { Forbidden } from '../../shared/ports/objects.ts';
import { InvalidTaskRun, NotPrepared } from '../../shared/ports/runner.ts';
import { minute, NONE, pushEvent, sha, tagEvent, taskRunEnded } from '../../test/fakes/events.ts';
import type { Ending } from '../../test/fakes/runner.ts';
import { leaveSite, readKey } from '../../test/fakes/site.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const [A, B] = [sha('a'), sha('b')];
const taskSpec = { steps: [{ image: 'busybox', script: 'true' }] };
const STAGES: SpecOf<'Project'>['stages'] = [
  {
    name: 'check',
    steps: [
      { name: 'lint', taskSpec },
      { name: 'unit', taskSpec },
    ],
  },
  { name: 'build', steps: [{ name: 'site', taskSpec }] },
];
let world: World;
beforeEach(() => {
  world = openWorld();
  world.git.commit({ sha: A, commitTime: '2026-11-03T09:00:00Z' });
  world.git.commit({ sha: B, commitTime: '2026-11-03T09:30:00Z' });
});
afterEach(() => world.close());

/** An execution whose first stage runs. */
async function started(event: TidemillEvent = pushEvent({ after: A }), spec: Partial<SpecOf<'Project'>> = { stages: STAGES }): Promise<string> {
  if ((await world.all('Project')).length === 0) await world.project('site', spec);
  world.publish([event]);
  await world.drain({ except: ['taskrun-finished', 'release-requested', 'hook-dispatch'] });
  const { ref, after } = event.data as { ref: string; after: string };
  return (await world.all('Execution')).findLast((execution) => execution.spec.ref === ref && execution.spec.sha === after)!.metadata.name;
}
const end = async (taskRun: string, ending?: Ending, attempt?: number) =>
  world.run('taskrun-finished', taskRunEnded(await world.runner.finish(taskRun, ending)), attempt);
const status = async (name: string) => (await world.get('Execution', name)).status!;

describe('a TaskRun that ended', () => {
  it('is waited for by the others of its stage, and then the next stage starts', async () => {
    const name = await started();
    expect((await end(`${name}-check-unit`, { at: minute(7) })).emitted).toEqual([]);
    expect((await status(name)).stages![0]).toMatchObject({ phase: 'Running', steps: [{ phase: 'Running' }, { phase: 'Succeeded', ended: minute(7) }] });
    expect((await end(`${name}-check-lint`)).emitted).toEqual([]);
    expect(await status(name)).toMatchObject({
      phase: 'Running',
      stages: [{ phase: 'Succeeded' }, { phase: 'Running', steps: [{ taskRun: `${name}-build-site` }] }],
    });
    expect(await world.runner.running()).toEqual([`${name}-build-site`]);
  });

  it('last of all ends the execution', async () => {
    const name = await started();
    for (const step of ['check-lint', 'check-unit']) await end(`${name}-${step}`);
    const { emitted } = await end(`${name}-build-site`);
    expect(await status(name)).toMatchObject({ phase: 'Succeeded', ended: expect.any(String) });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.execution.finished.v1', data: { outcome: 'Succeeded', execution: name, number: 1 } }]);
  });

  it.each([
    ['failed', { reason: 'Failed', message: '"step-lint" exited with code 2' }, 'Failed', 'Step check/lint failed: "step-lint" exited with code 2'],
    ['timed out', { reason: 'TaskRunTimeout', message: 'it took longer than 1h' }, 'Failed', 'Step check/lint failed: it took longer than 1h'],
    ['cancelled', { reason: 'TaskRunCancelled', message: 'by a person' }, 'Cancelled', 'Step check/lint was cancelled: by a person'],
    ['failed with very much to say', { reason: 'Failed', message: 'x'.repeat(9000) }, 'Failed', /^Step check\/lint failed: x{4072}$/],
  ])('badly (%s) closes the execution after its stage', async (_, ending, phase, message) => {
    const name = await started();
    await end(`${name}-check-lint`, ending);
    expect((await status(name)).phase).toBe('Running');
    const { emitted } = await end(`${name}-check-unit`);
    expect(await status(name)).toMatchObject({ phase, message: expect.stringMatching(message), stages: [{ phase }, { phase: 'Skipped' }] });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.execution.finished.v1', data: { outcome: phase } }]);
  });

  it('told again, at any time, changes nothing and tells nothing', async () => {
    const name = await started();
    const told: TidemillEvent[] = [];
    for (const step of ['check-lint', 'check-unit', 'build-site']) {
      told.push(taskRunEnded(await world.runner.finish(`${name}-${step}`)));
      for (const event of told) await world.run('taskrun-finished', event);
      const before = await world.picture();
      for (const event of told.toReversed()) expect((await world.run('taskrun-finished', event)).emitted).toEqual([]);
      expect(await world.picture()).toEqual(before);
    }
    expect(world.runner.calls.filter((call) => call.startsWith('start'))).toHaveLength(3);
  });

  it('in a namespace of somebody else, of which we may see nothing, is left alone', async () => {
    const name = await started();
    const end = taskRunEnded(await world.runner.finish(`${name}-check-unit`));
    const before = await world.picture();
    const { get } = world.objects;
    world.objects.get = () => Promise.reject(new Forbidden('executions is forbidden'));
    const { settled, emitted } = await world.run('taskrun-finished', end);
    world.objects.get = get;
    expect([settled, emitted]).toEqual([{ kind: 'done' }, []]);
    expect(await world.picture()).toEqual(before);
  });

  it('goes on after a kill between the start of a stage and its record', async () => {
    const name = await started();
    await end(`${name}-check-lint`);
    const last = taskRunEnded(await world.runner.finish(`${name}-check-unit`));
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(world.run('taskrun-finished', last)).rejects.toThrow('killed');
    // What was started ends before its start is recorded: too early, and it must not be lost.
    const early = taskRunEnded(await world.runner.finish(`${name}-build-site`));
    expect((await world.run('taskrun-finished', early)).settled).toMatchObject({ kind: 'retry', reason: expect.stringContaining('is not recorded yet') });
    await world.run('taskrun-finished', last);
    await world.run('taskrun-finished', early, 2);
    expect((await status(name)).phase).toBe('Succeeded');
  });

  it('before the first stage is recorded waits too, and starts nothing by itself', async () => {
    await world.project('site', { stages: STAGES });
    world.hooks.beforeCommit = () => {
      if (world.runner.calls.length > 0) throw new Error('killed');
    };
    world.publish([pushEvent({ after: A })]);
    await world.drain({ except: ['taskrun-finished', 'hook-dispatch'] });
    const name = (await world.all('Execution'))[0]!.metadata.name;
    expect((await status(name)).phase).toBe('Queued');
    const { settled } = await end(`${name}-check-lint`);
    expect(settled).toMatchObject({ kind: 'retry', after_ms: 100 });
    expect(await status(name)).toMatchObject({ phase: 'Queued', stages: [{ phase: 'Waiting' }, { phase: 'Waiting' }] });
  });

  it('before anything of its execution is written waits as well, where it is what it says it is', async () => {
    await world.project('site', { stages: STAGES });
    await world.run('git-push', pushEvent({ after: A }));
    await world.run('artifact-requested', world.events.at(-1)!);
    world.hooks.beforeCommit = () => {
      throw new Error('killed');
    };
    await expect(world.run('artifact-resolved', world.events.at(-1)!)).rejects.toThrow('killed');
    const name = (await world.all('Execution'))[0]!.metadata.name;
    const { settled } = await end(`${name}-check-lint`);
    expect(settled).toMatchObject({ kind: 'retry', after_ms: 100 });
    expect((await world.get('Execution', name)).status).toBeUndefined();
    world.hooks.beforeCommit = undefined;
    const stranger = { ...(await world.get('TaskRun', `${name}-check-lint`)) };
    const forged = taskRunEnded({ ...stranger, metadata: { ...stranger.metadata, uid: 'another' } });
    expect((await world.run('taskrun-finished', forged)).settled).toEqual({ kind: 'done' });
  });

  it('ends the next stage when the execution was cancelled while that was being started', async () => {
    const name = await started();
    await end(`${name}-check-lint`);
    world.runner.onStart = async () => {
      world.runner.onStart = undefined;
      const execution = await world.get('Execution', name);
      await world.objects.updateStatus({ ...execution, status: { ...execution.status!, phase: 'Cancelled' } });
    };
    expect((await end(`${name}-check-unit`)).emitted).toEqual([]);
    expect(await world.runner.running()).toEqual([]);
    expect((await status(name)).phase).toBe('Cancelled');
  });

  it('fails the execution when the next stage cannot be run', async () => {
    const name = await started();
    await end(`${name}-check-lint`);
    world.runner.onStart = () => {
      throw new InvalidTaskRun('spec.taskSpec.volumes[0]: hostPath is not supported here');
    };
    const { emitted } = await end(`${name}-check-unit`);
    expect(emitted).toMatchObject([{ data: { outcome: 'Failed', reason: 'spec.taskSpec.volumes[0]: hostPath is not supported here' } }]);
  });

  it('is believed only as far as the TaskRun itself says so', async () => {
    const name = await started();
    const taskRun = await world.runner.finish(`${name}-check-lint`);
    const event = taskRunEnded(taskRun);
    const another = structuredClone(event);
    (another.data as { taskRun: { metadata: { uid: string } } }).taskRun.metadata.uid = 'another';
    expect((await world.run('taskrun-finished', another)).settled).toEqual({ kind: 'done' });
    expect((await status(name)).stages![0]!.steps[0]!.phase).toBe('Running');
    const unit = await world.get('TaskRun', `${name}-check-unit`);
    await world.run('taskrun-finished', { ...event, data: { taskRun: unit } } as unknown as TidemillEvent);
    expect((await status(name)).stages![0]!.steps[1]!.phase).toBe('Running');
    await world.objects.create({ kind: 'TaskRun', metadata: { name: 'stranger', namespace: 'default', labels: taskRun.metadata.labels! }, spec: taskRun.spec });
    expect((await end('stranger')).emitted).toEqual([]);
    await world.objects.create({ kind: 'TaskRun', metadata: { name: 'nobodys', namespace: 'default' }, spec: taskRun.spec });
    expect((await end('nobodys')).settled).toEqual({ kind: 'done' });
    expect((await status(name)).stages![0]!.phase).toBe('Running');
  });
});

describe('a TaskRun where we have no rights', () => {
  const closed = () => {
    world.runner.get = async () => {
      throw new NotPrepared('prepare it');
    };
  };

  it('of nobody, and one whose end another installation recorded, are let be', async () => {
    const name = await started();
    const lint = taskRunEnded(await world.runner.finish(`${name}-check-lint`));
    await world.run('taskrun-finished', lint);
    closed();
    expect((await world.run('taskrun-finished', lint)).settled).toEqual({ kind: 'done' });
    const stranger = structuredClone(lint);
    (stranger.data as { taskRun: { metadata: { labels?: unknown } } }).taskRun.metadata.labels = { 'tidemill.dev/execution': 'nobodys' };
    expect((await world.run('taskrun-finished', stranger)).settled).toEqual({ kind: 'done' });
  });

  it('is waited for: whoever has them may record its end', async () => {
    const name = await started();
    const lint = taskRunEnded(await world.runner.finish(`${name}-check-lint`));
    closed();
    await expect(world.run('taskrun-finished', lint)).rejects.toThrow('prepare it');
    expect((await status(name)).stages![0]!.steps[0]!.phase).toBe('Running');
  });
});

describe('a TaskRun that left a site', () => {
  const VERSION = '1.0.0-20261103090000-aaaaaaa';
  const oneStage = { stages: [STAGES[1]!] };
  const build = async (event: TidemillEvent, files: Record<string, string>, packageVersion?: string) => {
    const name = await started(event, oneStage);
    const told = await end(`${name}-build-site`, { results: await leaveSite(world.storage, files, packageVersion) });
    return { name, ...told };
  };
  const site = async (name: string) => world.get('Artifact', `${name}-build-site.site`);

  it('has it published under its version, described as an artifact, and told', async () => {
    const { name, emitted } = await build(pushEvent({ after: A }), { 'index.html': 'hello', 'a/b.css': 'b' });
    expect(await readKey(world.storage, `site/${VERSION}/a/b.css`)).toBe('b');
    expect(await world.storage.stat(`site/archive/${VERSION}.tar.gz`)).toBeDefined();
    const artifact = await site(name);
    expect(artifact).toMatchObject({
      spec: { type: 'site', files: 2, size: 6, source: (await world.get('Execution', name)).spec.source },
      status: { phase: 'Resolved', version: VERSION },
    });
    expect(await status(name)).toMatchObject({
      phase: 'Succeeded',
      artifact: artifact.metadata.name,
      stages: [{ steps: [{ artifact: artifact.metadata.name }] }],
    });
    expect(emitted.map((event) => event.type)).toEqual(['dev.tidemill.execution.finished.v1', 'dev.tidemill.artifact.resolved.v1']);
    expect(emitted[1]!.data).toMatchObject({ artifact: artifact.metadata.name, type: 'site', digest: artifact.status!.digest });
    expect((await world.get('Project', 'site')).status!.latest).toMatchObject({ version: VERSION, artifact: artifact.metadata.name });
  });

  it('is a version of its own for each commit without a bump, and ".2" for other content of the same', async () => {
    await build(pushEvent({ after: A, pushedAt: minute(0), branch: 'x' }), { 'index.html': 'one' });
    await build(pushEvent({ after: A, pushedAt: minute(1), branch: 'y' }), { 'index.html': 'two' });
    await build(pushEvent({ after: A, pushedAt: minute(2), branch: 'z' }), { 'index.html': 'one' });
    await build(pushEvent({ after: B, pushedAt: minute(3), branch: 'v' }), { 'index.html': 'one' });
    const sites = (await world.all('Artifact')).filter((artifact) => artifact.spec.type === 'site');
    expect(sites.map((artifact) => artifact.status!.version).toSorted()).toEqual([VERSION, VERSION, `${VERSION}.2`, '1.0.0-20261103093000-bbbbbbb']);
    expect(await readKey(world.storage, `site/${VERSION}.2/index.html`)).toBe('two');
  });

  it('of a tag has its name, and is refused when the tag stands for other content already', async () => {
    await build(tagEvent('v1', { after: A, pushedAt: minute(0) }), { 'index.html': 'one' });
    const { name, emitted } = await build(tagEvent('v1', { before: A, after: B, pushedAt: minute(1) }), { 'index.html': 'two' });
    expect(await readKey(world.storage, 'site/v1/index.html')).toBe('one');
    expect(emitted).toMatchObject([
      { data: { outcome: 'Failed', reason: expect.stringMatching(/Version v1 is stored already with other content: .* push a new tag/) } },
    ]);
    expect((await status(name)).stages![0]!.steps[0]).toMatchObject({ phase: 'Failed' });
    expect((await world.get('Project', 'site')).status!.latest!.version).toBe('v1');
  });

  it('told again registers it once', async () => {
    const { name } = await build(pushEvent({ after: A }), { 'index.html': 'hello' });
    const before = await world.picture();
    expect((await world.run('taskrun-finished', taskRunEnded(await world.get('TaskRun', `${name}-build-site`)))).emitted).toEqual([]);
    expect(await world.picture()).toEqual(before);
  });

  it('goes on after a kill between the files and the record', async () => {
    const name = await started(pushEvent({ after: A }), oneStage);
    const event = taskRunEnded(await world.runner.finish(`${name}-build-site`, { results: await leaveSite(world.storage, { 'index.html': 'hello' }) }));
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(world.run('taskrun-finished', event)).rejects.toThrow('killed');
    expect(await readKey(world.storage, `site/${VERSION}/index.html`)).toBe('hello');
    await world.run('taskrun-finished', event);
    expect((await site(name)).status!.version).toBe(VERSION);
  });

  it('is "latest" only of the released branch or a tag, never of an older commit that ends later', async () => {
    const slow = await started(pushEvent({ before: NONE, after: A, pushedAt: minute(0) }), { ...oneStage, lane: { mode: 'parallel' } });
    await build(pushEvent({ before: A, after: B, pushedAt: minute(1) }), { 'index.html': 'new' });
    await end(`${slow}-build-site`, { results: await leaveSite(world.storage, { 'index.html': 'old' }) });
    await build(pushEvent({ branch: 'x', after: A, pushedAt: minute(2) }), { 'index.html': 'x' });
    expect((await world.get('Project', 'site')).status!.latest!.version).toBe('1.0.0-20261103093000-bbbbbbb');
  });

  it('of a project that was removed meanwhile ends all the same', async () => {
    const name = await started(pushEvent({ after: A }), oneStage);
    await world.objects.delete('Project', { namespace: 'default', name: 'site' });
    await end(`${name}-build-site`, { results: await leaveSite(world.storage, { 'index.html': 'hello' }) });
    expect((await status(name)).phase).toBe('Succeeded');
  });

  it('that is not in the storage is waited for, and fails the step at the last attempt', async () => {
    const name = await started(pushEvent({ after: A }), oneStage);
    const none = `sha256:${'0'.repeat(64)}`;
    const event = taskRunEnded(await world.runner.finish(`${name}-build-site`, { results: { manifest: none, archive: none, files: '-5', size: 'many' } }));
    await expect(world.run('taskrun-finished', event)).rejects.toThrow(/is not in the storage/);
    expect((await status(name)).phase).toBe('Running');
    await world.run('taskrun-finished', event, 10);
    expect(await status(name)).toMatchObject({
      phase: 'Failed',
      message: expect.stringMatching(/What it left could not be registered: .*is not in the storage/),
    });
  });

  it.each([[{ manifest: 'sha256:short', archive: 'none' }], [{ manifest: `sha256:${'a'.repeat(64)}` }], [{}]])(
    'whose results are no site (%j) leaves none',
    async (results) => {
      const name = await started(pushEvent({ after: A }), oneStage);
      await end(`${name}-build-site`, { results });
      expect(await status(name)).toMatchObject({ phase: 'Succeeded' });
      expect(await status(name)).not.toHaveProperty('artifact');
    },
  );

  it.each(['..', '.', '../../etc', 'a/b', '<script>', ''])('of a package whose version is %j stays in its place', async (packageVersion) => {
    await build(pushEvent({ after: A }), { 'index.html': 'hello' }, packageVersion);
    const { keys } = await world.storage.list('');
    expect(keys.filter((key) => key.endsWith('/index.html'))).toEqual([expect.stringMatching(/^site\/[A-Za-z0-9._+-]+-20261103090000-aaaaaaa\/index\.html$/)]);
  });
});
