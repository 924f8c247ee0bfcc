import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DigestMismatch } from '../../ports/storage.ts';
import { digestOf } from '../../digests/digest.ts';
import { createExchange, type Exchange } from './exchange.ts';
import type { BlobsAsked } from './protocol.ts';
import { createExchangeStorage } from './storage.ts';

/** What the edge and the store do with the next requests; undefined: as they should. */
type Twist = (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean;

let server: ReturnType<typeof createServer>;
let url: string;
let directory: string;
let twists: Twist[];
let store: Map<string, Buffer>;
let seen: { path: string; token: string | undefined; body: Buffer }[];
let stop: AbortController;
let exchange: Exchange;

beforeEach(async () => {
  [twists, store, seen, stop] = [[], new Map(), [], new AbortController()];
  directory = await mkdtemp(join(tmpdir(), 'tidemill-exchange-'));
  await writeFile(join(directory, 'token'), 'first\n');
  server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  exchange = createExchange({ url, tokenFile: join(directory, 'token'), signal: stop.signal, giveUp_ms: 2000 });
});
afterEach(async () => {
  stop.abort();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  await rm(directory, { recursive: true, force: true });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  seen.push({ path: request.url!, token: request.headers.authorization, body });
  if (twists.shift()?.(request, response, body)) return;
  const json = (value: object) => response.end(JSON.stringify(value));
  if (request.url === '/v1/exchange')
    return void json({ source: { url: 'https://git/x', sha: 'a', credential: { name: 'mine', type: 'basic', host: 'git', username: 'u', password: 'p' } } });
  if (request.url === '/v1/blobs') {
    const { blobs } = JSON.parse(body.toString()) as BlobsAsked;
    return void json({
      blobs: blobs.map(({ digest, size }) =>
        store.has(digest) ? { have: true } : { url: `${url}/store/${digest}`, headers: { 'content-length': String(size) } },
      ),
    });
  }
  const digest = request.url!.slice('/store/'.length);
  if (store.has(digest)) return void response.writeHead(412).end();
  if (digestOf(body) !== digest) return void response.writeHead(400).end('<Error><Code>BadDigest</Code></Error>');
  store.set(digest, body);
  response.end();
}

const status =
  (code: number, text = '', headers = {}): Twist =>
  (_request, response) => {
    response.writeHead(code, headers).end(text);
    return true;
  };
const cut: Twist = (request) => {
  request.socket.destroy();
  return true;
};
const said = (failure: unknown) => (failure instanceof Error ? failure.message : 'nothing');
const asked = () => seen.filter(({ path }) => path === '/v1/blobs').map(({ body }) => (JSON.parse(body.toString()) as BlobsAsked).blobs.length);
const sent = () => seen.filter(({ path }) => path.startsWith('/store/')).length;
const storage = () => createExchangeStorage({ exchange, directory: join(directory, 'spool'), signal: stop.signal, giveUp_ms: 2000 });

describe('the exchange', () => {
  it('gives the credential of the name that the source says, and no other', async () => {
    expect(await exchange.credential('mine')).toEqual({ type: 'basic', host: 'git', username: 'u', password: 'p' });
    await expect(exchange.credential('other')).rejects.toThrow('other is not given to this step');
  });

  it('shows the token that the file holds now', async () => {
    await exchange.exchange();
    await writeFile(join(directory, 'token'), 'second\n');
    await exchange.exchange();
    expect(seen.map(({ token }) => token)).toEqual(['Bearer first', 'Bearer second']);
  });

  it('asks again while the edge is away, starts anew, or is too busy', async () => {
    twists = [cut, status(503, '{"error":"stopping"}', { 'retry-after': '0' }), status(429, '{}', { 'retry-after': '0' }), status(502, '<html>')];
    expect((await exchange.exchange()).source?.sha).toBe('a');
    expect(seen).toHaveLength(5);
  });

  it('takes a refusal for what it is, says the reason, and gives up when nothing helps', async () => {
    twists = [status(403, '{"error":"the execution of this TaskRun has ended"}')];
    await expect(exchange.exchange()).rejects.toThrow(/\/v1\/exchange was refused: the execution of this TaskRun has ended \(HTTP 403\)/);
    twists = [status(200, '<html>')];
    await expect(exchange.exchange()).rejects.toThrow('no JSON');
    twists = Array.from({ length: 100 }, () => cut);
    const failure = await exchange.exchange().catch((error: unknown) => error as Error);
    expect(said(failure)).toMatch(/did not work for \d+ s/);
    expect(said(failure)).not.toContain('first');
  });

  it('stops at once when it is told to', async () => {
    twists = [() => true];
    const asking = exchange.exchange();
    setTimeout(() => stop.abort(new Error('ended')), 50);
    await expect(asking).rejects.toThrow();
  });
});

describe('the storage of a step', () => {
  it('asks for many blobs at once, and sends each once', async () => {
    const bodies = Array.from({ length: 1500 }, (_, i) => Buffer.from(`blob ${i % 1400}`));
    const to = storage();
    const written = await Promise.all(bodies.map((body) => to.putBlob(body)));
    expect(written[7]).toEqual({ digest: digestOf(bodies[7]!), size: bodies[7]!.length });
    expect([store.size, asked(), sent()]).toEqual([1400, [1000, 400], 1400]);
    await storage().putBlob(bodies[0]!);
    expect(sent()).toBe(1400);
  });

  it('sends files and streams without holding them, and leaves nothing in its folder', async () => {
    const bytes = randomBytes(3_000_000);
    const path = join(directory, 'file');
    await writeFile(path, bytes);
    const file = await open(path);
    expect(await storage().putFile!(file, bytes.length)).toEqual({ digest: digestOf(bytes), size: bytes.length });
    await file.close();
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += 70_000) yield bytes.subarray(at, at + 70_000);
      yield Buffer.from('!');
    };
    const { digest, size } = await storage().putBlob(pieces());
    expect(store.get(digest)?.equals(Buffer.concat([bytes, Buffer.from('!')]))).toBe(true);
    expect(size).toBe(bytes.length + 1);
    await expect(storage().putBlob(pieces(), digestOf(bytes))).rejects.toBeInstanceOf(DigestMismatch);
    const breaking = async function* () {
      yield bytes;
      throw new Error('the source broke');
    };
    await expect(storage().putBlob(breaking())).rejects.toThrow('the source broke');
    expect(await storage().putBlob(Buffer.alloc(0))).toMatchObject({ size: 0 });
    expect(await readdir(join(directory, 'spool'))).toEqual([]);
  });

  it('sends again what was cut off, and knows what was stored by an attempt whose answer was lost', async () => {
    const isPut =
      (twist: Twist): Twist =>
      (request, response, body) => {
        if (request.method === 'PUT') return twist(request, response, body);
        twists.unshift(isPut(twist));
        return false;
      };
    const lost: Twist = (request, _response, body) => {
      store.set(request.url!.slice('/store/'.length), body);
      request.socket.destroy();
      return true;
    };
    const bytes = randomBytes(500_000);
    const path = join(directory, 'file');
    await writeFile(path, bytes);
    const file = await open(path);
    for (const twist of [cut, lost, status(500), status(503), status(409), status(403), status(400, '<Error><Code>RequestTimeout</Code></Error>')]) {
      for (const put of [() => storage().putBlob(bytes), () => storage().putFile!(file, bytes.length)]) {
        store.clear();
        twists = [isPut(twist)];
        await put();
        expect(store.get(digestOf(bytes))?.equals(bytes)).toBe(true);
      }
    }
    await file.close();
    expect(asked().length, 'each attempt asks first').toBe(28);
  });

  it('says why the store does not take something, without its address', async () => {
    twists = [() => false, status(400, '<Error><Code>EntityTooLarge</Code></Error>')];
    const failure = await storage()
      .putBlob(Buffer.from('x'))
      .catch((error: unknown) => error as Error);
    expect(said(failure)).toMatch(/refused sha256:[0-9a-f]{64} \(1 bytes\): HTTP 400 EntityTooLarge$/);
    const path = join(directory, 'file');
    await writeFile(path, 'before');
    const file = await open(path);
    await expect(storage().putFile!(file, 7)).rejects.toThrow('had 7 bytes and then 6');
    await file.close();
    const denied: Twist = (request, response, body) => request.method === 'PUT' && status(403)(request, response, body);
    twists = Array.from({ length: 10 }, () => denied);
    await expect(storage().putBlob(Buffer.from('y'))).rejects.toThrow('denied');
  });
});
