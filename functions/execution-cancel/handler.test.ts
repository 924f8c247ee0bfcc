import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventOf, minute, pushEvent, sha } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const [A, B] = [sha('a'), sha('b')];
const taskSpec = { steps: [{ image: 'busybox', script: 'true' }] };
let world: World;
beforeEach(async () => {
  world = openWorld();
  world.git.commit({ sha: A });
  world.git.commit({ sha: B });
  await world.project('site', {
    stages: [
      {
        name: 'build',
        steps: [
          { name: 'one', taskSpec },
          { name: 'two', taskSpec },
        ],
      },
      { name: 'check', steps: [{ name: 'links', taskSpec }] },
    ],
  });
});
afterEach(() => world.close());

const push = async (event: ReturnType<typeof pushEvent>, drain: boolean) => {
  world.publish([event]);
  if (drain) await world.drain();
  else await world.run('git-push', event);
  return (await world.all('Execution')).find(({ spec }) => spec.sha === event.data.after && spec.ref === event.data.ref)!.metadata.name;
};
const cancel = (execution: string, by?: string) =>
  world.run(
    'execution-cancel',
    eventOf('dev.tidemill.execution.cancel-requested.v1', { namespace: 'default', project: 'site', execution, reason: 'a better idea', ...(by && { by }) }),
  );
const status = async (name: string) => (await world.get('Execution', name)).status!;

describe('execution-cancel', () => {
  it('ends what runs, skips what has not begun, and says who and why', async () => {
    const name = await push(pushEvent({ after: A }), true);
    await world.runner.finish(`${name}-build-one`);
    const { emitted } = await cancel(name, 'ada');
    expect(world.runner.calls).toContain(`cancel ${name}-build-two`);
    expect(await world.runner.running()).toEqual([]);
    expect(await status(name)).toMatchObject({
      phase: 'Cancelled',
      message: 'Cancelled by ada: a better idea',
      stages: [{ phase: 'Cancelled' }, { phase: 'Skipped' }],
    });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.execution.finished.v1', data: { outcome: 'Cancelled', reason: 'Cancelled by ada: a better idea' } }]);
  });

  it('ends one that is not resolved yet, and one that waits for its lane', async () => {
    const running = await push(pushEvent({ after: A, pushedAt: minute(0) }), true);
    const waiting = await push(pushEvent({ before: A, after: B, pushedAt: minute(1) }), true);
    const pending = await push(pushEvent({ branch: 'x', after: B, pushedAt: minute(2) }), false);
    expect([await status(running), await status(waiting), await status(pending)].map((each) => each?.phase)).toEqual(['Running', 'Queued', undefined]);
    for (const name of [waiting, pending]) await cancel(name);
    expect([await status(waiting), await status(pending)]).toMatchObject([{ phase: 'Cancelled', message: 'Cancelled: a better idea' }, { phase: 'Cancelled' }]);
    await world.drain();
    expect((await world.get('Lane', 'site.branch.main')).status).toMatchObject({ running: [{ execution: running }], waiting: [] });
    expect([await status(waiting), await status(pending)].map(({ phase }) => phase)).toEqual(['Cancelled', 'Cancelled']);
    expect((await world.runner.running()).every((name) => name.startsWith(running))).toBe(true);
  });

  it('told again does nothing', async () => {
    const name = await push(pushEvent({ after: A }), true);
    await cancel(name);
    const before = await world.picture();
    expect((await cancel(name, 'somebody else')).emitted).toEqual([]);
    expect(await world.picture()).toEqual(before);
  });

  it('leaves what has ended as it ended, and what is gone alone', async () => {
    const name = await push(pushEvent({ after: A }), true);
    const execution = await world.get('Execution', name);
    await world.objects.updateStatus({ ...execution, status: { ...execution.status!, phase: 'Succeeded' } });
    expect((await cancel(name)).emitted).toEqual([]);
    expect((await status(name)).phase).toBe('Succeeded');
    expect(await cancel('gone')).toEqual({ settled: { kind: 'done' }, emitted: [] });
  });

  it('is decided again when a step ends in that moment', async () => {
    const name = await push(pushEvent({ after: A }), true);
    world.hooks.beforeCommit = async () => {
      world.hooks.beforeCommit = undefined;
      const execution = await world.get('Execution', name);
      await world.objects.updateStatus({ ...execution, status: { ...execution.status!, subject: 'somebody wrote' } });
    };
    expect(world.types((await cancel(name)).emitted)).toEqual(['execution.finished']);
    expect(await status(name)).toMatchObject({ phase: 'Cancelled', subject: 'somebody wrote' });
  });
});
