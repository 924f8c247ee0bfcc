import fc from 'fast-check';
import { expect, test } from 'vitest';
import { apiRefusal, hostKind, tokenCheck } from './guard.ts';

test('the machine’s own names, with any port and in any case', () => {
  for (const host of ['localhost', 'localhost:7070', 'LocalHost:1', '127.0.0.1', '127.0.0.1:7070', '[::1]', '[::1]:7070'])
    expect([host, hostKind(host)]).toEqual([host, { kind: 'own' }]);
});

test('sites are one label before .localhost', () => {
  expect(hostKind('hello.localhost:7070')).toEqual({ kind: 'site', label: 'hello' });
  expect(hostKind('My-Branch--hello.LOCALHOST')).toEqual({ kind: 'site', label: 'my-branch--hello' });
});

const FOREIGN = [
  undefined,
  '',
  'evil.example',
  'evil.example:7070',
  'localhost.evil.example',
  'localhost.',
  'a.b.localhost',
  '.localhost',
  '-a.localhost',
  'a-.localhost',
  `${'a'.repeat(64)}.localhost`,
  'a_b.localhost',
  'xlocalhost',
  '127.0.0.1.nip.io',
  '127.0.0.2',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '0.0.0.0',
  '[::]',
  '[::ffff:127.0.0.1]',
  '::1',
  'user@localhost',
  'localhost:',
  'localhost:port',
  'localhost:7070:7070',
  'localhost/evil',
  'localhost, evil.example',
  'localhost evil',
  'lоcalhost',
];

for (const host of FOREIGN) test(`the host ${JSON.stringify(host)} is foreign`, () => expect(hostKind(host).kind).toBe('foreign'));

test('no host but one that ends in localhost is a site, whatever it is', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6()), (host) => {
      const { kind } = hostKind(host);
      if (kind === 'site') expect(host.toLowerCase()).toMatch(/\.localhost(:\d+)?$/);
      if (kind === 'own') expect(host.toLowerCase()).toMatch(/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/);
    }),
  );
});

test('the token matches itself alone', () => {
  const isToken = tokenCheck('the-token');
  expect(isToken('the-token')).toBe(true);
  for (const given of ['', 'the-toke', 'the-token ', 'the-tokenx', 'THE-TOKEN']) expect(isToken(given)).toBe(false);
});

const isToken = tokenCheck('t');
const GOOD = { host: 'localhost:7070', authorization: 'Bearer t' };
const ask = (headers: Record<string, string | undefined>, method = 'GET') => apiRefusal({ method, headers: { ...GOOD, ...headers } }, isToken)?.status;

test('with the token, from the command line or a page of this server, it may pass', () => {
  expect(ask({})).toBeUndefined();
  expect(ask({ authorization: 'bearer  t' })).toBeUndefined();
  expect(ask({ origin: 'http://localhost:7070', 'sec-fetch-site': 'same-origin' })).toBeUndefined();
  expect(ask({ 'sec-fetch-site': 'none' })).toBeUndefined();
  expect(ask({ 'content-type': 'application/json; charset=utf-8', 'content-length': '2' }, 'POST')).toBeUndefined();
  expect(ask({}, 'DELETE')).toBeUndefined();
});

const REFUSED: Record<string, [Record<string, string | undefined>, number, string?]> = {
  'no token': [{ authorization: undefined }, 401],
  'an empty token': [{ authorization: 'Bearer ' }, 401],
  'another token': [{ authorization: 'Bearer x' }, 401],
  'the token as Basic': [{ authorization: 'Basic dDp0' }, 401],
  'the token in a cookie': [{ authorization: undefined, cookie: 'token=t; authorization=Bearer t' }, 401],
  'two tokens': [{ authorization: 'Bearer t, Bearer t' }, 401],
  'the origin of a site': [{ origin: 'http://hello.localhost:7070' }, 403],
  'the origin of another port': [{ origin: 'http://localhost:3000' }, 403],
  'the other name of this machine': [{ origin: 'http://127.0.0.1:7070' }, 403],
  'https of the same name': [{ origin: 'https://localhost:7070' }, 403],
  'an origin far away': [{ origin: 'https://evil.example' }, 403],
  'the origin null': [{ origin: 'null' }, 403],
  'an empty origin': [{ origin: '' }, 403],
  'same-site, as a page of a site is': [{ 'sec-fetch-site': 'same-site' }, 403],
  'cross-site': [{ 'sec-fetch-site': 'cross-site' }, 403],
  'a fetch site nobody knows': [{ 'sec-fetch-site': 'x' }, 403],
  'text/plain': [{ 'content-type': 'text/plain', 'content-length': '2' }, 415, 'POST'],
  'a form': [{ 'content-type': 'application/x-www-form-urlencoded', 'content-length': '2' }, 415, 'POST'],
  multipart: [{ 'content-type': 'multipart/form-data; boundary=x', 'content-length': '2' }, 415, 'POST'],
  'a body of no type': [{ 'content-length': '2' }, 415, 'POST'],
  'a chunked body of no type': [{ 'transfer-encoding': 'chunked' }, 415, 'POST'],
  'a type that only begins like JSON': [{ 'content-type': 'application/jsonx', 'content-length': '2' }, 415, 'PUT'],
  'text/plain that says json': [{ 'content-type': 'text/plain; application/json', 'content-length': '2' }, 415, 'POST'],
};

for (const [name, [headers, status, method]] of Object.entries(REFUSED)) test(`refused: ${name}`, () => expect(ask(headers, method)).toBe(status));
