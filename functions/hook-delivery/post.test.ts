import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { LookupAddress } from 'node:dns';
import { type AddressInfo, createServer as createTcp, type LookupFunction, type Server as TcpServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { post } from './post.ts';

const open: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();
beforeEach(() => {
  process.env['TIDEMILL_HOOKS_ALLOW'] = '127.0.0.1';
});
afterEach(async () => {
  delete process.env['TIDEMILL_HOOKS_ALLOW'];
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen<S extends Server | TcpServer>(server: S): Promise<number> {
  open.push(server);
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
const http = async (handler: RequestListener) => new URL(`http://127.0.0.1:${await listen(createServer(handler))}/in?token=secret`);
const tcp = async (handler: (socket: Socket) => void) =>
  new URL(`http://127.0.0.1:${await listen(createTcp((socket) => handler(socket.on('error', () => {}))))}/`);
const send = (url: URL, options?: Parameters<typeof post>[3]) => post(url, { 'content-type': 'text/plain' }, Buffer.from('hello'), options);

/** Answers each question with the next of these lists; counts the questions. */
function dns(...answers: string[][]): LookupFunction & { asked: number } {
  const lookup: LookupFunction = (_host, _options, callback) => {
    const found: LookupAddress[] = (answers[Math.min(fake.asked++, answers.length - 1)] ?? []).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    process.nextTick(() => callback(null, found));
  };
  const fake = Object.assign(lookup, { asked: 0 });
  return fake;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('post', () => {
  it('sends method, path, headers and body, and gives the status', async () => {
    let seen: object = {};
    const url = await http((request, response) => {
      void bodyOf(request).then((body) => {
        seen = {
          method: request.method,
          url: request.url,
          body,
          type: request.headers['content-type'],
          length: request.headers['content-length'],
          agent: request.headers['user-agent'],
        };
        response.writeHead(202).end();
      });
    });
    expect(await send(url)).toEqual({ status: 202 });
    expect(seen).toEqual({ method: 'POST', url: '/in?token=secret', body: 'hello', type: 'text/plain', length: '5', agent: 'tidemill' });
  });

  it('follows no redirect', async () => {
    let elsewhere = 0;
    const target = await http((_, response) => {
      elsewhere++;
      response.end();
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const url = await http((_, response) => response.writeHead(status, { location: target.href }).end());
      expect(await send(url)).toEqual({ status });
    }
    expect(elsewhere).toBe(0);
  });

  it.each([
    ['7', 7000],
    ['0', undefined],
    ['', undefined],
    ['-5', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['Mon, 01 Jan 2001 00:00:00 GMT', undefined],
    ['99999999999', 99_999_999_999_000],
  ])('reads Retry-After %j as %j ms', async (value, ms) => {
    const url = await http((_, response) => response.writeHead(503, { 'retry-after': value }).end());
    expect(await send(url)).toEqual({ status: 503, ...(ms !== undefined && { retryAfter_ms: ms }) });
  });

  it('reads Retry-After as a date', async () => {
    const url = await http((_, response) => response.writeHead(429, { 'retry-after': new Date(Date.now() + 90_000).toUTCString() }).end());
    const answer = await send(url);
    expect(answer).toMatchObject({ status: 429, retryAfter_ms: expect.any(Number) });
    if ('retryAfter_ms' in answer) expect(Math.abs(answer.retryAfter_ms! - 90_000)).toBeLessThan(5000);
  });

  it('reads nothing of a body, however long it goes on', async () => {
    let written = 0;
    const url = await http((_, response) => {
      response.writeHead(200);
      const more = () => {
        while (written < 1e9 && !response.destroyed && response.write(Buffer.alloc(65_536))) written += 65_536;
      };
      response.on('drain', more).on('error', () => {});
      more();
    });
    expect(await send(url)).toEqual({ status: 200 });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('post gives up on', () => {
  it('a receiver that never answers', async () => {
    const url = await tcp(() => {});
    expect(await send(url, { timeout_ms: 60 })).toEqual({ error: 'no answer within 0.06 s' });
  });

  it('one that sends its headers a byte at a time', async () => {
    const url = await tcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await send(url, { timeout_ms: 120 })).toEqual({ error: 'no answer within 0.12 s' });
  });

  it('one that closes the connection', async () => {
    const url = await tcp((socket) => socket.destroy());
    expect(await send(url)).toEqual({ error: expect.stringMatching(/\w/) });
  });

  it('one that speaks no HTTP', async () => {
    const url = await tcp((socket) => socket.end('220 mail.example.org ESMTP\r\n'));
    expect(await send(url)).toEqual({ error: expect.stringMatching(/\w/) });
  });

  it('one that switches protocols unasked', async () => {
    const url = await tcp((socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'));
    expect(await send(url, { timeout_ms: 2000 })).toEqual({ error: expect.stringMatching(/\w/) });
  });

  it('headers without end', async () => {
    const url = await tcp((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n`));
    expect(await send(url, { timeout_ms: 2000 })).toEqual({ error: expect.stringMatching(/\w/) });
  });

  it('a port where nobody listens', async () => {
    const url = await tcp(() => {});
    const server = open.pop()!;
    await new Promise((resolve) => server.close(resolve));
    expect(await send(url)).toEqual({ error: expect.stringContaining('ECONNREFUSED') });
  });

  it('a name that does not resolve', async () => {
    const lookup: LookupFunction = (host, _options, callback) =>
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '', 0);
    expect(await send(new URL('http://nowhere.example/'), { lookup })).toEqual({ error: 'getaddrinfo ENOTFOUND nowhere.example' });
  });
});

describe('post reaches public addresses only', () => {
  const refused = { error: expect.stringContaining('TIDEMILL_HOOKS_ALLOW'), refused: true };

  it.each([
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0',
    '0.0.0.0',
    '169.254.169.254',
    '10.0.0.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[fd00:ec2::254]',
    '[fe80::1]',
  ])('not %s, and connects to nothing', async (host) => {
    let connections = 0;
    const { port } = await tcp(() => void connections++);
    delete process.env['TIDEMILL_HOOKS_ALLOW'];
    expect(await send(new URL(`http://${host}:${port}/`))).toEqual(refused);
    expect(connections).toBe(0);
  });

  it.each([['127.0.0.1'], ['10.0.0.1'], ['169.254.169.254'], ['::1'], ['fd00::1'], ['::ffff:127.0.0.1'], ['192.168.0.1', '::1']])(
    'not a name whose address is %s',
    async (...addresses) => {
      delete process.env['TIDEMILL_HOOKS_ALLOW'];
      for (const scheme of ['http', 'https']) expect(await send(new URL(`${scheme}://rebound.example/`), { lookup: dns(addresses) })).toEqual(refused);
    },
  );

  it('not localhost by its name', async () => {
    delete process.env['TIDEMILL_HOOKS_ALLOW'];
    expect(await send(new URL('http://localhost:9/'))).toEqual(refused);
  });

  it('nor a name without any address', async () => {
    expect(await send(new URL('http://empty.example/'), { lookup: dns([]) })).toEqual({ error: expect.stringContaining('no address'), refused: true });
  });

  it('connects to the very answer that was checked: DNS that changes meanwhile changes nothing', async () => {
    let connections = 0;
    const { port } = await http((_, response) => {
      connections++;
      response.writeHead(204).end();
    });
    const lookup = dns(['127.0.0.1'], ['10.0.0.1']);
    expect(await send(new URL(`http://rebinding.example:${port}/`), { lookup })).toEqual({ status: 204 });
    expect([lookup.asked, connections]).toEqual([1, 1]);
    expect(await send(new URL(`http://rebinding.example:${port}/`), { lookup })).toEqual(refused);
    expect(connections).toBe(1);
  });

  it('leaves the private ones out of an answer that has both', async () => {
    let host: string | undefined;
    const { port } = await http((request, response) => {
      host = request.headers.host;
      response.writeHead(204).end();
    });
    expect(await send(new URL(`http://mixed.example:${port}/`), { lookup: dns(['10.0.0.1', '127.0.0.1', '::1']) })).toEqual({ status: 204 });
    expect(host).toBe(`mixed.example:${port}`);
  });
});
