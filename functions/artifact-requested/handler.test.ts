import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Obj } from '../../shared/objects/kinds.ts';
import { GitError, type GitErrorKind } from '../../shared/ports/git.ts';
import { eventOf, pushEvent, sha } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const A = sha('a');
let world: World;
let execution: Obj<'Execution'>;
beforeEach(async () => {
  world = openWorld();
  await world.project('site', { source: { url: '/srv/site.git', credential: 'deploy' } });
  world.git.commit({ sha: A, commitTime: '2026-11-03T09:00:00Z', subject: 'Say hello' });
  await world.run('git-push', pushEvent({ after: A, repository: '/srv/site.git' }));
  execution = (await world.all('Execution'))[0]!;
});
afterEach(() => world.close());

const requested = (artifact = execution.spec.source) =>
  eventOf('dev.tidemill.artifact.requested.v1', { namespace: 'default', project: 'site', execution: execution.metadata.name, artifact });
const source = () => world.get('Artifact', execution.spec.source);

describe('artifact-requested', () => {
  it('resolves the source to a commit, and tells its digest', async () => {
    const { settled, emitted } = await world.run('artifact-requested', requested());
    expect(settled).toEqual({ kind: 'done' });
    expect((await source()).status).toMatchObject({
      phase: 'Resolved',
      digest: `sha1:${A}`,
      git: { sha: A, tree: A, commitTime: '2026-11-03T09:00:00Z', subject: 'Say hello', author: 'Ada' },
      conditions: [{ type: 'Resolved', status: 'True' }],
    });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.artifact.resolved.v1', data: { type: 'git', digest: `sha1:${A}`, artifact: execution.spec.source } }]);
  });

  it('says sha256 of a repository with such ids', async () => {
    const long = 'e'.repeat(64);
    world.git.commit({ sha: long });
    const artifact = await source();
    await world.objects.create<'Artifact'>({
      kind: 'Artifact',
      metadata: { name: 'long', namespace: 'default' },
      spec: { ...artifact.spec, ref: long } as typeof artifact.spec,
    });
    await world.run('artifact-requested', requested('long'));
    expect((await world.get('Artifact', 'long')).status).toMatchObject({ digest: `sha256:${long}` });
  });

  it('tells once that it is resolved, whoever asks again', async () => {
    await world.run('artifact-requested', requested());
    const before = await world.picture();
    const { settled, emitted } = await world.run('artifact-requested', { ...requested(), id: 'rung-again', source: '/functions/watcher' });
    expect([settled, emitted]).toEqual([{ kind: 'done' }, []]);
    expect(await world.picture()).toEqual(before);
  });

  it('tells another execution at the same commit, and writes nothing for it', async () => {
    await world.run('artifact-requested', requested());
    const before = await source();
    const other = eventOf('dev.tidemill.artifact.requested.v1', { ...requested().data, execution: 'site-0000000000', admitted: true });
    const { emitted } = await world.run('artifact-requested', other);
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.artifact.resolved.v1', data: { ...other.data, type: 'git', digest: `sha1:${A}` } }]);
    expect(await source()).toEqual(before);
    expect(world.git.calls).toEqual([`resolve ${A}`]);
  });

  it('tells another execution that there is no such commit', async () => {
    world.git.failures.push(new GitError('not-found', 'There is no such commit'));
    await world.run('artifact-requested', requested());
    const other = eventOf('dev.tidemill.artifact.requested.v1', { ...requested().data, execution: 'site-0000000000' });
    const { emitted } = await world.run('artifact-requested', other);
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.artifact.failed.v1', data: { execution: 'site-0000000000', reason: 'There is no such commit' } }]);
  });

  it('asks git once, however often it is told', async () => {
    for (let n = 0; n < 3; n++) await world.run('artifact-requested', requested());
    expect(world.git.calls).toEqual([`resolve ${A}`]);
    expect(world.types()).toEqual(['artifact.requested', 'artifact.resolved']);
  });

  it('tries again, later each time, while the server is away', async () => {
    const pauses: number[] = [];
    for (const attempt of [1, 2, 3, 9]) {
      world.git.failures.push(new GitError('unreachable', 'git.example.org does not answer'));
      const { settled, emitted } = await world.run('artifact-requested', requested(), attempt);
      expect(settled).toMatchObject({ kind: 'retry', reason: 'git.example.org does not answer', waiting: false });
      expect(emitted).toEqual([]);
      pauses.push(settled.kind === 'retry' ? settled.after_ms : 0);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 60_000]);
    expect((await source()).status).toBeUndefined();
  });

  it.each(['not-found', 'denied', 'refused', 'invalid'] satisfies GitErrorKind[])('fails at once when it is %s', async (kind) => {
    world.git.failures.push(new GitError(kind, `It is ${kind}`));
    const { settled, emitted } = await world.run('artifact-requested', requested());
    expect(settled).toEqual({ kind: 'done' });
    expect((await source()).status).toMatchObject({
      phase: 'Invalid',
      reason: `It is ${kind}`,
      conditions: [{ type: 'Resolved', status: 'False', reason: 'Invalid' }],
    });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.artifact.failed.v1', data: { reason: `It is ${kind}`, execution: execution.metadata.name } }]);
  });

  it.each([
    ['the server is still away', new GitError('unreachable', 'still away')],
    ['git itself is broken', new Error('spawn git ENOENT')],
  ])('fails at the last attempt when %s: else its lane would wait for ever', async (_, failure) => {
    world.git.failures.push(failure);
    const { emitted } = await world.run('artifact-requested', requested(), 10);
    expect((await source()).status).toMatchObject({
      phase: 'Failed',
      reason: failure.message,
      conditions: [{ type: 'Resolved', status: 'False', reason: 'Failed' }],
    });
    expect(world.types(emitted)).toEqual(['artifact.failed']);
  });

  it('leaves it to the broker to try again what it does not know', async () => {
    world.git.failures.push(new Error('spawn git EAGAIN'));
    await expect(world.run('artifact-requested', requested())).rejects.toThrow('EAGAIN');
  });

  it('tells of a message that is too long in as much as can be told', async () => {
    world.git.failures.push(new GitError('invalid', 'x'.repeat(10_000)));
    expect((await world.run('artifact-requested', requested())).emitted[0]!.data).toHaveProperty('reason.length', 4096);
  });

  it('does nothing for an artifact that is gone, or that is no source', async () => {
    expect((await world.run('artifact-requested', requested('gone'))).settled).toEqual({ kind: 'done' });
    const digest = `sha256:${'a'.repeat(64)}`;
    const spec = { type: 'site', project: 'site', execution: 'e', source: 's', taskRun: 't', manifest: digest, archive: digest, files: 1, size: 1 } as const;
    await world.objects.create<'Artifact'>({ kind: 'Artifact', metadata: { name: 'built', namespace: 'default' }, spec });
    expect((await world.run('artifact-requested', requested('built'))).emitted).toEqual([]);
    expect(world.git.calls).toEqual([]);
  });
});
