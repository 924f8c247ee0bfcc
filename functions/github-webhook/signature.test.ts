import { createHmac } from 'node:crypto';
import { Webhooks } from '@octokit/webhooks';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pushBody } from '../../test/support/github.ts';
import { rawExchange, rawHead, SECRET, startWebhook, type WebhookServer } from '../../test/support/webhook.ts';
import { readSignature, signatureKeys, verification } from './signature.ts';

let server: WebhookServer;
beforeAll(async () => {
  server = await startWebhook();
});
afterAll(() => server.close());

const push = pushBody({ repository: 'https://github.com/example/site.git', after: 'b'.repeat(40) });
const sign = (body: Buffer, secret = SECRET) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const right = sign(push);

const WRONG: Record<string, string | undefined> = {
  missing: undefined,
  empty: '',
  'sha1=': `sha1=${createHmac('sha1', SECRET).update(push).digest('hex')}`,
  'sha1= with the right digits': right.replace('sha256', 'sha1'),
  'the digits alone': right.slice('sha256='.length),
  'a prefix only': 'sha256=',
  'v1, with nothing after it': 'v1,',
  short: right.slice(0, -1),
  'half of it': right.slice(0, 39),
  long: `${right}0`,
  'upper case': right.toUpperCase().replace('SHA256', 'sha256'),
  'upper-case prefix': right.replace('sha256', 'SHA256'),
  'not hexadecimal': `sha256=${'z'.repeat(64)}`,
  base64: `sha256=${createHmac('sha256', SECRET).update(push).digest('base64')}`,
  'all zeros': `sha256=${'0'.repeat(64)}`,
  'of another body': sign(Buffer.from('{}')),
  'by another secret': sign(push, 'other'),
  'by the empty secret': sign(push, ''),
  'two of them': `${right}, ${right}`,
  'a space inside': right.replace('=', '= '),
  'not ASCII': `sha256=${'é'.repeat(64)}`,
};

for (const [name, header] of Object.entries(WRONG))
  test(`signature, ${name}: 401 that says what to do`, async () => {
    const { status, body } = await server.post(push, { 'x-hub-signature-256': header });
    expect(status).toBe(401);
    expect(body.error).toContain('TIDEMILL_WEBHOOK_SECRET');
    expect(body.error).not.toContain(SECRET);
  });

test('the right one is taken, after all of those', async () => {
  expect((await server.post(push)).status).toBe(202);
});

test('the older X-Hub-Signature alone is not enough', async () => {
  const { status } = await server.post(push, {
    'x-hub-signature-256': undefined,
    'x-hub-signature': `sha1=${createHmac('sha1', SECRET).update(push).digest('hex')}`,
  });
  expect(status).toBe(401);
});

test('two headers, of which one is right, are 401', async () => {
  const { socket, answer } = rawExchange(server.port);
  const head = rawHead({
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-hub-signature-256': right,
    'X-HUB-Signature-256': `sha256=${'0'.repeat(64)}`,
    'content-length': String(push.length),
    connection: 'close',
  });
  socket.write(head);
  socket.write(push);
  expect(await answer).toMatch(/^HTTP\/1\.1 401 /);
});

test('bytes that decode to the signed text but are other bytes are refused', async () => {
  // Both decode to U+FFFD, so a check of decoded text would take the one for the other.
  const signed = Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xef, 0xbf, 0xbd]), Buffer.from('"}')]);
  const sent = Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from('"}')]);
  expect(sent.toString()).toBe(signed.toString());
  expect((await server.post(sent, { 'x-hub-signature-256': sign(signed) })).status).toBe(401);
  expect((await server.post(signed, { 'x-hub-signature-256': sign(signed) })).status).toBe(202);
});

test('a byte order mark is part of what is signed', async () => {
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), push]);
  expect((await server.post(marked, { 'x-hub-signature-256': right })).status).toBe(401);
});

function verifyOurs(secret: string, payload: string, header: string): boolean {
  const claimed = readSignature(header);
  const keys = signatureKeys(() => secret).current();
  if ('reason' in claimed || !keys) return false;
  const check = verification(keys, claimed);
  const bytes = Buffer.from(payload);
  // In two pieces, as a body comes.
  check.update(bytes.subarray(0, bytes.length >> 1));
  check.update(bytes.subarray(bytes.length >> 1));
  return check.matches();
}

test('says of text what octokit says, for signatures right and wrong', async () => {
  const secret = fc.string({ minLength: 1, unit: 'grapheme' });
  const payload = fc.string({ minLength: 1, unit: 'grapheme' });
  const change = fc.constantFrom(
    (header: string) => header,
    (header: string) => header.slice(0, -1),
    (header: string) => `${header}0`,
    (header: string) => header.replace('sha256', 'sha1'),
    (header: string) => header.replace(/[0-9a-f]$/, (digit) => (digit === '0' ? '1' : '0')),
    (header: string) => header.toUpperCase(),
    () => 'sha256=',
    () => 'garbage',
  );
  await fc.assert(
    fc.asyncProperty(secret, payload, change, fc.boolean(), async (key, text, changed, otherKey) => {
      const header = changed(sign(Buffer.from(text), otherKey ? `${key}!` : key));
      const theirs = await new Webhooks({ secret: key }).verify(text, header).catch(() => false);
      expect(verifyOurs(key, text, header)).toBe(theirs);
    }),
    { numRuns: 300 },
  );
});
