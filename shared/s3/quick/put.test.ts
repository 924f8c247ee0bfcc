import { hash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createQuickPut, type PutQuickly } from './put.ts';

type Answer = { status: number; body?: string } | 'cut';

let server: Server;
let asked: { url: string; headers: IncomingHttpHeaders; body: string }[];
let answer: Answer;
let put: PutQuickly;
const options = () => ({
  endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  bucket: 'bucket',
  credentials: { accessKeyId: 'id', secretAccessKey: 'hidden' },
});

beforeEach(async () => {
  asked = [];
  answer = { status: 200 };
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      asked.push({ url: request.url!, headers: request.headers, body });
      if (answer === 'cut') response.destroy();
      else response.writeHead(answer.status).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  put = createQuickPut(options())!;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const one = (more: object = {}) => ({
  key: 'a b/c!',
  body: Buffer.from('all'),
  sha256: hash('sha256', 'all', 'hex'),
  metadata: { m: 'v' },
  ifAbsent: true,
  ...more,
});

it('stores in one request, which says what the server is to check', async () => {
  expect(await put(one())).toBe(true);
  expect(asked).toMatchObject([{ url: '/bucket/a%20b/c%21', body: 'all', headers: { 'if-none-match': '*', 'x-amz-meta-m': 'v', 'content-length': '3' } }]);
  expect(asked[0]!.headers['x-amz-checksum-sha256']).toBe(hash('sha256', 'all', 'base64'));
  await put(one({ ifAbsent: false }));
  expect(asked[1]!.headers).not.toHaveProperty('if-none-match');
});

it('says that it is there already', async () => {
  answer = { status: 412, body: '<Error/>' };
  await expect(put(one())).rejects.toMatchObject({ code: 'PreconditionFailed', status: 412 });
});

it.each<Answer>([{ status: 503 }, { status: 500 }, { status: 409 }, { status: 200, body: '<Error/>' }, 'cut'])(
  'leaves this one to the SDK after %j',
  async (bad) => {
    answer = bad;
    expect(await put(one())).toBe(false);
    answer = { status: 200 };
    expect(await put(one())).toBe(true);
  },
);

it.each([301, 307, 400, 403, 404])('leaves all of them to the SDK after %i, which will not pass', async (status) => {
  answer = { status };
  expect(await put(one())).toBe(false);
  answer = { status: 200 };
  expect(await put(one())).toBe(false);
  expect(asked).toHaveLength(1);
});

it('leaves to the SDK what is large, what cannot stand in a header as it is, and a server that is away', async () => {
  expect(await put(one({ body: Buffer.alloc(1024 * 1024 + 1) }))).toBe(false);
  for (const value of ['é', ' a', 'a  b', '']) expect(await put(one({ metadata: { m: value } }))).toBe(false);
  expect(asked).toHaveLength(0);
  const away = createQuickPut({ ...options(), endpoint: 'http://127.0.0.1:1' })!;
  expect(await away(one())).toBe(false);
});

it('is not to be had where only the SDK knows the address', () => {
  for (const endpoint of [undefined, 'http://host/path', 'http://user@host', 'ftp://host', 'host'])
    expect(createQuickPut({ ...options(), endpoint })).toBeUndefined();
});
