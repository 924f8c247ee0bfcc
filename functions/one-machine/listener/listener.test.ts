import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { quiet, rawExchange } from '../../../test/support/webhook.ts';
import { createListener, type Listener, type ListenerOptions } from './listener.ts';

const TOKEN = 'a-token-of-this-test';
const open: Listener[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close(0)));
});

interface Started extends Listener {
  /** What reached a part behind the guard: "api DELETE /api/v1/x" */
  reached: string[];
}

async function start(options: Partial<ListenerOptions> = {}): Promise<Started> {
  const reached: string[] = [];
  const listener = await createListener({
    port: 0,
    token: TOKEN,
    webhook: (request, response) => {
      reached.push(`webhook ${request.method} ${request.url}`);
      request.resume();
      response.end('webhook');
    },
    site: (request, response, label) => {
      reached.push(`site ${label} ${request.url}`);
      response.end(`site ${label}`);
    },
    api: async (request) => {
      reached.push(`api ${request.method} ${new URL(request.url).pathname}`);
      return new Response(`api ${await request.text()}`, { headers: { 'content-type': 'text/plain' } });
    },
    sites: async () => [{ name: 'hello', url: 'http://hello.localhost:1/' }],
    log: quiet,
    ...options,
  });
  open.push(listener);
  return { ...listener, reached };
}

interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** As fetch, but with the Host and other headers that fetch would not send. */
function get(listener: Listener, path: string, headers: Record<string, string> = {}, method = 'GET', body?: string, address = '127.0.0.1'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: address, port: listener.port, path, method, headers: { host: `localhost:${listener.port}`, ...headers }, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** False as well when nothing is heard for a while: some systems drop such packets without a word. */
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

const AUTH = { authorization: `Bearer ${TOKEN}` };

test('each host and path is answered by its part', async () => {
  const listener = await start();
  const { port } = listener;
  expect((await get(listener, '/x', { host: `hello.localhost:${port}` })).text).toBe('site hello');
  expect((await get(listener, '/x', { host: `feature--hello.localhost:${port}` })).text).toBe('site feature--hello');
  expect((await get(listener, '/webhooks/github', {}, 'POST', '{}')).text).toBe('webhook');
  expect((await get(listener, '/webhooks/github?x=1', {}, 'POST', '{}')).text).toBe('webhook');
  expect((await get(listener, '/api/v1/projects', AUTH)).text).toBe('api ');
  expect((await get(listener, '/api/v1/projects', { ...AUTH, 'content-type': 'application/json' }, 'POST', '{"a":1}')).text).toBe('api {"a":1}');
  expect((await get(listener, '/healthz')).text).toBe('ok\n');
  expect((await get(listener, '/')).text).toContain('<h1>tidemill</h1>');
  expect((await get(listener, '/nothing')).status).toBe(404);
  expect((await get(listener, '/webhooks/githubx', {}, 'POST', '{}')).status).toBe(404);
  expect((await get(listener, '/apix', AUTH)).status).toBe(404);
});

test('a site owns all its paths: none of them reaches the webhook or the API', async () => {
  const listener = await start();
  const host = { host: `hello.localhost:${listener.port}` };
  for (const path of ['/api/v1/projects', '/webhooks/github', '/healthz', '/']) await get(listener, path, { ...host, ...AUTH });
  expect(listener.reached).toEqual(['site hello /api/v1/projects', 'site hello /webhooks/github', 'site hello /healthz', 'site hello /']);
});

test('readiness comes from those who know', async () => {
  let reason: string | undefined = 'the runner is not there yet';
  const listener = await start({ notReady: () => reason });
  expect(await get(listener, '/readyz')).toMatchObject({ status: 503, text: 'the runner is not there yet\n' });
  reason = undefined;
  expect(await get(listener, '/readyz')).toMatchObject({ status: 200 });
});

test('localhost is this server on IPv4 and, where there is one, on IPv6; no other address of the machine is', async () => {
  const listener = await start();
  expect((await get(listener, '/healthz')).status).toBe(200);
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  if (addresses.some(({ address }) => address === '::1')) expect((await get(listener, '/healthz', {}, 'GET', undefined, '::1')).status).toBe(200);
  for (const { address, scopeid } of addresses.filter(({ internal }) => !internal))
    expect([address, await answers(scopeid ? `${address}%${scopeid}` : address, listener.port)]).toEqual([address, false]);
});

test('a port that is taken, on either family, means another one', async () => {
  const first = await start();
  const second = await start({ port: first.port });
  expect(second.port).not.toBe(first.port);
  expect((await get(second, '/healthz')).status).toBe(200);

  const other = createServer();
  other.listen(0, '::1');
  const [event] = await Promise.race([once(other, 'listening').then(() => ['listening']), once(other, 'error').then(() => ['error'])]);
  if (event === 'listening') {
    const { port } = other.address() as { port: number };
    expect((await start({ port })).port).not.toBe(port);
  }
  other.close();
});

/** What a web page can make a browser send here. The browser hides the answer from the page; what counts is that nothing is done. */
const ATTACKS: Record<string, { path?: string; method?: string; headers: Record<string, string>; body?: string; status: number }> = {
  'fetch with no-cors and text/plain': {
    method: 'POST',
    headers: { origin: 'https://evil.example', 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    body: '{}',
    status: 403,
  },
  'the same by a browser too old to say whence': { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}', status: 401 },
  'a form post': { method: 'POST', headers: { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=1', status: 403 },
  'a form post from a sandboxed frame': {
    method: 'POST',
    headers: { origin: 'null', 'content-type': 'application/x-www-form-urlencoded' },
    body: 'a=1',
    status: 403,
  },
  'an image or script tag': { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' }, status: 403 },
  'a preflight': {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' },
    status: 403,
  },
  'a page of a site, which the browser takes for the same site': {
    method: 'POST',
    headers: { origin: 'http://hello.localhost', 'content-type': 'application/json', 'sec-fetch-site': 'same-site' },
    body: '{}',
    status: 403,
  },
  'a page of a site that has got hold of the token': {
    method: 'POST',
    headers: { ...AUTH, origin: 'http://hello.localhost', 'content-type': 'application/json' },
    body: '{}',
    status: 403,
  },
  'a page of a dev server on another port, with the token': {
    headers: { ...AUTH, origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' },
    status: 403,
  },
  'a cookie that a site set for localhost': { headers: { cookie: `token=${TOKEN}` }, status: 401 },
  'the token in the address': { path: `/api/v1/x?token=${TOKEN}&access_token=${TOKEN}`, headers: {}, status: 401 },
  'a name that was made to resolve to this machine': { headers: { ...AUTH, host: 'evil.example' }, status: 421 },
  'the same with this port': { headers: { ...AUTH, host: 'rebound.evil.example:7070' }, status: 421 },
  'a method override': { method: 'POST', headers: { ...AUTH, 'content-type': 'text/plain', 'x-http-method-override': 'DELETE' }, body: '{}', status: 415 },
  'an address that climbs': { path: '/x/../api/v1/x', headers: {}, status: 404 },
  'a whole URL as path': { path: 'http://localhost/api/v1/x', headers: AUTH, status: 400 },
};

for (const [name, { path = '/api/v1/x', method = 'GET', headers, body, status }] of Object.entries(ATTACKS))
  test(`from a web page, ${name}: ${status}, and nothing reaches the API`, async () => {
    const listener = await start();
    const got = await get(listener, path, headers, method, body);
    expect(got.status).toBe(status);
    expect(JSON.parse(got.text)).toMatchObject({ status, detail: expect.stringMatching(/.{20}/) });
    expect(got.text).not.toContain(TOKEN);
    expect(Object.keys(got.headers).filter((header) => header.startsWith('access-control'))).toEqual([]);
    expect(listener.reached).toEqual([]);
  });

test('what a foreign host may reach is the webhook, which its signature protects, and nothing else', async () => {
  const listener = await start();
  const tunnel = { host: 'abc.tunnel.example' };
  expect((await get(listener, '/webhooks/github', tunnel, 'POST', '{}')).status).toBe(200);
  for (const path of ['/', '/healthz', '/readyz', '/api/v1/x', '/webhooks', '/webhooks/github/../../api/v1/x', '//webhooks/github'])
    expect([path, (await get(listener, path, { ...tunnel, ...AUTH })).status]).toEqual([path, 421]);
  expect(listener.reached).toEqual(['webhook POST /webhooks/github']);
});

test('a WebSocket is refused, for a page may open one to anywhere', async () => {
  const listener = await start();
  for (const path of ['/', '/api/v1/x', '/webhooks/github']) {
    const { socket, answer } = rawExchange(listener.port);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 403 /);
  }
  expect(listener.reached).toEqual([]);
});

test('a request without a Host, and one with two, reach nothing', async () => {
  const listener = await start();
  for (const hosts of ['', 'Host: evil.example\r\nHost: localhost\r\n']) {
    const { socket, answer } = rawExchange(listener.port);
    socket.write(`GET /api/v1/x HTTP/1.1\r\n${hosts}Authorization: Bearer ${TOKEN}\r\nConnection: close\r\n\r\n`);
    expect(await answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  }
  expect(listener.reached).toEqual([]);
});

const MALFORMED: Record<string, [string, RegExp]> = {
  'no HTTP': ['hello\r\n\r\n', /^HTTP\/1\.1 400 /],
  'TLS on a plain port': ['\x16\x03\x01\x02\x00\x01\x00\x01', /^HTTP\/1\.1 400 /],
  'a header of 100 KB': [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  'two lengths': ['POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', /^HTTP\/1\.1 400 /],
  'a length and chunks': ['POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /^HTTP\/1\.1 400 /],
};

for (const [name, [bytes, answer]] of Object.entries(MALFORMED))
  test(`malformed, ${name}: an answer, and the connection ends`, async () => {
    const listener = await start();
    const exchange = rawExchange(listener.port);
    exchange.socket.write(bytes, 'latin1');
    expect(await exchange.answer).toMatch(answer);
    expect((await get(listener, '/healthz')).status).toBe(200);
  });

test('a sender that never finishes its header is let go', async () => {
  const listener = await start({ limits: { headersTimeout: 200, connectionsCheckingInterval: 100 } });
  const { socket, answer } = rawExchange(listener.port);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
  expect(await answer).toMatch(/^HTTP\/1\.1 408 /);
});

test('nobody is asked to go on with a body before nothing was found to refuse', async () => {
  const listener = await start();
  const expecting = async (headers: string): Promise<string> => {
    const { socket, answer } = rawExchange(listener.port);
    socket.write(
      `POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n${headers}\r\n`,
    );
    socket.once('data', (chunk: Buffer) => String(chunk).startsWith('HTTP/1.1 100') && socket.write('{}'));
    return answer;
  };
  expect(await expecting('')).toMatch(/^HTTP\/1\.1 401 /);
  expect(await expecting(`Authorization: Bearer ${TOKEN}\r\n`)).toMatch(/^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 /);
});

test('the page names the sites, escapes what they are called, loads nothing, and may not be framed', async () => {
  const listener = await start({ sites: async () => [{ name: '<script>alert(1)</script>', url: 'http://x.localhost/"><img>' }] });
  const { status, headers, text } = await get(listener, '/');
  expect(status).toBe(200);
  expect(text).not.toContain('<script>');
  expect(text).not.toContain('"><img>');
  expect(text).not.toContain(TOKEN);
  expect(text).toContain('lang="en"');
  expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  const head = await get(listener, '/', {}, 'HEAD');
  expect([head.status, head.text]).toEqual([200, '']);
  expect((await get(listener, '/', {}, 'POST')).status).toBe(405);
});

test('a part that fails is 500 with nothing of the inside, is in the log, and the server goes on', async () => {
  const errors: object[] = [];
  const listener = await start({
    sites: () => Promise.reject(new Error('database /home/me')),
    site: () => {
      throw new Error('broken');
    },
    log: { ...quiet, error: (fields) => errors.push(fields) },
  });
  const page = await get(listener, '/');
  expect([page.status, page.text.includes('/home/me')]).toEqual([500, false]);
  expect((await get(listener, '/', { host: 'hello.localhost' })).status).toBe(500);
  expect(errors).toHaveLength(2);
  expect((await get(listener, '/healthz')).status).toBe(200);
});

test('closing lets what is in hand finish, takes nothing new, and does not wait for idle connections', async () => {
  const release = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const listener = await start({
    api: async () => {
      entered.resolve();
      await release.promise;
      return new Response('finished');
    },
  });
  const idle = rawExchange(listener.port);
  idle.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(idle.socket, 'data');
  const inHand = get(listener, '/api/v1/slow', AUTH);
  await entered.promise;
  const began = performance.now();
  const closed = listener.close(5000);
  await expect(get(listener, '/healthz')).rejects.toThrow();
  release.resolve();
  expect((await inHand).text).toBe('finished');
  await closed;
  expect(performance.now() - began).toBeLessThan(2000);
});

test('closing ends what does not finish within the grace', async () => {
  const entered = Promise.withResolvers<void>();
  const listener = await start({
    api: () => {
      entered.resolve();
      return new Promise(() => undefined);
    },
  });
  const stuck = get(listener, '/api/v1/stuck', AUTH);
  stuck.catch(() => undefined);
  await entered.promise;
  const began = performance.now();
  await listener.close(200);
  expect(performance.now() - began).toBeGreaterThan(150);
  expect(performance.now() - began).toBeLessThan(1500);
  await expect(stuck).rejects.toThrow();
});
