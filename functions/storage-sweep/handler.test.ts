import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotYet } from '../../shared/host/contract.ts';
import { tickEvent } from '../../shared/events/tick.ts';
import type { Storage } from '../../shared/ports/storage.ts';
import { eventOf } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';
import { handle } from './handler.ts';

const DUE = Date.UTC(2026, 10, 3, 11, 17);
const tick = tickEvent('storage-sweep', DUE, 'tidemill-system');

describe('storage-sweep', () => {
  /** What the storage was asked, and what it answers, one answer after the other. */
  const asked: string[] = [];
  let answers: { removed: number; more: boolean }[];
  const said: object[] = [];
  beforeEach(() => {
    asked.length = 0;
    said.length = 0;
    answers = [];
  });
  const sweep: Storage['sweep'] = async (before) => {
    asked.push(before);
    return answers.shift() ?? { removed: 0, more: false };
  };
  const log = { info: (fields: object) => void said.push(fields), warn: () => {}, error: () => {} };
  const run = () => handle(tick, { storage: { sweep } as Storage, now: () => '2026-11-03T11:17:00.300Z', log, attempt: 1, lastAttempt: 10, home: 'default' });

  it('takes away what was begun two days ago and never ended, and says how much that was', async () => {
    answers = [{ removed: 3, more: false }];
    expect(await run()).toEqual({});
    expect(asked).toEqual(['2026-11-01T11:17:00.300Z']);
    expect(said).toEqual([{ removed: 3, more: false }]);
  });

  it('says nothing where there was nothing', async () => {
    expect(await run()).toEqual({});
    expect(said).toEqual([]);
  });

  it('comes again for what is left, as long as something goes', async () => {
    answers = [
      { removed: 1000, more: true },
      { removed: 0, more: true },
    ];
    await expect(run()).rejects.toBeInstanceOf(NotYet);
    await expect(run()).resolves.toEqual({});
  });
});

describe('storage-sweep on the host', () => {
  let world: World;
  beforeEach(() => {
    world = openWorld();
  });
  afterEach(() => world.close());

  it('leaves what is stored, whoever the tick is from and however often it comes', async () => {
    await world.storage.put('kept', Buffer.from('x'));
    const foreign = { ...eventOf('dev.knative.sources.ping', { tick: 'storage-sweep' }), source: '/apis/v1/namespaces/elsewhere/pingsources/mine' };
    for (const event of [tick, tick, foreign]) expect(await world.run('storage-sweep', event)).toEqual({ settled: { kind: 'done' }, emitted: [] });
    expect((await world.storage.list('')).keys).toEqual(['kept']);
  });

  it('does nothing at a tick for another, and refuses one that says nothing it can read', async () => {
    let swept = 0;
    world.storage.sweep = async () => ({ removed: swept++, more: false });
    expect((await world.run('storage-sweep', tickEvent('pool-sweep', DUE, 'tidemill-system'))).settled).toEqual({ kind: 'done' });
    expect(swept).toBe(0);
    await world.run('storage-sweep', tick);
    expect(swept).toBe(1);
    const { settled } = await world.run('storage-sweep', { ...tick, data: { tick: 'No name' } });
    expect(settled).toMatchObject({ kind: 'dead', reason: expect.stringContaining('Invalid data of dev.knative.sources.ping: tick') });
  });
});
