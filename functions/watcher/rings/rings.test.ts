import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import type { Obj, StatusOf } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { eventOf, REPOSITORY, sha } from '../../../test/fakes/events.ts';
import { openWatcherWorld, quiet, TIMES, until, type WatcherWorld } from '../../../test/support/watcher.ts';

let world: WatcherWorld;
beforeEach(() => (world = openWatcherWorld()));
afterEach(() => world.close());

const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const told = (name: string): TidemillEvent =>
  eventOf('dev.tidemill.execution.admitted.v1', { namespace: 'default', project: 'site', execution: name }, `lost-${name}`);

describe('outboxes', () => {
  const push = { kind: 'branch' as const, repository: REPOSITORY, ref: 'refs/heads/main', before: sha('a'), after: sha('b') };
  const withOutbox = (outbox: object[]) => ({ told: [], results: [], outbox }) as unknown as StatusOf<'Push'>;
  const left = async () => (await world.get('Push', 'push')).status!.outbox!.filter(({ events }) => events);

  it('what is left in one is told again with its ids, and struck', async () => {
    const entries = [
      { cause: 'one', at: ago(5000), events: [JSON.stringify(told('a')), JSON.stringify(told('b'))] },
      { cause: 'two', at: ago(4000) },
    ];
    await world.create('Push', 'push', push, {}, withOutbox(entries));
    world.start();
    await until(async () => (await left()).length === 0);
    expect(world.broker.told.map(({ id }) => id)).toEqual(['lost-a', 'lost-b']);
    expect((await world.get('Push', 'push')).status!.outbox!.map(({ cause }) => cause)).toEqual(['one', 'two']);
  });

  it('what was put there just now is left to who put it', async () => {
    world.start();
    await world.create('Push', 'push', push, {}, withOutbox([{ cause: 'one', at: ago(0), events: [JSON.stringify(told('a'))] }]));
    await quiet(80);
    expect(world.broker.told).toEqual([]);
    const { status, ...object } = await world.get('Push', 'push');
    await world.objects.updateStatus({ ...object, status: { ...status!, outbox: [{ cause: 'one', at: ago(0) }] } });
    await quiet(500);
    expect(world.broker.told).toEqual([]);
  });

  it('a broker that is away is asked again', async () => {
    world.broker.failing = true;
    await world.create('Push', 'push', push, {}, withOutbox([{ cause: 'one', at: ago(5000), events: [JSON.stringify(told('a'))] }]));
    world.start();
    await quiet(300);
    expect(await left()).toHaveLength(1);
    world.broker.failing = false;
    await until(async () => (await left()).length === 0);
    expect(world.broker.events).toHaveLength(1);
  });
});

describe('what does not move', () => {
  const spec = { project: 'site', lane: 'site.branch.main', number: 1, ref: 'refs/heads/main', trigger: 'user' as const, source: 'run-source' };
  const execution = (status: StatusOf<'Execution'>) => world.create('Execution', 'run', spec, { labels: { [LABEL.project]: 'site' } }, status);
  const source = (status: StatusOf<'Artifact'>) =>
    world.create(
      'Artifact',
      'run-source',
      { type: 'git', project: 'site', execution: 'run', url: REPOSITORY, ref: 'refs/heads/main' },
      { labels: { [LABEL.project]: 'site', [LABEL.execution]: 'run' } },
      status,
    );
  const lane = (running: string[], waiting: string[] = []) => {
    const entries = (names: string[]) => names.map((name, i) => ({ execution: name, number: i + 1 }));
    const status = { mode: 'queue' as const, slots: 1, last: 2, running: entries(running), waiting: entries(waiting), recent: [] };
    return world.create('Lane', 'site.branch.main', { project: 'site', ref: 'refs/heads/main' }, {}, status);
  };
  const project = () => world.create('Project', 'site', { source: { url: REPOSITORY } }, {}, { defaultBranch: 'main' });
  const taskRun = (name: string, status?: 'True' | 'False', labels: Record<string, string> = { [LABEL.execution]: 'run' }) =>
    world.create('TaskRun', name, { taskSpec: { steps: [{ script: 'true' }] } }, { labels }, status && ended(status));
  const ended = (status: 'True' | 'False') => ({ conditions: [{ type: 'Succeeded', status, reason: 'x' }], completionTime: ago(0) });
  const running = (name: string): StatusOf<'Execution'> => ({
    phase: 'Running',
    stages: [{ name: 'build', phase: 'Running', steps: [{ name: 'site', phase: 'Running', taskRun: name }] }],
  });

  it.each([
    ['resolved', { phase: 'Resolved', digest: `sha1:${sha('a')}` }, 'artifact.resolved'],
    ['invalid', { phase: 'Invalid', reason: 'no such branch' }, 'artifact.failed'],
  ] as const)('an execution whose source is %s is told so', async (_what, status, type) => {
    await source(status);
    await execution({ phase: 'Pending' });
    world.start();
    await until(() => world.broker.events.length > 0);
    expect(world.types()[0]).toBe(type);
    expect(world.broker.events[0]!.data).toMatchObject({ execution: 'run', artifact: 'run-source' });
  });

  it('is rung ever more seldom, under another id each time, and no more when it moves', async () => {
    await project();
    await lane(['run']);
    await execution({ phase: 'Queued' });
    world.start();
    await until(() => world.broker.events.length === 2);
    expect(new Set(world.broker.events.map(({ id }) => id)).size).toBe(2);
    expect(new Set(world.types())).toEqual(new Set(['execution.admitted']));
    await world.objects.updateStatus({ ...(await world.get('Execution', 'run')), status: { phase: 'Running', stages: [] } });
    await quiet();
    expect(world.broker.events).toHaveLength(2);
  });

  it('an execution without a slot waits', async () => {
    await project();
    await execution({ phase: 'Queued' });
    await world.create('Execution', 'first', { ...spec, source: 'first-source' }, {}, { phase: 'Running', stages: [] });
    await lane(['first'], ['run']);
    world.start();
    await quiet();
    expect(world.broker.events).toEqual([]);
  });

  it.each([
    ['has ended', true],
    ['is gone', false],
  ])('a slot whose holder %s is given back', async (_what, exists) => {
    await project();
    if (exists) await execution({ phase: 'Failed', message: 'broken' });
    await lane(['run'], []);
    world.start();
    await until(() => world.broker.events.length > 0);
    expect(world.broker.events[0]).toMatchObject({
      type: 'dev.tidemill.execution.finished.v1',
      source: '/functions/watcher',
      data: { project: 'site', execution: 'run', lane: 'site.branch.main', number: 1, outcome: exists ? 'Failed' : 'Cancelled' },
    });
  });

  it('a TaskRun that ended is told at once, and once', async () => {
    await execution(running('run-build-site'));
    const watcher = world.start({ times: { ...TIMES, stuck_ms: 60_000 } });
    await until(() => watcher.leads() && watcher.notReady() === undefined);
    const run = await taskRun('run-build-site');
    await taskRun('other', 'True', {});
    const began = performance.now();
    await world.objects.updateStatus({ ...run, status: ended('True') });
    await until(() => world.broker.events.length === 1);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(world.broker.events[0]).toMatchObject({
      type: 'dev.tekton.event.taskrun.successful.v1',
      data: { taskRun: { metadata: { uid: run.metadata.uid } } },
    });
    await world.objects.update({
      ...(await world.get('TaskRun', 'run-build-site')),
      metadata: { ...(await world.get('TaskRun', 'run-build-site')).metadata, annotations: { a: 'b' } },
    });
    await quiet(150);
    expect(world.broker.told).toHaveLength(1);
  });

  it('at a start those are told whose execution goes on, by the same id; and again under another while that is not recorded', async () => {
    await execution(running('run-build-site'));
    await world.create('Execution', 'old', { ...spec, source: 'old-source' }, {}, { phase: 'Succeeded' });
    await taskRun('run-build-site', 'False');
    await taskRun('old-build-site', 'True', { [LABEL.execution]: 'old' });
    const first = world.start();
    await until(() => world.broker.events.length === 1);
    await first.stop(1000);
    const before = world.broker.told.length;
    world.start();
    await until(() => world.broker.told.length > before);
    expect(world.broker.told[before]!.id).toBe(world.broker.events[0]!.id);
    await until(() => world.broker.events.length === 2);
    expect(new Set(world.broker.events.map(({ type }) => type))).toEqual(new Set(['dev.tekton.event.taskrun.failed.v1']));
  });

  it('an execution whose TaskRun was deleted is asked to end', async () => {
    await execution(running('run-build-site'));
    world.start();
    await until(() => world.broker.events.length > 0);
    expect(world.broker.events[0]).toMatchObject({
      type: 'dev.tidemill.execution.cancel-requested.v1',
      data: { reason: expect.stringContaining('run-build-site is gone') },
    });
  });
});

describe('notes', () => {
  it('say what became of an object, once, and nothing of long ago', async () => {
    const first = world.start();
    const release = { project: 'site', environment: 'production', host: 'site' };
    const current = { artifact: 'a', version: '1.0.0', manifest: `sha256:${'0'.repeat(64)}`, at: ago(0), trigger: 'user' as const };
    await world.create('Release', 'site', release, {}, { history: [], current, refused: { reason: 'too old', at: ago(3_600_000) } });
    await until(() => world.notes.length > 0);
    await first.stop(1000);
    world.start();
    await until(() => world.notes.length > 1);
    await quiet(200);
    // The second watcher says it under the same name: there it is one.
    expect(new Set(world.notes.map(({ name }) => name)).size).toBe(1);
    expect(world.notes[0]).toMatchObject({ of: 'Release site', type: 'Normal', reason: 'Deployed', message: 'Version 1.0.0 is live' });
  });
});

describe('what is done again and again', () => {
  it('goes on after a failure, ends with the lead, and is not done by who does not lead', async () => {
    const done: string[] = [];
    const periodic = (name: string) => [
      {
        name: 'later',
        every_ms: 10,
        run: async () => {
          done.push(name);
          if (done.length === 2) throw new Error('away');
        },
      },
    ];
    const first = world.start({ periodic: periodic('first') });
    world.start({ periodic: periodic('second') });
    await until(() => done.length > 5);
    expect(new Set(done)).toEqual(new Set(['first']));
    await first.stop(1000);
    const count = done.length;
    await until(() => done.includes('second'));
    expect(done.slice(count)).not.toContain('first');
  });
});

describe('many objects', () => {
  it('are kept as keys: what nothing is to be done about is not kept at all', async () => {
    const names = Array.from({ length: 300 }, (_, i) => `done-${i}`);
    const spec = { project: 'site', lane: 'l', number: 1, ref: 'refs/heads/main', trigger: 'user' as const, source: 's' };
    for (const name of names) await world.create('Execution', name, spec, {}, { phase: 'Succeeded' } satisfies Obj<'Execution'>['status']);
    const watcher = world.start();
    await until(() => watcher.leads() && watcher.notReady() === undefined);
    await quiet(400);
    expect(world.broker.told).toEqual([]);
    expect(world.logged.filter(({ level }) => level !== 'info')).toEqual([]);
  });
});
