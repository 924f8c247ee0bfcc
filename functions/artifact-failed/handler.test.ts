import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Obj } from '../../shared/objects/kinds.ts';
import { eventOf, pushEvent } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

let world: World;
let execution: Obj<'Execution'>;
beforeEach(async () => {
  world = openWorld();
  await world.project();
  await world.run('git-push', pushEvent());
  execution = (await world.all('Execution'))[0]!;
});
afterEach(() => world.close());

const failed = (reason = 'There is no such commit', name = execution.metadata.name) =>
  eventOf('dev.tidemill.artifact.failed.v1', { namespace: 'default', project: 'site', execution: name, artifact: `${name}-source`, reason });

describe('artifact-failed', () => {
  it('closes the execution with the reason, and tells it', async () => {
    const { emitted } = await world.run('artifact-failed', failed());
    const reason = 'The source could not be resolved: There is no such commit';
    expect((await world.get('Execution', execution.metadata.name)).status).toMatchObject({ phase: 'Failed', message: reason, ended: expect.any(String) });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.execution.finished.v1', data: { outcome: 'Failed', reason, lane: 'site.branch.main', number: 1 } }]);
  });

  it('does so once', async () => {
    await world.run('artifact-failed', failed());
    const before = await world.picture();
    expect(await world.run('artifact-failed', failed())).toEqual({ settled: { kind: 'done' }, emitted: [] });
    expect(await world.picture()).toEqual(before);
  });

  it('leaves an execution that was cancelled meanwhile as it is', async () => {
    const data = { namespace: 'default', project: 'site', execution: execution.metadata.name, reason: 'enough' };
    await world.run('execution-cancel', eventOf('dev.tidemill.execution.cancel-requested.v1', data));
    expect((await world.run('artifact-failed', failed())).emitted).toEqual([]);
    expect((await world.get('Execution', execution.metadata.name)).status!.phase).toBe('Cancelled');
  });

  it('does nothing for an execution that is gone', async () => {
    expect(await world.run('artifact-failed', failed('no', 'gone'))).toEqual({ settled: { kind: 'done' }, emitted: [] });
  });

  it('keeps a reason of any length within its bound', async () => {
    await world.run('artifact-failed', failed('x'.repeat(4096)));
    expect((await world.get('Execution', execution.metadata.name)).status!.message).toHaveLength(4096);
  });

  it('frees the lane for the next', async () => {
    await world.run('artifact-failed', failed());
    await world.drain({ except: ['artifact-requested', 'hook-dispatch'] });
    expect((await world.get('Lane', 'site.branch.main')).status).toMatchObject({ running: [], waiting: [] });
  });
});
