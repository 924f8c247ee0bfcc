// What every endpoint has in common: how requests are refused.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';
import type { ProblemBody } from './problem.ts';

let api: TestApi;
beforeAll(() => {
  api = openTestApi();
});
afterAll(() => api.close());

const put = (body: string | Uint8Array<ArrayBuffer>, type = 'application/json') =>
  api.call('PUT', '/secrets/x', typeof body === 'string' ? body : undefined, { 'content-type': type });

describe('requests', () => {
  test('unknown routes are 404 problem+json, whatever the method', async () => {
    for (const [method, path] of [
      ['GET', '/nothing'],
      ['DELETE', '/projects'],
      ['POST', '/secrets/x/y'],
    ] as const) {
      const response = await api.call(method, path);
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ type: 'urn:tidemill:problem:no-such-route', title: 'Not found', status: 404 });
    }
  });

  test('malformed JSON is 400 with the place', async () => {
    const response = await put('{\n  "value": oops }');
    expect(response.status).toBe(400);
    const problem = (await response.json()) as ProblemBody;
    expect(problem.detail).toContain('line 2, column 12 (position 13): expected a value');
    expect(problem.errors).toEqual([{ path: '@13', message: 'expected a value' }]);
  });

  test('only JSON is taken, so that no form of a foreign page is', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', ''])
      expect((await put('{"value":"x"}', type)).status).toBe(415);
    for (const type of ['application/json', ' application/json ; charset=utf-8', 'APPLICATION/JSON;\tcharset=utf-8'])
      expect((await put('{"value":"x"}', type)).status).toBe(204);
  });

  test('a body over 1 MiB is 413, declared or not', async () => {
    const large = JSON.stringify({ value: 'x'.repeat(1024 * 1024) });
    expect((await put(large)).status).toBe(413);
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    });
    const request = new Request('http://127.0.0.1/api/v1/secrets/x', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    });
    expect((await (await import('./request.ts')).body(request, (await import('zod')).z.unknown()).catch((error: unknown) => error)) as Error).toMatchObject({
      status: 413,
    });
  });

  test('nesting of 100,000 and keys such as __proto__ do no harm', async () => {
    expect((await put('['.repeat(100_000) + ']'.repeat(100_000))).status).toBe(422);
    expect((await put('{"__proto__":{"value":"x"}}')).status).toBe(422);
    expect((await put('{"value":"x","constructor":{"prototype":{}}}')).status).toBe(422);
  });

  test('names of tidemill’s own secrets, and paths, cannot be written', async () => {
    for (const name of ['hook.abc', 'credential.abc', '..', '%2e%2e%2ftoken', 'A', 'x'.repeat(64)]) {
      const response = await api.call('PUT', `/secrets/${name}`, { value: 'x' });
      expect([404, 422]).toContain(response.status);
    }
  });

  test('a secret is kept and never given back', async () => {
    await api.json(204, 'PUT', '/secrets/npm-token', { value: 'hush' });
    expect(await api.secrets.get('run.default.npm-token')).toBe('hush');
    expect((await api.call('GET', '/secrets/npm-token')).status).toBe(404);
    await api.json(422, 'PUT', '/secrets/npm-token', { value: 'ü'.repeat(40_000) });
    await api.json(204, 'DELETE', '/secrets/npm-token');
    await expect(api.secrets.get('run.default.npm-token')).rejects.toThrow('no secret');
  });

  test('no answer is stored by anybody on the way', async () => {
    expect((await api.call('GET', '/projects')).headers.get('cache-control')).toBe('no-store');
  });
});
