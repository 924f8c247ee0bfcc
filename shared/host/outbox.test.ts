// An outcome that is a record: what is told with it, and who was faster.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../store/store.ts';
import type { TidemillEvent } from '../events/event.ts';
import type { NewObj } from '../objects/kinds.ts';
import { Conflict, type Objects } from '../ports/objects.ts';
import type { AlreadyDecided } from './host.ts';
import { beginWithOutbox, ringOutbox } from './outbox.ts';

const AT = '2026-11-03T11:00:00Z';
const SHA = 'a'.repeat(40);
const ref = { namespace: 'default', name: 'push-1' };
const record: NewObj<'Push'> = {
  kind: 'Push',
  metadata: ref,
  spec: { kind: 'branch', repository: 'https://git.example.com/site', ref: 'refs/heads/main', before: '0'.repeat(40), after: SHA },
  status: { told: [{ event: 'cause', teller: 'webhook', at: AT }], results: [] },
};
const lane: NewObj<'Lane'> = { kind: 'Lane', metadata: { namespace: 'default', name: 'site.branch.main' }, spec: { project: 'site', ref: 'refs/heads/main' } };
const event = (id: string, type: string, data: object = {}): TidemillEvent =>
  ({ specversion: '1.0', id, source: '/test', type, time: AT, datacontenttype: 'application/json', chainid: id, data }) as TidemillEvent;
const resolved = { namespace: 'default', project: 'site', artifact: 'site.a', type: 'git', digest: `sha1:${SHA}` };
const told = event('told', 'dev.tidemill.artifact.resolved.v1', resolved);

let store: ReturnType<typeof openStore>;
beforeEach(() => {
  store = openStore(':memory:');
});
afterEach(() => store.close());

function setUp(publish: (events: readonly TidemillEvent[]) => Promise<void>, around: (objects: Objects) => Partial<Objects> = () => ({})) {
  const { objects } = store;
  const broker = { publish };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const begin = beginWithOutbox({ broker, durable: true, now: () => AT, log });
  const delivery = { event: event('cause', 'dev.tidemill.git.push.v1'), attempt: 1, subscription: 'git-push' };
  return { objects, ...begin(delivery, { objects: { ...objects, ...around(objects) } }) };
}

describe('a record', () => {
  test('is there before what it tells is published: whoever decides again may decide otherwise, and would tell both', async () => {
    const seen: boolean[] = [];
    const { objects, commit } = setUp(async () => void seen.push((await objects.get('Push', ref)) !== undefined));
    await commit({ create: [], record, events: [told] });
    expect(seen).toEqual([true]);
    expect((await objects.get('Push', ref))!.status!.outbox).toMatchObject([{ events: [JSON.stringify(told)] }]);
  });

  test('of which nothing could be published is there, and is no success', async () => {
    const { objects, commit } = setUp(async () => {
      throw new Error('the broker is away');
    });
    await expect(commit({ create: [], record, events: [told] })).rejects.toThrow('the broker is away');
    expect((await objects.get('Push', ref))?.status?.outbox).toHaveLength(1);
  });

  test('that somebody else wrote meanwhile is a conflict', async () => {
    const { objects, commit } = setUp(async () => {});
    await objects.create({ ...record, status: { told: [], results: [] } });
    await expect(commit({ create: [], record, events: [told] })).rejects.toThrow(Conflict);
  });

  test('is written while what goes with it is made, and what it tells waits for both', { timeout: 5000 }, async () => {
    const order: string[] = [];
    const begun = { Push: Promise.withResolvers<void>(), Lane: Promise.withResolvers<void>() };
    const { commit } = setUp(
      async () => void order.push('published'),
      ({ create }) => ({
        create: async (object) => {
          begun[object.kind as 'Push' | 'Lane'].resolve();
          await Promise.all([begun.Push.promise, begun.Lane.promise]);
          order.push(object.kind);
          return create(object);
        },
      }),
    );
    await commit({ create: [lane], record, events: [told] });
    expect(order.toSorted()).toEqual(['Lane', 'Push', 'published']);
    expect(order[2]).toBe('published');
  });

  describe('of which something was not made, as who recorded it was killed', () => {
    const published: TidemillEvent[] = [];
    const objects = () => store.objects;

    beforeEach(async () => {
      published.length = 0;
      const { commit } = setUp(
        async (events) => void published.push(...events),
        ({ create }) => ({ create: async (object) => (object.kind === 'Lane' ? Promise.reject(new Error('killed')) : create(object)) }),
      );
      await expect(commit({ create: [lane], record, events: [told] })).rejects.toThrow('killed');
      expect(await objects().get('Push', ref)).toBeDefined();
    });

    test('has it made when it is delivered again, and is told then', async () => {
      expect(published).toEqual([]);
      const again = setUp(async (events) => {
        expect(await objects().get('Lane', lane.metadata)).toBeDefined();
        published.push(...events);
      });
      const decided = await again.ports.objects!.get('Push', ref).catch((error: unknown) => error);
      await (decided as AlreadyDecided).tellAgain();
      expect(published).toEqual([told]);
    });

    test('is not told by the watcher before it is', async () => {
      const warnings: object[] = [];
      const broker = { publish: async (events: readonly TidemillEvent[]) => void published.push(...events) };
      const ring = async () => {
        const log = { info: () => {}, warn: (fields: object) => void warnings.push(fields), error: () => {} };
        return ringOutbox(objects(), (await objects().get('Push', ref))!, '2026-11-03T12:00:00Z', { broker, log });
      };
      expect(await ring()).toBe(0);
      expect(warnings).toEqual([{ object: 'Push/default/push-1', missing: 'Lane/default/site.branch.main' }]);
      await objects().create(lane);
      expect(await ring()).toBe(1);
      expect(published).toEqual([told]);
      expect((await objects().get('Push', ref))!.status!.outbox).toEqual([{ cause: expect.any(String) as string, at: AT }]);
    });
  });
});
