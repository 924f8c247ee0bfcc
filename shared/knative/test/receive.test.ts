// The answers on the event endpoint, and how attempts are counted over the broker's retries and the delay queue's.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event } from '../../../test/contracts/broker.ts';
import type { Delivery, Settlement, Subscription } from '../../ports/broker.ts';
import { toBinary } from '../headers.ts';
import { ATTEMPT_HEADER } from '../later.ts';
import { type Endpoint, openEndpoint, post } from './endpoint.ts';

const A = 'dev.tidemill.artifact.requested.v1';
const DONE: Settlement = { kind: 'done' };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let endpoint: Endpoint;
beforeEach(async () => {
  endpoint = await openEndpoint({ backoff: { base_ms: 20, cap_ms: 200 } });
});
afterEach(() => endpoint.close());

const subscribe = (deliver: (delivery: Delivery) => Promise<Settlement>, options: Partial<Subscription> = {}) =>
  endpoint.broker.subscribe({ name: 'one', types: [A], concurrency: 2, maxAttempts: 3, ...options }, deliver);

const tell = (told = event('1'), more: Record<string, string> = {}, path = '') => {
  const { headers, body } = toBinary(told);
  return post(endpoint.url + path, { ...(headers as Record<string, string>), ...more }, body);
};
const waiting = async () => (await endpoint.storage.list('later/')).keys;

describe('answers', () => {
  it('202 and nothing else when it is done', async () => {
    const seen: Delivery[] = [];
    subscribe(async (delivery) => (seen.push(delivery), DONE));
    expect(await tell()).toMatchObject({ status: 202, text: '', headers: { 'content-length': '0' } });
    expect(seen).toMatchObject([{ event: event('1'), attempt: 1, subscription: 'one', checked: true }]);
  });

  it('400 for what is no event, with what is wrong', async () => {
    subscribe(async () => DONE);
    const bad = await tell(event('1'), { 'ce-id': '' });
    expect(bad.status).toBe(400);
    expect(JSON.parse(bad.text)).toEqual({ reason: expect.stringContaining('id') as string });
    expect((await post(endpoint.url, { 'content-type': 'application/cloudevents-batch+json' }, '[]')).status).toBe(400);
    expect((await post(endpoint.url, { 'content-type': 'application/json' }, '{}')).status).toBe(400);
  });

  it('422 with the reason for what is refused for good', async () => {
    subscribe(async () => ({ kind: 'dead', reason: 'no such project' }));
    const refused = await tell();
    expect(refused.status).toBe(422);
    expect(JSON.parse(refused.text)).toEqual({ reason: 'no such project', attempts: 1 });
  });

  it('422 for an event of another type than the function takes', async () => {
    subscribe(async () => DONE);
    expect((await tell(event('1', { type: 'dev.tidemill.artifact.failed.v1', reason: 'r' }))).status).toBe(422);
  });

  it('429 with Retry-After after the wait that was asked for', async () => {
    subscribe(async () => ({ kind: 'retry', after_ms: 300, reason: 'not yet' }));
    const start = performance.now();
    const answer = await tell();
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(performance.now() - start).toBeGreaterThanOrEqual(295);
  });

  it('500 after a throw, and 422 when the attempts are used up', async () => {
    const attempts: number[] = [];
    subscribe(async ({ attempt }) => {
      attempts.push(attempt);
      throw new Error('the disk is on fire');
    });
    expect([(await tell()).status, (await tell()).status]).toEqual([500, 500]);
    const last = await tell();
    expect(last.status).toBe(422);
    expect(JSON.parse(last.text)).toEqual({ reason: 'Given up after 3 attempts; the last one: the disk is on fire', attempts: 3 });
    expect(attempts).toEqual([1, 2, 3]);
    expect((await tell()).status).toBe(500);
    expect(attempts.at(-1)).toBe(1);
  });

  it('404 where no function listens, 405 for what is no POST, 413 for what is too large', async () => {
    subscribe(async () => DONE);
    expect((await tell(event('1'), {}, 'nobody')).status).toBe(404);
    expect(await post(endpoint.url, {}, '', 'GET')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    const large = Buffer.alloc(2 * 1024 ** 2 + 1, ' ');
    expect((await post(endpoint.url, { 'content-type': 'application/json' }, large)).status).toBe(413);
    expect((await post(endpoint.url, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }, large)).status).toBe(413);
  });

  it('503 while it ends, after what is in hand is done', async () => {
    const release = Promise.withResolvers<void>();
    subscribe(() => release.promise.then(() => DONE));
    const [first] = [tell()];
    await sleep(50);
    const stopped = endpoint.broker.stop(5000);
    expect(await tell(event('2'))).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    release.resolve();
    expect((await first).status).toBe(202);
    await stopped;
  });

  it('finds its subscription by path where there are several', async () => {
    const seen: string[] = [];
    subscribe(async ({ subscription }) => (seen.push(subscription), DONE));
    subscribe(async ({ subscription }) => (seen.push(subscription), DONE), { name: 'two' });
    expect((await tell(event('1'), {}, 'two')).status).toBe(202);
    expect((await tell(event('1'), {}, '')).status).toBe(404);
    expect(seen).toEqual(['two']);
  });
});

describe('the delay queue', () => {
  it('takes over what waits long, and delivers it when it is due, once', async () => {
    const attempts: number[] = [];
    subscribe(async ({ attempt }) => {
      attempts.push(attempt);
      return attempt === 1 ? { kind: 'retry', after_ms: 60_000, reason: 'later' } : DONE;
    });
    expect((await tell()).status).toBe(202);
    expect(await waiting()).toHaveLength(1);
    expect(await endpoint.later.deliverDue(Date.now())).toEqual({ delivered: 0, postponed: 0, dead: 0 });
    expect(await endpoint.later.deliverDue(Date.now() + 61_000)).toEqual({ delivered: 1, postponed: 0, dead: 0 });
    expect(attempts).toEqual([1, 2]);
    expect(await waiting()).toEqual([]);
  });

  it("takes over before the broker's patience ends, and does not count what only waits", async () => {
    let calls = 0;
    const attempts = new Set<number>();
    subscribe(async ({ attempt }) => {
      attempts.add(attempt);
      return ++calls < 8 ? { kind: 'retry', after_ms: 5, reason: 'not yet', waiting: true } : DONE;
    });
    expect([(await tell()).status, (await tell()).status, (await tell()).status]).toEqual([429, 429, 202]);
    for (let i = 0; i < 20 && calls < 8; i++) await endpoint.later.deliverDue(Date.now() + 10_000);
    expect(calls).toBe(8);
    expect(attempts).toEqual(new Set([1]));
    expect(await waiting()).toEqual([]);
  });

  it('counts on, and puts what is given up to the dead letters, from where it is redriven from attempt 1', async () => {
    let mended = false;
    const attempts: number[] = [];
    subscribe(async ({ attempt }) => {
      attempts.push(attempt);
      if (mended) return DONE;
      return { kind: 'retry', after_ms: 10_000, reason: 'still broken' };
    });
    expect((await tell()).status).toBe(202);
    for (let i = 1; i <= 3; i++) await endpoint.later.deliverDue(Date.now() + i * 20_000);
    expect(attempts).toEqual([1, 2, 3]);
    const [letter] = await endpoint.broker.deadLetters();
    expect(letter).toMatchObject({ subscription: 'one', attempts: 3, event: event('1'), reason: 'Given up after 3 attempts; the last one: still broken' });
    mended = true;
    await endpoint.broker.redrive(letter!.id);
    await endpoint.later.deliverDue(Date.now() + 1);
    expect(attempts).toEqual([1, 2, 3, 1]);
    expect(await endpoint.broker.deadLetters()).toEqual([]);
    await expect(endpoint.broker.redrive(letter!.id)).rejects.toThrow(/no dead letter/);
  });

  it('keeps what it cannot deliver: a function that is away, or an answer that is not its own', async () => {
    await endpoint.later.put({ subscription: 'nobody', event: event('1'), attempt: 4 }, 0);
    expect(await endpoint.later.deliverDue(Date.now() + 1)).toEqual({ delivered: 0, postponed: 1, dead: 0 });
    const seen: number[] = [];
    subscribe(async ({ attempt }) => (seen.push(attempt), DONE), { name: 'nobody', maxAttempts: 10 });
    expect(await endpoint.later.deliverDue(Date.now() + 10_000)).toMatchObject({ delivered: 1 });
    expect(seen).toEqual([4]);
  });

  it('gives up after hours of a function that nobody reaches, and says so', async () => {
    await endpoint.later.put({ subscription: 'nobody', event: event('1'), attempt: 1 }, 0);
    for (let i = 0; i < 61; i++) await endpoint.later.deliverDue(Date.now() + 400_000);
    expect(await endpoint.broker.deadLetters()).toMatchObject([{ subscription: 'nobody', reason: expect.stringContaining('61 tries') as string }]);
    expect(await waiting()).toEqual([]);
  });

  it('leaves alone what is under way, and is not stopped by a document that is none', async () => {
    const release = Promise.withResolvers<void>();
    let calls = 0;
    subscribe(async () => {
      calls++;
      await release.promise;
      return DONE;
    });
    await endpoint.storage.put('later/0000000000001-one-00000000000000000000000000.json', Buffer.from('{'));
    await endpoint.later.put({ subscription: 'one', event: event('1'), attempt: 1 }, 0);
    const first = endpoint.later.deliverDue(Date.now() + 1);
    await expect.poll(() => calls).toBe(1);
    await endpoint.later.deliverDue(Date.now() + 1);
    release.resolve();
    expect(await first).toMatchObject({ delivered: 1 });
    expect(calls).toBe(1);
  });

  it('refuses a name that is none', async () => {
    await expect(endpoint.later.put({ subscription: '../dead', event: event('1'), attempt: 1 }, 0)).rejects.toThrow(/no name of a function/);
  });

  it('takes nobody else for the attempt than a number', async () => {
    const attempts: number[] = [];
    subscribe(async ({ attempt }) => (attempts.push(attempt), DONE));
    for (const header of ['2', 'x', '-1', '1e9']) await tell(event('1'), { [ATTEMPT_HEADER]: header });
    expect(attempts).toEqual([2, 1, 1, 3]);
  });
});
