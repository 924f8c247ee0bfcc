// The dead-letter sink: what Knative says of a failure becomes a letter that can be listed, read and redriven.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDead, type Dead } from '../../shared/knative/dead.ts';
import { toBinary } from '../../shared/knative/headers.ts';
import { type Answered, type Endpoint, openEndpoint, post, quiet } from '../../shared/knative/test/endpoint.ts';
import { event } from '../../test/contracts/broker.ts';
import { createDeadLetters, subscriptionOf } from './dead-letters.ts';

let store: Endpoint;
let server: Server;
let dead: Dead;
let broken = false;
let minute = 0;

beforeEach(async () => {
  store = await openEndpoint();
  dead = createDead(store.storage);
  broken = false;
  const keep: Dead['keep'] = (letter) => (broken ? Promise.reject(new Error('no room')) : dead.keep(letter));
  const now = () => new Date(Date.UTC(2026, 10, 21, 10, minute++)).toISOString();
  server = createServer(createDeadLetters({ dead: { keep }, log: quiet, now }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await store.close();
});

const tell = (more: Record<string, string>, told = event('1')): Promise<Answered> => {
  const { headers, body } = toBinary(told);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return post(url, { ...(headers as Record<string, string>), 'ce-knativebrokerttl': '254', ...more }, body);
};
const base64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const FAILED = 'http://git-push.tidemill-system.svc.cluster.local/';

it('keeps the event as functions take it, with what the function answered', async () => {
  const said = { 'ce-knativeerrordest': FAILED, 'ce-knativeerrorcode': '422', 'ce-knativeerrordata': base64({ reason: 'no such project', attempts: 3 }) };
  expect(await tell(said)).toMatchObject({ status: 202, text: '' });
  expect(await dead.list()).toMatchObject([{ subscription: 'git-push', attempts: 3, reason: 'no such project', event: event('1') }]);
  expect(Object.keys((await dead.list())[0]!.event as object)).not.toContain('knativeerrordest');
});

it('keeps what the broker knows where the function said nothing', async () => {
  await tell({ 'ce-knativeerrordest': FAILED, 'ce-knativeerrorcode': '503', 'ce-knativeerrordata': base64('upstream connect error') });
  await tell({});
  const letters = await dead.list();
  expect(letters[0]).toMatchObject({ subscription: 'git-push', attempts: 1, reason: 'The broker gave up; the last answer was 503: upstream connect error' });
  expect(letters[1]).toMatchObject({ subscription: '', reason: 'The broker gave up, and does not say why' });
  await expect(dead.redrive(letters[1]!.id, store.later)).rejects.toThrow(/Nobody knows which function/);
});

it('keeps what is no event for a function, as it came', async () => {
  await tell({ 'ce-knativeerrordest': FAILED, 'ce-knativeerrorcode': '400', 'ce-type': 'org.example.unknown', 'ce-color': 'blue' });
  expect(await dead.list()).toMatchObject([{ event: { type: 'org.example.unknown', color: 'blue', id: '1', data: event('1').data } }]);
});

it('lists the oldest first, in pages', async () => {
  for (const id of ['1', '2', '3']) await tell({ 'ce-knativeerrordest': FAILED }, event(id));
  const first = await dead.list({ limit: 2 });
  const rest = await dead.list({ limit: 2, after: first[1]!.id });
  expect([...first, ...rest].map((letter) => (letter.event as { id: string }).id)).toEqual(['1', '2', '3']);
});

it('asks for another try when it cannot keep it, and refuses what is no event at all', async () => {
  broken = true;
  expect((await tell({ 'ce-knativeerrordest': FAILED })).status).toBe(503);
  broken = false;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect((await post(url, { 'content-type': 'application/json' }, '{}')).status).toBe(400);
  expect((await post(url, {}, '', 'GET')).status).toBe(405);
  expect(await dead.list()).toEqual([]);
});

it.each([
  [FAILED, 'git-push'],
  ['http://10.1.2.3:8080/hook-delivery', 'hook-delivery'],
  ['https://git-push.default.example.com/?x=y', 'git-push'],
  ['not an address', ''],
  ['http://x/a%2Fb', ''],
  [undefined, ''],
])('%s is the function "%s"', (address, name) => {
  expect(subscriptionOf(address)).toBe(name);
});
