import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HTTP } from 'cloudevents';
import { eventOf } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

interface Received {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const KEY = Buffer.alloc(32, 7);
let world: World;
let server: Server;
let url: string;
let received: Received[];
/** What the receiver answers, one after the other; then 204. */
let answers: { status: number; headers?: Record<string, string> }[];

beforeEach(async () => {
  process.env['TIDEMILL_HOOKS_ALLOW'] = '127.0.0.1';
  world = openWorld();
  received = [];
  answers = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks) });
      const { status, headers } = answers.shift() ?? { status: 204 };
      response.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/in?token=very-secret`;
});
afterEach(async () => {
  delete process.env['TIDEMILL_HOOKS_ALLOW'];
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await world.close();
});

/** Verifies as https://www.standardwebhooks.com says, without a line of the code under test. */
function verify({ headers, body }: Received, key: Buffer): boolean {
  const signed = Buffer.concat([Buffer.from(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`, 'utf8'), body]);
  const expected = createHmac('sha256', key).update(signed).digest();
  return String(headers['webhook-signature'])
    .split(' ')
    .some((entry) => {
      const [version, signature] = entry.split(',');
      const given = Buffer.from(signature ?? '', 'base64');
      return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
    });
}

const public_ = eventOf('dev.tidemill.release.refused.v1', { namespace: 'default', project: 'site', environment: 'production', reason: 'Zu alt: “v1” 🌊' });
const requested = (hook = 'listener', n = 0) =>
  eventOf('dev.tidemill.hook.requested.v1', { namespace: 'default', hook, event: { ...public_, ...(n > 0 && { id: `event-${n}` }) } });
const deliver = (attempt = 1, event = requested()) => world.run('hook-delivery', event, attempt);
const log = async () => (await world.get('Hook', 'listener')).status?.deliveries ?? [];

describe('a delivery', () => {
  beforeEach(() => world.hook('listener', { url }));

  it('is a CloudEvent, signed so that a receiver of Standard Webhooks verifies it', async () => {
    const { settled, emitted } = await deliver();
    expect(settled).toEqual({ kind: 'done' });
    expect(received).toHaveLength(1);
    const [one] = received as [Received];
    expect(verify(one, KEY)).toBe(true);
    expect(verify(one, Buffer.alloc(32, 8))).toBe(false);
    expect(verify({ ...one, body: Buffer.concat([one.body, Buffer.from(' ')]) }, KEY)).toBe(false);
    expect(one.headers['webhook-id']).toMatch(/^msg_[0-9a-z]+$/);
    expect(one.headers['webhook-timestamp']).toMatch(/^\d{10}$/);
    expect(JSON.parse(one.body.toString())).toEqual(public_);
    expect(HTTP.toEvent({ headers: one.headers, body: one.body.toString() })).toMatchObject({
      id: public_.id,
      source: public_.source,
      type: public_.type,
      data: public_.data,
    });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.hook.delivered.v1', data: { hook: 'listener', eventId: public_.id, status: 204, attempts: 1 } }]);
    expect(await log()).toMatchObject([{ event: public_.id, type: public_.type, outcome: 'delivered', status: 204, attempts: 1 }]);
  });

  it('has the same id at every attempt, and the time of each', async () => {
    answers = [{ status: 500 }];
    expect((await deliver(1)).settled).toMatchObject({ kind: 'retry' });
    await deliver(2);
    const [first, second] = received as [Received, Received];
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(Number(second.headers['webhook-timestamp'])).toBeGreaterThan(Number(first.headers['webhook-timestamp']));
    expect(verify(second, KEY)).toBe(true);
    expect(await log()).toMatchObject([{ attempts: 2, outcome: 'delivered' }]);
  });

  it('that fails comes again after pauses that double, up to six hours', async () => {
    const pauses: number[] = [];
    for (const attempt of [1, 2, 5, 19]) {
      answers = [{ status: 500 }];
      const { settled, emitted } = await deliver(attempt);
      expect(emitted).toEqual([]);
      expect(settled).toMatchObject({ kind: 'retry', waiting: false, reason: expect.stringMatching(/^127\.0\.0\.1:\d+ answered 500$/) });
      if (settled.kind === 'retry') pauses.push(settled.after_ms);
    }
    const full = [2000, 4000, 32_000, 6 * 3_600_000];
    for (const [n, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(full[n]! * 0.8);
      expect(pause).toBeLessThanOrEqual(full[n]! * 1.2);
    }
    expect(await log()).toMatchObject([{ event: public_.id, outcome: 'retrying', attempts: 19, reason: expect.stringContaining('answered 500') }]);
  });

  it('waits for as long as the receiver asks, and never longer than six hours', async () => {
    answers = [
      { status: 429, headers: { 'retry-after': '120' } },
      { status: 503, headers: { 'retry-after': '99999999' } },
    ];
    expect((await deliver()).settled).toMatchObject({ kind: 'retry', after_ms: 120_000 });
    expect((await deliver(2)).settled).toMatchObject({ kind: 'retry', after_ms: 6 * 3_600_000 });
  });

  it.each([300, 301, 400, 404, 422, 500, 503])('answered %i is not taken', async (status) => {
    answers = [{ status, headers: { location: url } }];
    expect((await deliver()).settled).toMatchObject({ kind: 'retry' });
    expect(received).toHaveLength(1);
  });

  it('answered 410 is given up at once', async () => {
    answers = [{ status: 410 }];
    const { settled, emitted } = await deliver();
    expect(settled).toEqual({ kind: 'done' });
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.hook.dead.v1', data: { attempts: 1, reason: expect.stringMatching(/answered 410: it wants nothing more/) } },
    ]);
    expect(await log()).toMatchObject([{ outcome: 'dead' }]);
  });

  it('is given up at the last attempt, and says so where people look', async () => {
    answers = [{ status: 500 }];
    const { settled, emitted } = await deliver(20);
    expect(settled).toEqual({ kind: 'done' });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.hook.dead.v1', data: { hook: 'listener', attempts: 20 } }]);
    expect(await log()).toMatchObject([{ outcome: 'dead', attempts: 20, reason: expect.stringContaining('answered 500') }]);
  });

  it('names the host and not the URL, which is a secret of its own with many a receiver', async () => {
    answers = [{ status: 500 }, { status: 500 }];
    const told = [await deliver(1), await deliver(20), await log()];
    expect(JSON.stringify(told)).not.toContain('very-secret');
    expect(JSON.stringify(world.events)).not.toContain(KEY.toString('base64'));
  });

  it('told again after a kill is sent again, by the same id, and stands once in the log', async () => {
    world.hooks.beforeCommit = () => {
      world.hooks.beforeCommit = undefined;
      throw new Error('killed');
    };
    await expect(deliver()).rejects.toThrow('killed');
    await deliver();
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await log()).toHaveLength(1);
    expect(world.types()).toEqual(['hook.delivered']);
  });

  it('is sent once, though thirty of the same hook end at the same time', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, n) => deliver(1, requested('listener', n + 1))));
    expect(received).toHaveLength(30);
    expect(await log()).toHaveLength(30);
    expect(world.events).toHaveLength(30);
  });

  it('stands in the log with the newest fifty', async () => {
    for (let n = 1; n <= 55; n++) await deliver(1, requested('listener', n));
    expect((await log()).map(({ event }) => event)).toEqual(Array.from({ length: 50 }, (_, n) => `event-${55 - n}`));
  });

  it('is nothing where the hook was removed or paused meanwhile', async () => {
    const hook = await world.get('Hook', 'listener');
    await world.objects.update({ ...hook, spec: { ...hook.spec, paused: true } });
    expect(await deliver()).toEqual({ settled: { kind: 'done' }, emitted: [] });
    await world.objects.delete('Hook', { namespace: 'default', name: 'listener' });
    expect(await deliver()).toEqual({ settled: { kind: 'done' }, emitted: [] });
    expect(received).toEqual([]);
  });
});

describe('a delivery that cannot be made', () => {
  it('for an address that no hook may have is given up at once, and nothing is sent', async () => {
    delete process.env['TIDEMILL_HOOKS_ALLOW'];
    await world.hook('listener', { url });
    const { emitted } = await deliver();
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.hook.dead.v1', data: { reason: expect.stringMatching(/could not be reached: 127\.0\.0\.1 is a private.*TIDEMILL_HOOKS_ALLOW/) } },
    ]);
    expect(received).toEqual([]);
  });

  it('for want of a secret comes again, since that can be set anew', async () => {
    await world.hook('listener', { url });
    await world.secrets.delete('hook.listener');
    expect((await deliver()).settled).toMatchObject({ kind: 'retry', reason: expect.stringContaining('no secret named hook.listener') });
    await world.secrets.set('hook.listener', 'whsec_');
    expect((await deliver(2)).settled).toMatchObject({ kind: 'retry', reason: expect.stringContaining('secret of the hook is empty') });
    expect(received).toEqual([]);
    await deliver(20);
    expect(await log()).toMatchObject([{ outcome: 'dead', reason: expect.stringContaining('empty') }]);
  });

  it('as nobody listens comes again', async () => {
    const port = (server.address() as AddressInfo).port;
    await new Promise((resolve) => server.close(resolve));
    await world.hook('listener', { url });
    expect((await deliver()).settled).toMatchObject({ kind: 'retry', reason: expect.stringContaining(`127.0.0.1:${port} could not be reached`) });
  });
});
