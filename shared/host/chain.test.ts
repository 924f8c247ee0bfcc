// The functions as one: whatever order their events come in, and however often, the same end.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { releaseName } from '../decisions/names.ts';
import type { TidemillEvent } from '../events/event.ts';
import type { EventType } from '../events/types.ts';
import type { SpecOf } from '../objects/kinds.ts';
import { deletedEvent, minute, NONE, pushEvent, sha, taskRunEnded } from '../../test/fakes/events.ts';
import { leaveSite } from '../../test/fakes/site.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

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
const HEADS = ['a', 'b', 'c'].map(sha);
const RUNS = { numRuns: 18 };

/** Numbers that decide what is next: the same seed, the same order. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * sides);
  };
}

const STORES = [undefined, 'durable', 'doorbell'] as const;

async function makeWorld(lane?: SpecOf<'Project'>['lane'], outbox?: 'durable' | 'doorbell'): Promise<World> {
  const world = openWorld({ ...(outbox && { outbox }) });
  for (const [n, head] of HEADS.entries()) world.git.commit({ sha: head, commitTime: minute(n) });
  await world.project('site', { stages: STAGES, ...(lane && { lane }) });
  return world;
}

/** Delivers in the order that the dice say, ends TaskRuns as they say, tells every event of the past again now and then, until nothing is left to happen. */
async function play(world: World, roll: (sides: number) => number, failing: (taskRun: string) => boolean = () => false): Promise<void> {
  for (let turns = 0; turns < 400; turns++) {
    await world.drain({ pick: roll });
    const running = await world.runner.running();
    if (running.length === 0) return;
    const name = running[roll(running.length)]!;
    const results = name.endsWith('-build-site') ? await leaveSite(world.storage, { 'index.html': name }) : {};
    const ended = await world.runner.finish(name, failing(name) ? { reason: 'Failed', message: 'no' } : { results });
    world.publish([taskRunEnded(ended)]);
    const again = world.events[roll(world.events.length)]!;
    for (const to of ['git-push', 'artifact-requested', 'artifact-resolved', 'taskrun-finished', 'lane-advance', 'execution-admitted'] as const) {
      if ((await import('../../functions/graph.ts')).functions[to].consumes.some((type) => type === again.type)) await world.run(to, again).catch(ofKill);
    }
  }
  throw new Error('It goes on for ever');
}

/** Nobody delivers again what was only told once more. */
function ofKill(error: unknown): void {
  if (!(error instanceof Error) || !error.message.startsWith('killed')) throw error;
}

async function inWorlds(lane: SpecOf<'Project'>['lane'], check: (world: World, roll: (sides: number) => number) => Promise<void>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const roll = dice(seed);
      const world = await makeWorld(lane, STORES[roll(STORES.length)]);
      const mortality = dice(seed + 1);
      world.hooks.kill = () => mortality(40) === 0;
      try {
        await check(world, roll);
      } finally {
        await world.close();
      }
    }),
    RUNS,
  );
}

const pushes = HEADS.map((after, n) => pushEvent({ before: HEADS[n - 1] ?? NONE, after, pushedAt: minute(n), id: `w${n}` }));
const polls = HEADS.map((after, n) => pushEvent({ before: HEADS[n - 1] ?? NONE, after, id: `p${n}` }));
const executions = async (world: World) => (await world.all('Execution')).toSorted((a, b) => a.spec.number - b.spec.number);
async function nothingIsLeft(world: World): Promise<void> {
  for (const lane of await world.all('Lane')) expect(lane.status).toMatchObject({ running: [], waiting: [] });
  expect(await world.runner.running()).toEqual([]);
  expect(world.dead).toEqual([]);
  for (const { status } of await world.all('Execution')) expect(['Succeeded', 'Failed', 'Cancelled']).toContain(status!.phase);
  const names = (await world.all('Execution')).map((execution) => execution.metadata.name).toSorted();
  expect(toldOf(world, 'dev.tidemill.execution.finished.v1').toSorted()).toEqual(names);
  // Not each of them gets so far, but whichever does, does once: whoever decides again tells the same event, and no second one.
  for (const type of ['dev.tidemill.artifact.resolved.v1', 'dev.tidemill.execution.started.v1'] as const) expectNoneTwice(toldOf(world, type));
}

/** The executions, and of artifacts those as well, that events of a type are about. One that is published again, under its own id, counts once. */
function toldOf(world: World, type: EventType): string[] {
  const about = ({ data }: TidemillEvent) => {
    const { execution, artifact } = data as { execution: string; artifact?: string };
    return artifact ? `${execution}/${artifact}` : execution;
  };
  return world.events.filter((event) => event.type === type).map(about);
}

const expectNoneTwice = (names: string[]) => expect(names.toSorted()).toEqual([...new Set(names)].toSorted());

describe('three pushes, in any order of all their events', () => {
  it.each([undefined, { mode: 'parallel' as const }])('are three executions, and the newest commit is live (lane: %j)', async (lane) => {
    await inWorlds(lane, async (world, roll) => {
      world.publish(pushes);
      await play(world, roll);
      await nothingIsLeft(world);
      const all = await executions(world);
      expect(all.map(({ spec, status }) => [spec.sha, status!.phase]).toSorted()).toEqual(HEADS.map((head) => [head, 'Succeeded']));
      const { current, history } = (await world.get('Release', 'site')).status!;
      const live = await world.get('Artifact', current!.artifact);
      expect((await world.get('Execution', live.spec.execution!)).spec.sha).toBe(HEADS[2]);
      const numbers = [current!, ...history].map((entry) => entry.number!);
      expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
    });
  });

  it('that are told by webhook and poll too are three executions all the same', async () => {
    await inWorlds(undefined, async (world, roll) => {
      for (const [n, push] of pushes.entries()) {
        const tellers = roll(2) === 0 ? [push, polls[n]!] : [polls[n]!, push];
        world.publish(tellers);
        await world.drain({ pick: roll });
      }
      await play(world, roll);
      await nothingIsLeft(world);
      expect((await executions(world)).map(({ spec }) => [spec.number, spec.sha])).toEqual(HEADS.map((head, n) => [n + 1, head]));
      expect((await world.all('Push')).map((push) => push.status!.told.length)).toEqual([2, 2, 2]);
    });
  });

  it('in a lane that supersedes leave the newest live, and nothing running', async () => {
    await inWorlds({ mode: 'supersede' }, async (world, roll) => {
      world.publish(pushes);
      await play(world, roll);
      await nothingIsLeft(world);
      const newest = (await executions(world)).find(({ spec }) => spec.sha === HEADS[2])!;
      expect(newest.status!.phase).toBe('Succeeded');
      expect((await world.get('Release', 'site')).status!.current!.artifact).toBe(newest.status!.artifact);
    });
  });

  it('of which one fails leave the newest that did not', async () => {
    await inWorlds(undefined, async (world, roll) => {
      const { kill } = world.hooks;
      // In their order to begin with: one that comes late is not released by itself.
      world.hooks.kill = undefined;
      world.publish(pushes);
      await world.drain();
      world.hooks.kill = kill;
      const broken = (await executions(world)).find(({ spec }) => spec.sha === HEADS[2])!.metadata.name;
      await play(world, roll, (name) => name === `${broken}-check-unit`);
      await nothingIsLeft(world);
      expect((await world.get('Execution', broken)).status).toMatchObject({ phase: 'Failed', message: 'Step check/unit failed: no' });
      const live = await world.get('Artifact', (await world.get('Release', 'site')).status!.current!.artifact);
      expect((await world.get('Execution', live.spec.execution!)).spec.sha).toBe(HEADS[1]);
    });
  });
});

describe('a branch', () => {
  it('that is deleted while it is built has no preview in the end, in any order', async () => {
    await inWorlds(undefined, async (world, roll) => {
      world.publish([pushEvent({ branch: 'x', after: HEADS[0]!, pushedAt: minute(0) })]);
      // Anything from nothing to all of the build happens before the deletion.
      for (let steps = roll(6); steps > 0; steps--) {
        await world.drain({ pick: roll });
        const [name] = await world.runner.running();
        if (name)
          world.publish([
            taskRunEnded(await world.runner.finish(name, { results: name.endsWith('-site') ? await leaveSite(world.storage, { 'index.html': 'x' }) : {} })),
          ]);
      }
      world.publish([deletedEvent('x', { before: HEADS[0]!, pushedAt: minute(1) })]);
      await play(world, roll);
      await nothingIsLeft(world);
      const release = await world.objects.get('Release', { namespace: 'default', name: releaseName('site', 'preview-x') });
      expect(release?.status?.current).toBeUndefined();
    });
  });
});
