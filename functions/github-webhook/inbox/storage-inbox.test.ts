import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import { pushBody } from '../../../test/support/github.ts';
import { quiet } from '../../../test/support/webhook.ts';
import { InboxUnavailable } from './inbox.ts';
import { createStorageInbox, ringInbox, type StorageInboxDeps } from '../storage-inbox.ts';

const BODY = pushBody({ repository: 'https://github.com/example/site.git', after: 'a'.repeat(40) });
const BLOB = `blob ${createHash('sha256').update(BODY).digest('hex')}`;
const HEAD = { event: 'push', delivery: 'x', contentType: 'json', received: '2026-11-21T00:00:00.000Z' } as const;
const RAW = { chunks: [BODY], bytes: BODY.length, crc: 0 };

/** Storage in memory, and a broker that takes what `open` lets through. */
function world(options: { durable: boolean; patience_ms?: number; storageFails?: boolean }) {
  const kept = new Map<string, Buffer>();
  const published: TidemillEvent[] = [];
  let publish = async () => {};
  const keep = async (key: string, body: unknown) => {
    if (options.storageFails) throw new Error('the store is away');
    kept.set(key, Buffer.from(body as Uint8Array));
  };
  const read = async (key: string) => {
    const bytes = kept.get(key);
    return bytes && { body: Readable.from([bytes]), size: bytes.length };
  };
  const storage = {
    put: async (key: string, body: unknown) => keep(key, body),
    putBlob: async (body: unknown) =>
      keep(
        `blob ${createHash('sha256')
          .update(body as Uint8Array)
          .digest('hex')}`,
        body,
      ),
    get: read,
    getBlob: async (digest: string) => read(`blob ${digest.slice('sha256:'.length)}`),
    list: async (prefix: string) => ({ keys: [...kept.keys()].filter((key) => key.startsWith(prefix)).toSorted() }),
    delete: async (key: string) => void kept.delete(key),
  } as unknown as StorageInboxDeps['storage'];
  const broker: StorageInboxDeps['broker'] = {
    publish: async (events) => {
      await publish();
      published.push(...events);
    },
  };
  const deps = { storage, broker, log: quiet, ...options };
  const inbox = createStorageInbox(deps);
  return {
    published,
    deps,
    inbox,
    append: () => inbox.append(HEAD, RAW),
    answersWith: (next: () => Promise<void>) => (publish = next),
    keys: () => [...kept.keys()].filter((key) => !key.startsWith('blob ')),
    hasBody: () => kept.has(BLOB),
  };
}

describe('with a durable broker', () => {
  it('has published before it answers, and kept the body alone', async () => {
    const { append, published, keys, hasBody } = world({ durable: true });
    await append();
    expect(published.map(({ type }) => type)).toEqual(['dev.tidemill.git.push.v1']);
    expect(keys()).toEqual([]);
    expect(hasBody()).toBe(true);
  });

  it('keeps what to do where the broker is away, and does it when it is back', async () => {
    const { append, published, keys, answersWith, inbox } = world({ durable: true, patience_ms: 20 });
    const back = Promise.withResolvers<void>();
    answersWith(() => back.promise);
    await append();
    expect([published.length, keys().length]).toEqual([0, 1]);
    back.resolve();
    await inbox.settled();
    expect([published.length, keys().length]).toEqual([1, 0]);
  });

  it('leaves what the broker refused to the watcher', async () => {
    const { append, published, keys, answersWith, inbox, deps } = world({ durable: true });
    answersWith(() => Promise.reject(new Error('away')));
    await append();
    await inbox.settled();
    expect([published.length, keys().length]).toEqual([0, 1]);
    expect(await ringInbox('2026-11-20T00:00:00.000Z', deps)).toBe(0);
    expect(keys()).toHaveLength(1);
    answersWith(async () => {});
    expect(await ringInbox('2026-11-22T00:00:00.000Z', deps)).toBe(1);
    expect([published.length, keys().length]).toEqual([1, 0]);
  });
});

it('with a doorbell it has kept what to do before it answers, and waits for nobody who hears', async () => {
  const { append, published, keys, hasBody, answersWith, inbox } = world({ durable: false });
  const heard = Promise.withResolvers<void>();
  answersWith(() => heard.promise);
  await append();
  expect([published.length, keys().length, hasBody()]).toEqual([0, 1, true]);
  heard.resolve();
  await inbox.settled();
  expect([published.length, keys().length]).toEqual([1, 0]);
});

it.each([true, false])('answers that it cannot where the body cannot be stored (durable: %s)', async (durable) => {
  const { append, keys } = world({ durable, storageFails: true });
  await expect(append()).rejects.toThrow(InboxUnavailable);
  expect(keys()).toEqual([]);
});
