import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventOf } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

let world: World;
beforeEach(() => {
  world = openWorld();
});
afterEach(() => world.close());

const url = 'https://hooks.example.org/in';
const refused = (project = 'site') =>
  eventOf('dev.tidemill.release.refused.v1', { namespace: 'default', project, environment: 'production', reason: 'too old' });
const told = (events: { data: unknown }[]) => events.map((event) => (event.data as { hook: string }).hook).toSorted();

describe('hook-dispatch', () => {
  it('asks for one delivery for each hook that wants the event', async () => {
    await world.hook('of-site', { url, project: 'site' });
    await world.hook('of-all', { url });
    await world.hook('of-docs', { url, project: 'docs' });
    await world.hook('of-releases', { url, types: ['dev.tidemill.release.*'] });
    await world.hook('of-runs', { url, types: ['dev.tidemill.execution.*', 'dev.tidemill.artifact.resolved.v1'] });
    await world.hook('paused', { url, paused: true });
    const event = refused();
    const { emitted } = await world.run('hook-dispatch', event);
    expect(told(emitted)).toEqual(['of-all', 'of-releases', 'of-site']);
    expect(emitted[0]).toMatchObject({ type: 'dev.tidemill.hook.requested.v1', source: '/functions/hook-dispatch', chainid: event.chainid });
    // The whole event goes along, so that a delivery depends on nothing that may be gone by then.
    expect((emitted[0]!.data as { event: unknown }).event).toEqual(event);
  });

  it('told again asks for the same deliveries, by the same ids', async () => {
    await world.hook('one', { url });
    await world.hook('two', { url });
    const { emitted } = await world.run('hook-dispatch', refused());
    expect(new Set(emitted.map((event) => event.id)).size).toBe(2);
    expect((await world.run('hook-dispatch', refused())).emitted).toEqual([]);
  });

  it('says nothing of what the watcher tells again: hooks have heard of it', async () => {
    await world.hook('one', { url });
    expect((await world.run('hook-dispatch', { ...refused(), id: 'again', source: '/functions/watcher' })).emitted).toEqual([]);
  });

  it('has nobody to tell where there is no hook', async () => {
    expect(await world.run('hook-dispatch', refused())).toEqual({ settled: { kind: 'done' }, emitted: [] });
  });

  it('finds hooks on every page of a long list', async () => {
    const names = Array.from({ length: 620 }, (_, n) => `hook-${String(n).padStart(3, '0')}`);
    for (const name of names)
      await world.objects.create<'Hook'>({
        kind: 'Hook',
        metadata: { name, namespace: 'default', labels: { 'tidemill.dev/project': '' } },
        spec: { url, secret: 'shared' },
      });
    expect(told((await world.run('hook-dispatch', refused())).emitted)).toEqual(names);
  });
});
