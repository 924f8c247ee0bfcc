// An outcome that is a record: what is told with it, and who was faster.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../store/store.ts';
import type { TidemillEvent } from '../events/event.ts';
import type { NewObj } from '../objects/kinds.ts';
import { Conflict, type Objects } from '../ports/objects.ts';
import { beginWithOutbox } from './outbox.ts';

const AT = '2026-11-03T11:00:00Z';
const SHA = 'a'.repeat(40);
const ref = { namespace: 'default', name: 'push-1' };
const record: NewObj<'Push'> = {
  kind: 'Push',
  metadata: ref,
  spec: { kind: 'branch', repository: 'https://git.example.com/site', ref: 'refs/heads/main', before: '0'.repeat(40), after: SHA },
  status: { told: [{ event: 'cause', teller: 'webhook', at: AT }], results: [] },
};
const event = (id: string, type: string): TidemillEvent =>
  ({ specversion: '1.0', id, source: '/test', type, time: AT, chainid: id, data: {} }) as TidemillEvent;
const told = event('told', 'dev.tidemill.artifact.resolved.v1');

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

  test('and what it tells wait for what is made with it', async () => {
    const order: string[] = [];
    const { commit } = setUp(
      async () => void order.push('published'),
      ({ create }) => ({
        create: async (object) => {
          const made = await create(object);
          order.push(object.kind);
          return made;
        },
      }),
    );
    const lane: NewObj<'Lane'> = {
      kind: 'Lane',
      metadata: { namespace: 'default', name: 'site.branch.main' },
      spec: { project: 'site', ref: 'refs/heads/main' },
    };
    await commit({ create: [lane], record, events: [told] });
    expect(order[0]).toBe('Lane');
  });
});
