// The client against a server of the test's own, which says and does what a bad day brings.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createKubeClient, type KubeClient } from './client.ts';
import { KubeError } from './error.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

let server: Server;
let client: KubeClient;
let asked: string[];
let renewals: number;
let answers: Answer[];

const json =
  (value: unknown, status = 200, headers = {}): Answer =>
  (_, response) =>
    response.writeHead(status, headers).end(JSON.stringify(value));
const status = (code: number, reason: string, more = {}) => json({ kind: 'Status', reason, message: `said ${reason}`, code, ...more }, code);
const reset: Answer = (request) => request.socket.destroy();
const silence: Answer = () => undefined;

beforeEach(async () => {
  asked = [];
  answers = [];
  renewals = 0;
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${request.headers['authorization']}`);
      (answers.length > 1 ? answers.shift()! : answers[0]!)(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const headers = async (renew: boolean) => ({ authorization: `token-${renew ? ++renewals : renewals}` });
  client = createKubeClient({ connect: async () => ({ server: `${address}/behind/`, headers, namespace: 'home' }) });
});
afterEach(() => {
  client.close();
  server.closeAllConnections();
  server.close();
});

describe('a request', () => {
  test('has its query, its body and its type, and stands below the path of the server', async () => {
    let told: unknown;
    answers = [
      (request, response, body) => {
        told = { type: request.headers['content-type'], body, url: request.url };
        response.end('{"a":1}');
      },
    ];
    const options = { body: [{ op: 'é' }], contentType: 'application/json-patch+json', query: { labelSelector: 'a=b,c', force: true, none: undefined } };
    expect(await client.request('PATCH', '/api/x', options)).toEqual({ a: 1 });
    expect(told).toEqual({ type: 'application/json-patch+json', body: '[{"op":"é"}]', url: '/behind/api/x?labelSelector=a%3Db%2Cc&force=true' });
  });

  test('that is refused says what the server said, and neither body nor token', async () => {
    answers = [status(409, 'AlreadyExists', { details: { name: 'a', kind: 'x' } })];
    const error = await client.request('POST', '/api/x', { body: { secret: 'hidden' } }).catch((thrown: unknown) => thrown as KubeError);
    expect(error).toBeInstanceOf(KubeError);
    expect(error).toMatchObject({ status: 409, reason: 'AlreadyExists', details: { name: 'a' }, uncertain: false });
    expect(error).toMatchObject({ message: 'POST /api/x: said AlreadyExists (HTTP 409 AlreadyExists)' });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/hidden|token-/);
  });

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)('%s with credentials that ended is made again once with new ones', async (method) => {
    answers = [status(401, 'Unauthorized'), json({})];
    await client.request(method, '/x');
    expect(asked).toEqual([`${method} /behind/x token-0`, `${method} /behind/x token-1`]);
  });

  test('with credentials that stay bad fails', async () => {
    answers = [status(401, 'Unauthorized')];
    await expect(client.request('GET', '/x')).rejects.toMatchObject({ status: 401 });
    expect(asked).toHaveLength(2);
  });

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const)('%s that is answered 429 is made again, not before it is time', async (method) => {
    answers = [json({}, 429, { 'retry-after': '1' }), json({ done: true })];
    const start = performance.now();
    expect(await client.request(method, '/x')).toEqual({ done: true });
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  test('that is answered 429 for longer than it is worth waiting fails at once, and says for how long', async () => {
    answers = [json({}, 429, { 'retry-after': '60' })];
    await expect(client.request('GET', '/x')).rejects.toMatchObject({ status: 429, retryAfter_ms: 60_000 });
    expect(asked).toHaveLength(1);
  });

  test('GET whose answer is lost is made again', async () => {
    answers = [reset, status(503, 'ServiceUnavailable'), json({ done: true })];
    expect(await client.request('GET', '/x')).toEqual({ done: true });
    expect(asked).toHaveLength(3);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)('%s whose answer is lost is the caller’s to look after', async (method) => {
    answers = [reset];
    await expect(client.request(method, '/x')).rejects.toMatchObject({ reason: 'NoAnswer', status: 0, uncertain: true });
    answers = [status(503, 'ServiceUnavailable')];
    await expect(client.request(method, '/x')).rejects.toMatchObject({ status: 503, uncertain: true });
    expect(asked).toHaveLength(2);
  });

  test('that nobody takes is tried for a while, whatever it is, and known not to have been made', async () => {
    await new Promise((resolve) => server.close(resolve));
    const start = performance.now();
    await expect(client.request('POST', '/x')).rejects.toMatchObject({ reason: 'Unreachable', uncertain: false });
    expect(performance.now() - start).toBeGreaterThan(2500);
    expect(performance.now() - start).toBeLessThan(9000);
  });

  test('that is not answered in time fails', async () => {
    answers = [silence];
    await expect(client.request('PUT', '/x', { timeout_ms: 100 })).rejects.toMatchObject({ reason: 'Timeout', uncertain: true });
  });

  test('whose refusal is broken off, or does not end, is refused all the same', async () => {
    answers = [(request, response) => response.writeHead(409, { 'content-length': 100 }).write('{"half', () => request.socket.destroy())];
    await expect(client.request('PUT', '/x')).rejects.toMatchObject({ status: 409 });
    answers = [(_, response) => response.writeHead(409, { 'content-length': 100 }).write('{"half')];
    await expect(client.request('PUT', '/x', { timeout_ms: 100 })).rejects.toMatchObject({ status: 409 });
  });

  test('that is answered for longer than it may take fails, and its connection is not used again', async () => {
    answers = [(_, response) => response.writeHead(200, { 'content-length': 100 }).write('{"half'), json({ whole: true })];
    await expect(client.request('PUT', '/x', { timeout_ms: 100 })).rejects.toMatchObject({ reason: 'Timeout', uncertain: true });
    expect(await client.request('GET', '/x')).toEqual({ whole: true });
  });

  test('that is broken off within its answer is lost, and tried again where it may be', async () => {
    const half: Answer = (request, response) => response.writeHead(200, { 'content-length': 100 }).write('{"half', () => request.socket.destroy());
    answers = [half, json({ whole: true })];
    expect(await client.request('GET', '/x')).toEqual({ whole: true });
    answers = [half];
    await expect(client.request('POST', '/x')).rejects.toMatchObject({ reason: 'NoAnswer', uncertain: true });
  });

  test('ends with the signal, also while it waits to be made again', async () => {
    answers = [silence];
    await expect(client.request('GET', '/x', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' });
    answers = [json({}, 429, { 'retry-after': '3' })];
    await expect(client.request('GET', '/x', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('answered by something that is no API server says so', async () => {
    answers = [(_, response) => response.end('<html>')];
    await expect(client.request('GET', '/x')).rejects.toThrow(/no JSON; is it the API server/);
    answers = [(_, response) => response.writeHead(404).end('404 page not found\n')];
    await expect(client.request('GET', '/x')).rejects.toMatchObject({ status: 404, reason: 'NotFound', details: undefined });
  });

  test('for which there are no credentials says why, and the next one asks for them again', async () => {
    let tries = 0;
    const connect = async () => {
      tries++;
      throw new Error('no token mounted');
    };
    const lost = createKubeClient({ connect });
    for (let i = 1; i <= 2; i++) await expect(lost.request('GET', '/x')).rejects.toThrow('GET /x: there is no way to the API server: no token mounted');
    expect(tries).toBe(2);
  });
});

describe('a stream', () => {
  const read = async (path: string, options = {}) => {
    const lines: string[] = [];
    for await (const line of client.stream(path, options)) lines.push(line);
    return lines;
  };

  test('gives lines as they come, whatever the pieces, the last one too', async () => {
    const bytes = Buffer.from('eins\nzwei é 😀\n\ndrei');
    answers = [
      async (_, response) => {
        for (const byte of bytes) {
          response.write(Buffer.from([byte]));
          await new Promise((resolve) => setImmediate(resolve));
        }
        response.end();
      },
    ];
    expect(await read('/x')).toEqual(['eins', 'zwei é 😀', '', 'drei']);
  });

  test('that stops telling is stalled; that is cut is lost; that is refused says why', async () => {
    answers = [(_, response) => response.write('one\n')];
    await expect(read('/x', { idle_ms: 100 })).rejects.toMatchObject({ reason: 'Stalled' });
    answers = [(request, response) => response.write('one\n', () => setTimeout(() => request.socket.destroy(), 20))];
    await expect(read('/x')).rejects.toMatchObject({ reason: 'NoAnswer', message: expect.stringContaining('GET /x') });
    answers = [status(410, 'Expired')];
    await expect(read('/x')).rejects.toMatchObject({ status: 410 });
  });

  test('ends with the signal, before the answer and after', async () => {
    answers = [silence];
    await expect(read('/x', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' });
    answers = [(_, response) => response.write('one\n')];
    await expect(read('/x', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('that its reader leaves is ended', async () => {
    let closed = false;
    answers = [
      (request, response) => {
        request.socket.on('close', () => (closed = true));
        response.write('one\ntwo\n');
      },
    ];
    for await (const line of client.stream('/x')) {
      expect(line).toBe('one');
      break;
    }
    await expect.poll(() => closed).toBe(true);
  });
});
