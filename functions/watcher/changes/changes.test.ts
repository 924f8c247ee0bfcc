import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { executionName, hookLabels, projectLabels } from '../../../shared/decisions/names.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { GitError } from '../../../shared/ports/git.ts';
import { createPublish } from '../../../shared/host/root-events.ts';
import { openWatcherWorld, quiet, recordingBroker, until, type WatcherWorld } from '../../../test/support/watcher.ts';
import { REPOSITORY, sha } from '../../../test/fakes/events.ts';
import { annotated } from './annotations.ts';

let world: WatcherWorld;
beforeEach(() => (world = openWatcherWorld()));
afterEach(() => world.close());

const spec = { source: { url: REPOSITORY } };
const annotate = async <K extends 'Project' | 'Release' | 'Execution'>(kind: K, name: string, annotations: Record<string, string>) =>
  world.objects.update(annotated(await world.get(kind, name), annotations));

describe('a project that kubectl wrote', () => {
  it('gets its label, its default branch and its first build, by the event that the API asks with', async () => {
    world.start();
    const project = await world.create('Project', 'site', spec);
    await until(async () => (await world.get('Project', 'site')).status?.defaultBranch === 'main');
    expect((await world.get('Project', 'site')).metadata.labels).toEqual(projectLabels(spec));
    expect((await world.get('Project', 'site')).status?.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    const api = recordingBroker();
    const data = { namespace: 'default', project: 'site', ref: 'refs/heads/main', trigger: 'auto' as const };
    const [asked] = await createPublish(api, () => '2026-01-01T00:00:00Z')([{ type: 'dev.tidemill.execution.requested.v1', subject: 'site', data }], {
      key: `first-${project.metadata.uid}`,
    });
    expect(world.broker.events).toMatchObject([{ id: asked!.id, source: asked!.source, type: asked!.type, data }]);
    await quiet();
    expect(world.types()).toEqual(['execution.requested']);
  });

  it('is built once, however often the watcher starts', async () => {
    const first = world.start();
    await world.create('Project', 'site', spec);
    await until(async () => (await world.get('Project', 'site')).status?.defaultBranch === 'main');
    await first.stop(1000);
    const told = world.broker.told.length;
    world.start();
    await quiet();
    expect(world.broker.told).toHaveLength(told);
  });

  it('says why its repository cannot be read, and is built when it can be', async () => {
    world.repository.error = new GitError('denied', 'The server wants a password.');
    world.start();
    await world.create('Project', 'site', spec);
    await until(async () => (await world.get('Project', 'site')).status?.conditions?.[0]?.reason === 'AccessDenied');
    await until(() => world.notes.some(({ reason }) => reason === 'AccessDenied'));
    expect(world.broker.events).toEqual([]);
  });

  it('that is paused is not built', async () => {
    world.start();
    await world.create('Project', 'site', { ...spec, paused: true });
    await until(async () => (await world.get('Project', 'site')).status?.defaultBranch === 'main');
    expect(world.broker.events).toEqual([]);
  });

  it('of a branch that is not there says so, and which there are', async () => {
    world.start();
    await world.create('Project', 'site', { source: { url: REPOSITORY, branch: 'gone' } });
    await until(async () => (await world.get('Project', 'site')).status?.conditions?.[0]?.reason === 'BranchNotFound');
    const [ready] = (await world.get('Project', 'site')).status!.conditions!;
    expect(ready).toMatchObject({ type: 'Ready', status: 'False', message: expect.stringMatching(/no branch "gone"; it has main/) });
    expect(world.broker.events).toEqual([]);
  });

  it('of an unborn default branch is built from main', async () => {
    delete world.repository.defaultBranch;
    world.start();
    await world.create('Project', 'site', spec);
    await until(() => world.broker.events.length === 1);
    expect(world.broker.events).toMatchObject([{ data: { ref: 'refs/heads/main' } }]);
  });

  it('that is polled is left to the poll', async () => {
    world.start();
    await world.create('Project', 'site', { ...spec, poll: '1m' });
    await until(async () => (await world.get('Project', 'site')).metadata.labels !== undefined);
    await quiet(200);
    expect(world.repository.asked).toEqual([]);
  });

  it('has another label when its repository changes', async () => {
    world.start();
    await world.create('Project', 'site', spec);
    await until(async () => (await world.get('Project', 'site')).status?.defaultBranch);
    const other = { source: { url: 'https://git.example.org/acme/other.git' } };
    await world.objects.update({ ...(await world.get('Project', 'site')), spec: other });
    await until(async () => (await world.get('Project', 'site')).metadata.labels?.[LABEL.repository] === projectLabels(other)[LABEL.repository]);
  });
});

describe('a run that an annotation asks for', () => {
  const project = () => world.create('Project', 'site', spec, { labels: projectLabels(spec) }, { defaultBranch: 'main' });
  const runs = () => world.broker.events.filter(({ type }) => type === 'dev.tidemill.execution.requested.v1');

  it.each([
    ['nothing', undefined, 'refs/heads/main'],
    ['a branch', 'next', 'refs/heads/next'],
    ['a tag', 'v1', 'refs/tags/v1'],
    ['a full ref', 'refs/heads/next', 'refs/heads/next'],
    ['a commit', sha('e'), sha('e')],
  ])('is asked for once, of %s', async (_what, wanted, ref) => {
    await project();
    world.start();
    await annotate('Project', 'site', { 'tidemill.dev/trigger': 'now', ...(wanted && { 'tidemill.dev/trigger-ref': wanted }) });
    await until(() => runs().length === 1);
    expect(runs()[0]!.data).toEqual({ namespace: 'default', project: 'site', ref, trigger: 'user' });
    await quiet(300);
    expect(world.broker.told).toHaveLength(1);
  });

  it('is asked for again by another value, and not by the same after a restart', async () => {
    await project();
    const first = world.start();
    await annotate('Project', 'site', { 'tidemill.dev/trigger': '1' });
    await until(() => runs().length === 1);
    await annotate('Project', 'site', { 'tidemill.dev/trigger': '2' });
    await until(() => runs().length === 2);
    await until(async () => (await world.get('Project', 'site')).metadata.annotations?.['tidemill.dev/answered-trigger'] === '2');
    await first.stop(1000);
    world.start();
    await quiet(400);
    expect(world.broker.told).toHaveLength(2);
    const names = runs().map(({ id }) => executionName('site', id));
    expect(new Set(names).size).toBe(2);
  });

  it('is the same event when the watcher dies before it has remembered', async () => {
    await project();
    const objects = { ...world.objects, update: () => Promise.reject(new Error('killed here')) };
    const first = world.start({ objects });
    await annotate('Project', 'site', { 'tidemill.dev/trigger': 'now' });
    await until(() => runs().length === 1);
    await first.stop(1000);
    world.start();
    await until(async () => (await world.get('Project', 'site')).metadata.annotations?.['tidemill.dev/answered-trigger'] === 'now');
    expect(runs()).toHaveLength(1);
  });

  it('of a branch that is not there is refused with a note', async () => {
    await project();
    world.start();
    await annotate('Project', 'site', { 'tidemill.dev/trigger': 'now', 'tidemill.dev/trigger-ref': 'nope' });
    await until(() => world.notes.some(({ reason }) => reason === 'TriggerRefused'));
    expect(world.notes).toMatchObject([{ of: 'Project site', type: 'Warning', message: expect.stringContaining('no branch or tag "nope"') }]);
    expect(runs()).toEqual([]);
  });
});

describe('an artifact', () => {
  const git = { type: 'git' as const, project: 'site', url: REPOSITORY, ref: 'refs/heads/main' };

  it('that a person made is asked for at once, and again while it stays unresolved', async () => {
    world.start();
    const artifact = await world.create('Artifact', 'what', git);
    await until(() => world.broker.events.length === 1);
    expect(world.broker.events[0]).toMatchObject({
      type: 'dev.tidemill.artifact.requested.v1',
      data: { namespace: 'default', project: 'site', artifact: 'what' },
    });
    expect((await world.get('Artifact', 'what')).metadata.labels).toEqual({ [LABEL.project]: 'site' });
    await until(() => world.broker.events.length === 2);
    await world.objects.updateStatus({ ...(await world.get('Artifact', 'what')), status: { phase: 'Resolved', digest: `sha1:${sha('a')}` } });
    const told = world.broker.told.length;
    await quiet();
    expect(world.broker.told.length - told).toBeLessThanOrEqual(1);
    expect(artifact.spec).toEqual(git);
  });

  it('has the same id after a restart', async () => {
    const first = world.start();
    await world.create('Artifact', 'what', git);
    await until(() => world.broker.events.length === 1);
    await first.stop(1000);
    const told = world.broker.told.length;
    world.start();
    await until(() => world.broker.told.length > told);
    expect(world.broker.told[told]!.id).toBe(world.broker.events[0]!.id);
  });

  it('of an execution is left to who opened that, until it stays unresolved', async () => {
    world.start();
    const began = performance.now();
    await world.create(
      'Artifact',
      'run-source',
      { ...git, execution: 'run' },
      { labels: { [LABEL.project]: 'site', [LABEL.execution]: 'run' } },
      { phase: 'Unresolved' },
    );
    await until(() => world.broker.events.length === 1);
    expect(performance.now() - began).toBeGreaterThan(190);
    expect(world.broker.events[0]).toMatchObject({ subject: 'run', data: { execution: 'run', artifact: 'run-source' } });
  });

  it.each(['Resolved', 'Invalid', 'Failed'] as const)('that is %s is left alone', async (phase) => {
    await world.create('Artifact', 'what', git, {}, { phase });
    world.start();
    await quiet(400);
    expect(world.broker.events).toEqual([]);
  });
});

describe('a release', () => {
  const release = { project: 'site', environment: 'production', host: 'site' };
  const asked = () => world.broker.events.map(({ data }) => data);

  it('is asked for by its version, once for each change', async () => {
    world.start();
    await world.create('Release', 'site', { ...release, deploy: { version: '1.0.0' } });
    await until(() => asked().length === 1);
    expect(asked()).toEqual([{ namespace: 'default', project: 'site', environment: 'production', action: 'deploy', version: '1.0.0', trigger: 'user' }]);
    const { metadata, status } = await world.get('Release', 'site');
    expect(metadata.labels).toEqual({ [LABEL.project]: 'site', [LABEL.environment]: 'production', [LABEL.host]: 'site' });
    expect(status).toEqual({ history: [] });
    await quiet(300);
    await world.objects.update({ ...(await world.get('Release', 'site')), spec: { ...release, deploy: { version: 'latest' } } });
    await until(() => asked().length === 2);
    expect(asked()[1]).toMatchObject({ version: 'latest' });
    await quiet(300);
    expect(world.broker.told).toHaveLength(2);
  });

  it('can be asked for the same version again, after that was taken away', async () => {
    world.start();
    const wanted = { ...release, deploy: { version: '1.0.0' } };
    await world.create('Release', 'site', wanted);
    await until(async () => (await world.get('Release', 'site')).metadata.annotations?.['tidemill.dev/answered-deploy'] === '1.0.0');
    await world.objects.update({ ...(await world.get('Release', 'site')), spec: release });
    await until(async () => (await world.get('Release', 'site')).metadata.annotations?.['tidemill.dev/answered-deploy'] === undefined);
    await world.objects.update({ ...(await world.get('Release', 'site')), spec: wanted });
    await until(() => asked().length === 2);
  });

  it('goes back when an annotation says so, once for each value', async () => {
    const first = world.start();
    await world.create('Release', 'site', release);
    await until(async () => (await world.get('Release', 'site')).status);
    await annotate('Release', 'site', { 'tidemill.dev/rollback': 'broken' });
    await until(async () => (await world.get('Release', 'site')).metadata.annotations?.['tidemill.dev/answered-rollback'] === 'broken');
    await first.stop(1000);
    world.start();
    await quiet(300);
    expect(asked()).toEqual([{ namespace: 'default', project: 'site', environment: 'production', action: 'rollback', trigger: 'user' }]);
  });

  it('that stands under another name than it is looked for is not asked for, and says so', async () => {
    world.start();
    await world.create('Release', 'mine', { ...release, deploy: { version: '1.0.0' } });
    await until(async () => (await world.get('Release', 'mine')).status?.conditions);
    expect((await world.get('Release', 'mine')).status).toMatchObject({
      conditions: [{ type: 'Valid', status: 'False', message: 'metadata.name: must be site for environment production of project site' }],
    });
    expect(world.notes).toMatchObject([{ of: 'Release mine', reason: 'Invalid', type: 'Warning' }]);
    expect(asked()).toEqual([]);
  });

  it('that is mended loses that condition, and is asked for', async () => {
    world.start();
    await world.create('Release', 'site', { ...release, host: 'elsewhere', deploy: { version: '1.0.0' } });
    await until(async () => (await world.get('Release', 'site')).status?.conditions?.length === 1);
    await world.objects.update({ ...(await world.get('Release', 'site')), spec: { ...release, deploy: { version: '1.0.0' } } });
    await until(async () => (await world.get('Release', 'site')).status?.conditions?.length === 0);
    await until(() => asked().length === 1);
  });
});

describe('hooks, executions, projects that go', () => {
  const hook = { url: 'https://example.org/', secret: 'hook.1', project: 'site' };
  const execution = { project: 'site', lane: 'site.branch.main', number: 1, ref: 'refs/heads/main', trigger: 'user' as const, source: 'run-source' };

  it.each([
    ['of a project', hook],
    ['of all', { url: hook.url, secret: hook.secret }],
  ])('a hook %s is labelled so that it is found', async (_what, wanted) => {
    world.start();
    await world.create('Hook', 'tell', wanted);
    await until(async () => (await world.get('Hook', 'tell')).metadata.labels);
    expect((await world.get('Hook', 'tell')).metadata.labels).toEqual(hookLabels(wanted));
  });

  it('an execution is asked to end, for the reason of the annotation', async () => {
    world.start({ times: { stuck_ms: 60_000, outbox_ms: 60_000, unresolved_ms: 60_000, settle_ms: 100, orphan_ms: 60_000 } });
    await world.create('Execution', 'run', execution, {}, { phase: 'Running' });
    await annotate('Execution', 'run', { 'tidemill.dev/cancel': 'a mistake' });
    await until(() => world.broker.events.length === 1);
    expect(world.broker.events[0]).toMatchObject({
      type: 'dev.tidemill.execution.cancel-requested.v1',
      data: { namespace: 'default', project: 'site', execution: 'run', reason: 'a mistake' },
    });
    await quiet(300);
    expect(world.broker.told).toHaveLength(1);
  });

  it('one that has ended is not', async () => {
    await world.create('Execution', 'run', execution, { annotations: { 'tidemill.dev/cancel': 'late' } }, { phase: 'Succeeded' });
    world.start();
    await quiet(300);
    expect(world.broker.events).toEqual([]);
  });

  const belongings = async () => {
    const labels = { [LABEL.project]: 'site' };
    await world.create('Execution', 'run', execution, { labels }, { phase: 'Succeeded' });
    await world.create('Lane', 'site.branch.main', { project: 'site', ref: 'refs/heads/main' }, { labels });
    await world.create('Release', 'site', { project: 'site', environment: 'production', host: 'site' }, { labels }, { history: [] });
    await world.create('Hook', 'tell', hook, { labels });
    await world.create('Hook', 'own', { ...hook, secret: 'theirs' }, { labels });
    await world.create('Hook', 'all', { url: hook.url, secret: 'hook.2' }, { labels: { [LABEL.project]: '' } });
  };
  const left = async () => {
    const lists = await Promise.all((['Execution', 'Lane', 'Release', 'Hook'] as const).map((kind) => world.objects.list(kind)));
    return lists.flatMap(({ items }) => (items as Obj[]).map(({ metadata }) => metadata.name));
  };

  it('what belongs to a project that is deleted goes with it, and nothing else', async () => {
    await world.create('Project', 'site', spec, { labels: projectLabels(spec) }, { defaultBranch: 'main' });
    await belongings();
    const watcher = world.start();
    await until(() => watcher.leads() && watcher.notReady() === undefined);
    await world.objects.delete('Project', { namespace: 'default', name: 'site' });
    await until(async () => (await left()).length === 1, left);
    expect(await left()).toEqual(['all']);
    expect(world.secrets).toEqual(['hook.1']);
  });

  it('so it does when nobody watched', async () => {
    await belongings();
    world.start();
    await until(async () => (await left()).length === 1);
  });

  it('and a new project of that name keeps what it has', async () => {
    await world.create('Project', 'site', spec, { labels: projectLabels(spec) }, { defaultBranch: 'main' });
    await belongings();
    world.start();
    await quiet(300);
    expect(await left()).toHaveLength(6);
  });
});
