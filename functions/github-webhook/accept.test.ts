import { createHmac } from 'node:crypto';
import examples from '@octokit/webhooks-examples' with { type: 'json' };
import { afterEach, expect, test } from 'vitest';
import { pushBody } from '../../test/support/github.ts';
import { post, SECRET, startWebhook, type WebhookServer } from '../../test/support/webhook.ts';
import type { GithubWebhookOptions } from './accept.ts';
import { InboxUnavailable } from './inbox/inbox.ts';
import { translate } from './translate/translate.ts';

let server: WebhookServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: Partial<GithubWebhookOptions> = {}): Promise<WebhookServer> {
  server = await startWebhook(options);
  return server;
}

const push = pushBody({ repository: 'https://github.com/example/site.git', after: 'a'.repeat(40) });

test('every payload of @octokit/webhooks-examples, signed, is answered as it should and what is kept can be understood', async () => {
  const { post, inbox, handled } = await start();
  const count = { kept: 0, pong: 0, ignored: 0 };
  // Their types say that the module is the list; at run time it is the default export.
  for (const { name, examples: payloads } of examples as unknown as { name: string; examples: object[] }[])
    for (const payload of payloads) {
      const { status, body } = await post(Buffer.from(JSON.stringify(payload)), {}, name);
      if (name === 'push' || name === 'pull_request') {
        expect({ name, status, told: body.status }).toEqual({ name, status: 202, told: 'accepted' });
        count.kept += 1;
      } else if (name === 'ping') {
        expect({ status, told: body.status }).toEqual({ status: 200, told: 'pong' });
        count.pong += 1;
      } else {
        expect({ name, status, told: body.status }).toEqual({ name, status: 202, told: 'ignored' });
        expect(body.reason).toContain(`"${name}"`);
        count.ignored += 1;
      }
    }
  expect(count.kept).toBe(36);
  expect(count.pong).toBeGreaterThan(0);
  expect(count.ignored).toBeGreaterThan(200);
  await inbox.caughtUp();
  const kinds = handled.map(({ head, body }) => translate(head, body).kind);
  expect(kinds.filter((kind) => kind === 'events').length).toBe(32);
  // Deleted tags.
  expect(kinds.filter((kind) => kind === 'nothing').length).toBe(4);
});

test('is answered 202 only once the inbox has it, and says which delivery', async () => {
  const kept = Promise.withResolvers<void>();
  const { post } = await start({ inbox: { append: () => kept.promise } });
  let answered = false;
  const answer = post(push, { 'x-github-delivery': 'd-1' }).finally(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(answered).toBe(false);
  kept.resolve();
  expect((await answer).status).toBe(202);
  expect((await answer).body).toEqual({ status: 'accepted', delivery: 'd-1' });
});

test('what the inbox cannot keep is 503 with the reason and when to come again, never 202', async () => {
  const { post } = await start({ inbox: { append: () => Promise.reject(new InboxUnavailable('The disk is full; make room, then redeliver')) } });
  const { status, headers, body } = await post(push);
  expect(status).toBe(503);
  expect(headers.get('retry-after')).toMatch(/^\d+$/);
  expect(body.error).toBe('The disk is full; make room, then redeliver');
});

test('an unexpected failure of the inbox is 503 and tells a stranger nothing of the inside', async () => {
  const { post } = await start({ inbox: { append: () => Promise.reject(new Error('EIO /secret/path')) } });
  const { status, body } = await post(push);
  expect(status).toBe(503);
  expect(body.error).not.toContain('/secret/path');
});

test('the raw bytes and what their meaning depends on are what is kept', async () => {
  const { post, inbox, handled } = await start();
  await post(push, { 'x-github-delivery': 'd-2' });
  await inbox.caughtUp();
  expect(handled).toHaveLength(1);
  expect(handled[0]?.body.equals(push)).toBe(true);
  expect(handled[0]?.head).toMatchObject({ event: 'push', delivery: 'd-2', contentType: 'json' });
});

test('a form with payload= is taken as well, its signature being over the form', async () => {
  const { post, inbox, handled } = await start();
  const form = Buffer.from(new URLSearchParams({ payload: push.toString() }).toString());
  const { status } = await post(form, { 'content-type': 'application/x-www-form-urlencoded' });
  expect(status).toBe(202);
  await inbox.caughtUp();
  const { head, body } = handled[0]!;
  expect(translate(head, body).kind).toBe('events');
});

test('without a secret nothing is accepted: closed, not open', async () => {
  for (const secret of [undefined, '', [], ['', '']]) {
    const { post, close, handled } = await startWebhook({ secret: () => secret });
    const signedWithNothing = `sha256=${createHmac('sha256', '').update(push).digest('hex')}`;
    const { status, body } = await post(push, { 'x-hub-signature-256': signedWithNothing });
    expect(status).toBe(503);
    expect(body.error).toContain('TIDEMILL_WEBHOOK_SECRET');
    expect(handled).toHaveLength(0);
    await close();
  }
});

test('while one secret replaces the other both are good, and afterwards only the new one', async () => {
  let secret: string | string[] = [SECRET, 'new'];
  const { port, post: send } = await start({ secret: () => secret });
  const signed = (by: string) => ({ 'x-hub-signature-256': `sha256=${createHmac('sha256', by).update(push).digest('hex')}` });
  expect((await send(push)).status).toBe(202);
  expect((await send(push, signed('new'))).status).toBe(202);
  expect((await send(push, signed('other'))).status).toBe(401);
  secret = 'new';
  expect((await post(port, push)).status).toBe(401);
  expect((await send(push, signed('new'))).status).toBe(202);
});

test('other methods are 405 with what is allowed', async () => {
  const { port } = await start();
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const response = await fetch(`http://127.0.0.1:${port}/webhooks/github`, { method });
    expect({ method, status: response.status, allow: response.headers.get('allow') }).toEqual({ method, status: 405, allow: 'POST' });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  }
});

test('a verified request without X-GitHub-Event is 400; one without or with an odd delivery id is taken', async () => {
  const { post } = await start();
  expect(await post(push, { 'x-github-event': undefined })).toMatchObject({ status: 400, body: { error: expect.stringContaining('X-GitHub-Event') } });
  expect(await post(push, { 'x-github-event': '' })).toMatchObject({ status: 400 });
  expect(await post(push, { 'x-github-delivery': undefined })).toMatchObject({ status: 202, body: { status: 'accepted' } });
  const odd = await post(push, { 'x-github-delivery': '"><script>' });
  expect(odd.status).toBe(202);
  expect(odd.body.delivery).toBeUndefined();
});

test('an event nobody knows is 202 with the reason, but only when it is signed', async () => {
  const { post } = await start();
  expect(await post(push, {}, 'sponsorship_of_the_moon')).toMatchObject({
    status: 202,
    body: { status: 'ignored', reason: expect.stringContaining('sponsorship_of_the_moon') },
  });
  expect(await post(push, { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` }, 'ping')).toMatchObject({ status: 401 });
});

const NOT_TAKEN = {
  'none at all': undefined,
  'plain text': 'text/plain',
  'a prefix of it': 'application/jso',
  'more after it': 'application/jsonp',
  'trailing garbage': 'application/json garbage',
  'trailing garbage after a parameter': 'application/json; charset=utf-8 garbage',
  'a parameter with no value': 'application/json; charset',
  'a tab inside': 'application/\tjson',
  'a list of two': 'application/json, text/plain',
  'another charset': 'application/json; charset=utf-16',
  multipart: 'multipart/form-data; boundary=x',
  'a very long one': `application/json;${' x=y;'.repeat(1000)}`,
};

for (const [name, type] of Object.entries(NOT_TAKEN))
  test(`content type, ${name}: 415 that says what to set`, async () => {
    const { port } = await start();
    const { status, body } = await post(port, push, { 'content-type': type });
    expect(status).toBe(415);
    expect(body.error).toContain('application/json');
  });

for (const type of [
  'application/json',
  'APPLICATION/JSON',
  'application/json; charset=utf-8',
  'application/json;charset="UTF-8"',
  'application/json\t;\tcharset=utf-8',
  ' \tapplication/json',
])
  test(`content type ${JSON.stringify(type)} is JSON`, async () => {
    const { post } = await start();
    expect((await post(push, { 'content-type': type })).status).toBe(202);
  });

test('a compressed body is 415: the signature would be over other bytes', async () => {
  const { post } = await start();
  expect(await post(push, { 'content-encoding': 'gzip' })).toMatchObject({ status: 415, body: { error: expect.stringContaining('gzip') } });
});
