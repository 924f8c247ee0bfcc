import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { laneName } from '../../shared/decisions/names.ts';
import { eventOf, minute, pushEvent, sha } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

const [A, B] = [sha('a'), sha('b')];
let world: World;
let first: string;
let second: string;
/** Two executions of one branch: the first runs, the second waits for the lane. */
beforeEach(async () => {
  world = openWorld();
  world.git.commit({ sha: A });
  world.git.commit({ sha: B });
  await world.project();
  world.publish([pushEvent({ after: A, pushedAt: minute(0) })]);
  await world.drain();
  world.publish([pushEvent({ before: A, after: B, pushedAt: minute(1) })]);
  await world.drain();
  [first, second] = (await world.all('Execution')).toSorted((a, b) => a.spec.number - b.spec.number).map((execution) => execution.metadata.name) as [
    string,
    string,
  ];
});
afterEach(() => world.close());

const admitted = (execution = second) => eventOf('dev.tidemill.execution.admitted.v1', { namespace: 'default', project: 'site', execution });
const status = async (name = second) => (await world.get('Execution', name)).status!;

describe('execution-admitted', () => {
  it('starts the first stage of an execution that waited', async () => {
    expect([(await status(first)).phase, (await status()).phase]).toEqual(['Running', 'Queued']);
    const { emitted } = await world.run('execution-admitted', admitted());
    expect((await status()).phase).toBe('Running');
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.execution.started.v1', data: { execution: second, number: 2, sha: B } }]);
  });

  it('does so once', async () => {
    for (let n = 0; n < 3; n++) await world.run('execution-admitted', admitted());
    expect(world.runner.calls.filter((call) => call.includes(second))).toHaveLength(1);
    expect(world.types().filter((type) => type === 'execution.started')).toHaveLength(2);
  });

  it('leaves alone what runs already', async () => {
    const before = await world.picture(['Execution']);
    expect((await world.run('execution-admitted', admitted(first))).emitted).toEqual([]);
    expect(await world.picture(['Execution'])).toEqual(before);
  });

  it('starts nothing whose source is not resolved yet: artifact-resolved will, as the lane has a slot for it', async () => {
    const C = sha('c');
    world.git.commit({ sha: C });
    await world.run('git-push', pushEvent({ before: B, after: C, pushedAt: minute(2) }));
    const third = (await world.all('Execution')).find((execution) => execution.spec.number === 3)!.metadata.name;
    expect((await world.run('execution-admitted', admitted(third))).emitted).toEqual([]);
    expect(await status(third)).toBeUndefined();
    const lane = await world.get('Lane', laneName('site', 'refs/heads/main'));
    await world.objects.updateStatus({ ...lane, status: { ...lane.status!, running: [{ execution: third, number: 3 }], waiting: [] } });
    await world.drain();
    expect((await status(third)).phase).toBe('Running');
  });

  it('of an execution that was cancelled while it was being started ends what was started', async () => {
    world.runner.onStart = async () => {
      world.runner.onStart = undefined;
      await world.run(
        'execution-cancel',
        eventOf('dev.tidemill.execution.cancel-requested.v1', { namespace: 'default', project: 'site', execution: second, reason: 'enough' }),
      );
    };
    await world.run('execution-admitted', admitted());
    expect((await status()).phase).toBe('Cancelled');
    expect((await world.runner.running()).filter((name) => name.startsWith(second))).toEqual([]);
  });

  it('does nothing for an execution that is gone', async () => {
    expect(await world.run('execution-admitted', admitted('gone'))).toEqual({ settled: { kind: 'done' }, emitted: [] });
  });
});
