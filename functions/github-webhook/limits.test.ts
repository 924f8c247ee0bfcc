import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { pushBody, signedHeaders } from '../../test/support/github.ts';
import { retained } from '../../test/support/memory.ts';
import { rawExchange, rawHead, SECRET, startWebhook, type WebhookServer } from '../../test/support/webhook.ts';
import type { BodyLimits } from './body.ts';
import { translate } from './translate/translate.ts';

const MB = 1024 * 1024;

let server: WebhookServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(limits: Partial<BodyLimits> = {}): Promise<WebhookServer> {
  server = await startWebhook({ limits });
  return server;
}

const push = pushBody({ repository: 'https://github.com/example/site.git', after: 'c'.repeat(40) });
const FORGED = { 'content-type': 'application/json', 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };

/** Writes chunks without end, until the server ends it; resolves with how many bytes went out. */
async function flood(head: string, port: number): Promise<{ sent: number; answer: string }> {
  const { socket, answer } = rawExchange(port);
  await once(socket, 'connect');
  socket.write(head);
  const chunk = Buffer.from(`10000\r\n${'x'.repeat(0x10000)}\r\n`);
  let sent = 0;
  while (socket.writable && sent < 256 * MB) {
    sent += chunk.length;
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
  }
  return { sent, answer: await answer };
}

test('a body announced as too large is 413 before a byte of it was read, and the connection ends', async () => {
  const { port } = await start();
  const { socket, answer } = rawExchange(port);
  socket.write(rawHead({ ...FORGED, 'content-length': String(25 * MB + 1) }));
  expect(await answer).toMatch(/^HTTP\/1\.1 413 [^]*connection: close/i);
});

test('a chunked body past the limit is 413 at the limit, and the connection ends', async () => {
  const { port } = await start({ body_bytes: MB });
  const { sent, answer } = await flood(rawHead({ ...FORGED, 'transfer-encoding': 'chunked' }), port);
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(sent).toBeLessThan(16 * MB);
});

test('gigabytes without a signature are 401 at once and not taken in', async () => {
  const { port } = await start();
  const { sent, answer } = await flood(rawHead({ 'content-type': 'application/json', 'x-github-event': 'push', 'transfer-encoding': 'chunked' }), port);
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(sent).toBeLessThan(16 * MB);
});

test('a body as large as GitHub sends them is taken, kept and understood', async () => {
  const { post, inbox, handled } = await start();
  const padded = { ...JSON.parse(push.toString()), padding: 'x'.repeat(25 * MB - push.length - 13) };
  const body = Buffer.from(JSON.stringify(padded));
  expect(body.length).toBe(25 * MB);
  expect((await post(body)).status).toBe(202);
  await inbox.caughtUp();
  const record = handled[0]!;
  expect(record.body.equals(body)).toBe(true);
  expect(translate(record.head, record.body).kind).toBe('events');
});

test('one byte more is 413', async () => {
  const { post } = await start();
  expect((await post(Buffer.alloc(25 * MB + 1, 0x20))).status).toBe(413);
});

test('a chunked body within the limit is taken as any other', async () => {
  const { port } = await start();
  const { socket, answer } = rawExchange(port);
  socket.write(rawHead({ ...signedHeaders(push, SECRET), 'transfer-encoding': 'chunked', connection: 'close' }));
  for (const piece of [push.subarray(0, 10), push.subarray(10)]) {
    socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    socket.write('\r\n');
  }
  socket.write('0\r\n\r\n');
  expect(await answer).toMatch(/^HTTP\/1\.1 202 /);
});

test('a body cut short of its announced length is never kept', async () => {
  const { port, inbox, handled, post } = await start();
  const { socket } = rawExchange(port);
  socket.write(rawHead({ ...signedHeaders(push, SECRET), 'content-length': String(push.length + 1) }));
  socket.end(push);
  await once(socket, 'close');
  expect((await post(push)).status).toBe(202);
  await inbox.caughtUp();
  expect(handled).toHaveLength(1);
});

test('a slow sender is 408 when its time is over, and the connection ends', async () => {
  const { port } = await start({ body_ms: 300 });
  const { socket, answer } = rawExchange(port);
  socket.write(rawHead({ ...signedHeaders(push, SECRET), 'content-length': String(push.length) }));
  let at = 0;
  const drip = setInterval(() => socket.write(push.subarray(at, ++at)), 50);
  const text = await answer;
  clearInterval(drip);
  expect(text).toMatch(/^HTTP\/1\.1 408 [^]*0\.3 s/);
});

test('what all bodies in flight take is bounded: 503 with when to come again; taken again when the others are gone', async () => {
  const { port, post } = await start({ inFlight_bytes: 100_000 });
  const slow = rawExchange(port);
  await once(slow.socket, 'connect');
  slow.socket.write(rawHead({ ...FORGED, 'content-length': '90000' }));
  slow.socket.write(Buffer.alloc(80_000));
  await new Promise((resolve) => setTimeout(resolve, 100));

  const body = Buffer.from(JSON.stringify({ ...JSON.parse(push.toString()), padding: 'x'.repeat(40_000) }));
  const refused = await post(body);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  expect((await post(push)).status).toBe(202);

  slow.socket.destroy();
  await slow.answer;
  await expect.poll(async () => (await post(body)).status).toBe(202);
});

test('a body in pieces of one byte takes no more memory than it has bytes, or little more', async () => {
  const { port, post, inbox, handled } = await start({ inFlight_bytes: 4 * MB });
  const body = Buffer.from(JSON.stringify({ ...JSON.parse(push.toString()), padding: 'x'.repeat(MB) }));
  const wire = Buffer.from([...body].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join(''), 'latin1');
  const before = retained();
  const { socket, answer } = rawExchange(port);
  socket.write(rawHead({ ...signedHeaders(body, SECRET), 'transfer-encoding': 'chunked', connection: 'close' }));
  await new Promise((resolve) => socket.write(wire, resolve));
  // All but the end was sent: what is held now is held for as long as the sender likes.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect((retained() - before) / MB).toBeLessThan(16);
  socket.write('0\r\n\r\n');
  expect(await answer).toMatch(/^HTTP\/1\.1 202 /);
  expect((await post(push)).status).toBe(202);
  await inbox.caughtUp();
  expect(handled[0]?.body.equals(body)).toBe(true);
});

test('memory is given back by every way a request can end', async () => {
  const { port, post } = await start({ inFlight_bytes: 300_000, body_bytes: 200_000, body_ms: 200 });
  const body = Buffer.from(JSON.stringify({ ...JSON.parse(push.toString()), padding: 'x'.repeat(150_000) }));
  for (let round = 0; round < 3; round++) {
    expect((await post(body)).status).toBe(202);
    expect((await post(body, { 'x-hub-signature-256': FORGED['x-hub-signature-256'] })).status).toBe(401);
    expect((await post(body, {}, 'ping')).status).toBe(200);
    expect((await post(body, { 'x-github-event': undefined })).status).toBe(400);
    const chunked = await flood(rawHead({ ...FORGED, 'transfer-encoding': 'chunked' }), port);
    expect(chunked.answer).toMatch(/^HTTP\/1\.1 413 /);
    const late = rawExchange(port);
    late.socket.write(rawHead({ ...FORGED, 'content-length': '150000' }));
    late.socket.write(Buffer.alloc(149_000));
    expect(await late.answer).toMatch(/^HTTP\/1\.1 408 /);
  }
  expect((await post(body)).status).toBe(202);
});

test('fifty large bodies with forged signatures leave no more behind than one', async () => {
  const { port, post } = await start({ inFlight_bytes: 8 * MB });
  const body = Buffer.alloc(4 * MB, 0x20);
  const forged = `sha256=${createHmac('sha256', 'other').update(body).digest('hex')}`;
  for (let count = 0; count < 50; count++) expect([401, 503]).toContain((await post(body, { 'x-hub-signature-256': forged })).status);
  expect(port).toBeGreaterThan(0);
  expect((await post(push)).status).toBe(202);
});
