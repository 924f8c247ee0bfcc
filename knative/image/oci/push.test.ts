import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath, versions } from 'node:process';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openCache } from '../cache.ts';
import { file } from '../layers/entry.ts';
import { makeLayer, sha256 } from '../layers/layer.ts';
import { describeImage, type Image, imageOf } from './image.ts';
import { pushImage } from './push.ts';
import { isPrivateAddress, nameOf, parseReference } from './reference.ts';

/** A registry as the specification has it, with a token service, and a store of another origin that uploads are sent to. */
interface Hosts {
  registry: Server;
  store: Server;
  at: string;
  blobs: Map<string, Buffer>;
  manifests: Map<string, { type: string; body: Buffer }>;
  log: string[];
  auth: 'none' | 'basic' | 'bearer';
  failures: number;
}

const PASSWORD = 'a:pass/word';
const BASIC = `Basic ${Buffer.from(`me:${PASSWORD}`).toString('base64')}`;
let hosts: Hosts;
let directory = '';
let image: Image;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-push-'));
  vi.stubEnv('DOCKER_CONFIG', directory);
  const packer = { node: execPath, version: versions.node, cache: openCache(join(directory, 'cache')) };
  const layers = await Promise.all(['one', 'two'].map(async (name) => ({ what: name, layer: await makeLayer([file(`app/${name}`, name)], packer) })));
  const about = { version: '1.2.3', user: 65_532, env: { PATH: '/usr/bin' } };
  image = imageOf([describeImage('linux/amd64', layers, about)]);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

const listen = async (server: Server) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};

beforeEach(async () => {
  const state: Hosts = { registry: createServer(), store: createServer(), at: '', blobs: new Map(), manifests: new Map(), log: [], auth: 'none', failures: 0 };
  hosts = state;
  const store = await listen(state.store);
  state.at = await listen(state.registry);
  state.registry.on('request', (request, response) => void serve(request, response, store));
  state.store.on('request', (request, response) => void receive(request, response));
  await writeFile(join(directory, 'config.json'), JSON.stringify({ auths: { [state.at]: { auth: BASIC.slice(6) } } }));
});
afterEach(() => {
  hosts.registry.close();
  hosts.store.close();
});

async function serve(request: IncomingMessage, response: ServerResponse, store: string): Promise<void> {
  const { method } = request;
  const url = new URL(request.url!, `http://${hosts.at}`);
  const body = await buffer(request);
  hosts.log.push(`${method} ${url.pathname}`);
  if (url.pathname === '/token') {
    const known =
      request.headers.authorization === BASIC && url.searchParams.get('service') === 'test' && url.searchParams.get('scope') === 'repository:a/b:pull,push';
    return void response.writeHead(known ? 200 : 401).end(JSON.stringify({ token: 'the-token' }));
  }
  const wanted = { none: undefined, basic: BASIC, bearer: 'Bearer the-token' }[hosts.auth];
  if (wanted !== undefined && request.headers.authorization !== wanted) {
    const challenge = hosts.auth === 'basic' ? 'Basic realm="test"' : `Bearer realm="http://${hosts.at}/token",service="test",scope="repository:a/b:pull,push"`;
    return void response.writeHead(401, { 'www-authenticate': challenge }).end();
  }
  if (hosts.failures-- > 0) return void response.writeHead(503).end('busy');
  const [, kind, id] = /^\/v2\/a\/b\/(blobs|manifests)\/(.+)$/.exec(url.pathname) ?? [];
  if (method === 'HEAD') return void response.writeHead(hosts.blobs.has(id!) ? 200 : 404).end();
  if (method === 'POST' && id === 'uploads/') return void response.writeHead(202, { location: `http://${store}/put?state=1` }).end();
  if (method === 'PUT' && kind === 'manifests') {
    hosts.manifests.set(id!, { type: request.headers['content-type']!, body });
    return void response.writeHead(201, { 'docker-content-digest': sha256(body) }).end();
  }
  response.writeHead(405).end();
}

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://store');
  const body = await buffer(request);
  const digest = url.searchParams.get('digest')!;
  hosts.log.push(`store ${request.headers.authorization ?? 'nobody'}`);
  if (digest !== sha256(body) || url.searchParams.get('state') !== '1') return void response.writeHead(400).end();
  hosts.blobs.set(digest, body);
  response.writeHead(201).end();
}

const push = () => pushImage(image, parseReference(`${hosts.at}/a/b:1`), { insecure: false, note: () => {} });

const failedPush = () =>
  push().then(
    () => Promise.reject(new Error('it was taken')),
    (error: unknown) => error as Error,
  );

describe('push', () => {
  test.each(['none', 'basic', 'bearer'] as const)('sends what is missing and names it (%s), and the second time nothing', async (auth) => {
    hosts.auth = auth;
    const pushed = await push();
    expect(pushed).toMatchObject({ reference: `${hosts.at}/a/b@${image.top.digest}`, sent: 3 });
    const { type, body } = hosts.manifests.get('1')!;
    expect(type).toBe('application/vnd.oci.image.manifest.v1+json');
    expect(sha256(body)).toBe(image.top.digest);
    const manifest = JSON.parse(String(body)) as { config: { digest: string; size: number }; layers: { digest: string; size: number }[] };
    for (const { digest, size } of [manifest.config, ...manifest.layers]) expect(hosts.blobs.get(digest)).toHaveLength(size);
    expect(await push()).toMatchObject({ sent: 0, bytes: 0 });
  });

  test('what the registry sends an upload to is not told who we are', async () => {
    hosts.auth = 'bearer';
    await push();
    expect(hosts.log.filter((line) => line.startsWith('store'))).toEqual(Array(3).fill('store nobody'));
  });

  test('a registry that is busy for a moment is asked again', async () => {
    hosts.failures = 2;
    expect(await push()).toMatchObject({ sent: 3 });
  });

  test('one that refuses us says how to sign in, and no password', async () => {
    hosts.auth = 'bearer';
    await writeFile(join(directory, 'config.json'), JSON.stringify({ auths: { [hosts.at]: { auth: Buffer.from('me:wrong-one').toString('base64') } } }));
    const { message } = await failedPush();
    expect(message).toMatch(/docker login 127\.0\.0\.1:\d+/);
    expect(message).not.toContain('wrong-one');
    expect(hosts.blobs.size).toBe(0);
  });

  test('a broken config.json is named, and its content is not', async () => {
    hosts.auth = 'basic';
    await writeFile(join(directory, 'config.json'), `{"auths": "${PASSWORD}`);
    const { message, cause } = await failedPush();
    expect(message).toContain('config.json cannot be understood');
    expect(`${message} ${String((cause as Error | undefined)?.message)}`).not.toContain(PASSWORD);
  });
});

describe('names', () => {
  test.each([
    ['tidemill', 'docker.io/library/tidemill:latest'],
    ['you/tidemill:1', 'docker.io/you/tidemill:1'],
    ['ghcr.io/you/tidemill', 'ghcr.io/you/tidemill:latest'],
    ['localhost:5000/a:b', 'localhost:5000/a:b'],
    ['localhost/a', 'localhost/a:latest'],
    ['[::1]:5000/a/b_c:v1.0', '[::1]:5000/a/b_c:v1.0'],
  ])('%s is %s', (text, full) => {
    expect(nameOf(parseReference(text))).toBe(full);
  });

  test.each(['', 'UPPER', 'a/b:', 'http://a/b', 'a b', 'ghcr.io/you/x@sha256:00', '-x/y', 'ghcr.io/../x', 'x:y:z'])('%j is none', (text) => {
    expect(() => parseReference(text)).toThrow();
  });

  test.each([
    ['localhost:1', true],
    ['127.0.0.1', true],
    ['10.2.3.4:5000', true],
    ['172.16.0.1', true],
    ['172.32.0.1', false],
    ['192.168.0.9', true],
    ['[fd00::1]:5000', true],
    ['ghcr.io', false],
    ['10.example.com', false],
    ['8.8.8.8', false],
  ])('%s may be asked in the clear: %s', (host, expected) => {
    expect(isPrivateAddress(host)).toBe(expected);
  });
});
