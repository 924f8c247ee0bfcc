import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventData } from '../../shared/events/types.ts';
import { laneName } from '../../shared/decisions/names.ts';
import { eventOf, pushEvent, sha } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

let world: World;
let names: string[];
beforeEach(async () => {
  world = openWorld();
  await world.project('site', { lane: { mode: 'parallel', slots: 2 } });
  const heads = ['0', 'a', 'b', 'c', 'd'].map(sha);
  for (const [n, after] of heads.slice(1).entries()) await world.run('git-push', pushEvent({ before: heads[n]!, after }));
  names = (await world.all('Execution')).toSorted((a, b) => a.spec.number - b.spec.number).map((execution) => execution.metadata.name);
});
afterEach(() => world.close());

const LANE = laneName('site', 'refs/heads/main');
const finished = (n: number, of: Partial<EventData<'dev.tidemill.execution.finished.v1'>> = {}) =>
  eventOf('dev.tidemill.execution.finished.v1', {
    namespace: 'default',
    project: 'site',
    execution: names[n]!,
    lane: LANE,
    number: n + 1,
    outcome: 'Succeeded',
    ...of,
  });
const lane = async () => {
  const { running, waiting } = (await world.get('Lane', LANE)).status!;
  return [running, waiting].map((entries) => entries.map((entry) => names.indexOf(entry.execution)));
};
const admitted = (events: { data: unknown }[]) => events.map((event) => names.indexOf((event.data as { execution: string }).execution));

describe('lane-advance', () => {
  it('gives the freed slot to the next in line, and tells all who hold one', async () => {
    expect(await lane()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    const { emitted } = await world.run('lane-advance', finished(0));
    expect(await lane()).toEqual([[1, 2], [3]]);
    expect(new Set(world.types(emitted))).toEqual(new Set(['execution.admitted']));
    expect(admitted(emitted)).toEqual([1, 2]);
  });

  it('told twice frees one slot', async () => {
    await world.run('lane-advance', finished(0));
    const before = await world.picture(['Lane']);
    expect((await world.run('lane-advance', finished(0))).emitted).toEqual([]);
    expect(await world.picture(['Lane'])).toEqual(before);
  });

  it('tells again after a kill between the lane and its outcome', async () => {
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(world.run('lane-advance', finished(0))).rejects.toThrow('killed');
    expect(admitted((await world.run('lane-advance', finished(0))).emitted)).toEqual([1, 2]);
  });

  it('takes one that waited out of the line, and gives nobody a slot for it', async () => {
    await world.run('lane-advance', finished(2, { outcome: 'Cancelled' }));
    expect(await lane()).toEqual([[0, 1], [3]]);
  });

  it('empties the lane in any order', async () => {
    for (const n of [3, 1, 0, 2]) await world.run('lane-advance', finished(n));
    expect(await lane()).toEqual([[], []]);
  });

  it('loses nobody when all end at once', async () => {
    await Promise.all([0, 1, 2].map((n) => world.run('lane-advance', finished(n))));
    expect(await lane()).toEqual([[3], []]);
  });

  it('does nothing for a lane that is gone', async () => {
    expect(await world.run('lane-advance', finished(0, { lane: 'gone' }))).toEqual({ settled: { kind: 'done' }, emitted: [] });
  });
});
