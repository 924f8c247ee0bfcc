import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectLabels } from '../../shared/decisions/names.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import { REPOSITORY } from '../../test/fakes/events.ts';
import { openWatcherWorld, quiet, until, type WatcherWorld } from '../../test/support/watcher.ts';

let world: WatcherWorld;
beforeEach(() => (world = openWatcherWorld()));
afterEach(() => world.close());

const artifact = { type: 'git' as const, project: 'site', url: REPOSITORY, ref: 'main' };

describe('the watcher', () => {
  it('is ready as a candidate, and as the leader when it has seen everything', async () => {
    const first = world.start();
    expect(first.notReady()).toMatch(/not been read yet/);
    await until(() => first.notReady() === undefined && first.leads());
    const second = world.start();
    await until(() => second.notReady() === undefined);
    expect(second.leads()).toBe(false);
  });

  it('does nothing once it has lost the lease, and another goes on with what it left', async () => {
    const first = world.start();
    await until(() => first.leads());
    world.lease.failing = 'hangs';
    await until(() => !first.leads());
    await world.create('Artifact', 'what', artifact);
    await quiet(300);
    expect(world.broker.told).toEqual([]);
    world.lease.failing = 'no';
    world.start();
    await until(() => world.broker.events.length > 0);
    expect(world.broker.events[0]!.subject).toBe('what');
  });

  it('of two candidates one acts, and the other when that one is gone, by the same ids', async () => {
    const [a, b] = [world.start(), world.start()];
    await until(() => a.leads() || b.leads());
    await world.create('Artifact', 'what', artifact);
    await until(() => world.broker.events.length === 1);
    const [leader, other] = a.leads() ? [a, b] : [b, a];
    await leader.stop(1000);
    await until(() => other.leads());
    await until(() => world.broker.told.length > 1);
    expect(world.broker.told[1]!.id).toBe(world.broker.told[0]!.id);
  });

  it('goes on when a watch breaks off, and when it ends', async () => {
    let breaks = 0;
    const objects: Objects = {
      ...world.objects,
      watch: async function* (kind, options) {
        let told = 0;
        for await (const event of world.objects.watch(kind, options)) {
          yield event;
          if (kind === 'Artifact' && ++told > 1 && breaks < 3) {
            breaks += 1;
            if (breaks === 2) return;
            throw new Error('cut');
          }
        }
      },
    };
    world.start({ objects });
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await world.create('Artifact', name, artifact);
      await until(() => world.broker.events.some(({ subject }) => subject === name));
    }
    expect(breaks).toBe(3);
  });

  it('forgets nothing that the broker did not take', async () => {
    world.broker.failing = true;
    world.start();
    await world.create('Artifact', 'what', artifact);
    await quiet(200);
    world.broker.failing = false;
    await until(() => world.broker.events.length > 0);
  });

  it('has its polling only while it leads', async () => {
    const happened: string[] = [];
    const polling = (name: string) => () => ({ start: () => void happened.push(`${name} starts`), stop: async () => void happened.push(`${name} stops`) });
    const first = world.start({ polling: polling('first') });
    await until(() => first.leads());
    world.start({ polling: polling('second') });
    await first.stop(1000);
    await until(() => happened.length === 3);
    expect(happened).toEqual(['first starts', 'first stops', 'second starts']);
  });

  it('says on an object that does not fit its schema that it does not, again only when it changed', async () => {
    const said: string[] = [];
    const watcher = world.start({ sayUnfit: async ({ ref }) => void said.push(ref.name) });
    const unfit = {
      kind: 'Project' as const,
      ref: { namespace: 'default', name: 'odd' },
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      message: 'Project.spec.poll: no',
    };
    watcher.unfit(unfit);
    expect(said).toEqual([]);
    await until(() => watcher.leads());
    watcher.unfit(unfit);
    watcher.unfit({ ...unfit, resourceVersion: '2' });
    watcher.unfit({ ...unfit, resourceVersion: '3', generation: 2 });
    await until(() => world.notes.length === 2);
    expect(world.notes[0]).toMatchObject({ of: 'Project odd', type: 'Warning', reason: 'Invalid', message: 'Project.spec.poll: no' });
  });

  it('ends with nothing in hand', async () => {
    const watcher = world.start();
    await until(() => watcher.leads());
    await world.create('Project', 'site', { source: { url: REPOSITORY } }, { labels: projectLabels({ source: { url: REPOSITORY } }) });
    await watcher.stop(2000);
    const told = world.broker.told.length;
    await world.create('Artifact', 'what', artifact);
    await quiet(300);
    expect(world.broker.told).toHaveLength(told);
    expect(world.lease.record?.holder).toBe('');
  });
});
