import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSite, type SiteServer } from '../../test/support/site.ts';

let server: SiteServer;
const big = randomBytes(3_000_000);
const page = `<!doctype html>${'<p>text that compresses</p>'.repeat(100)}`;

beforeAll(async () => {
  server = await startSite();
  const files = {
    'index.html': page,
    'about.html': 'about',
    'docs/index.html': 'docs',
    'both.html': 'both page',
    'both/index.html': 'both folder',
    '404.html': 'not here',
    'assets/app-B3kd92Xa.js': `console.log(1);${' '.repeat(1000)}`,
    'app.js': 'plain();'.repeat(200),
    'shipped.js': 'shipped();'.repeat(200),
    'shipped.js.br': 'pretend this is brotli',
    'big.bin': big,
    'big.css': '/* */'.repeat(100_000),
    'noise.txt': randomBytes(5000),
    'a b/ü🌊.txt': 'unicode',
    'empty.txt': '',
    latest: { symlink: 'docs' },
    'link.html': { symlink: 'about.html' },
    'round/a': { symlink: 'b' },
    'round/b': { symlink: 'a' },
    'dangling.html': { symlink: 'nothing' },
  };
  await server.point('shop', '1.0.0', await server.store(files));
});
afterAll(() => server.close());

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

function get(path: string, headers: Record<string, string> = {}, host = 'shop', method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: server.port, path, method, headers: { host: `${host}.localhost`, ...headers }, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks), text: Buffer.concat(chunks).toString() }));
    });
    call.on('error', reject);
    call.end();
  });
}

const visit = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' };
const part = { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' };

describe('files', () => {
  it('has the right type, length and headers', async () => {
    const answer = await get('/');
    expect(answer).toMatchObject({ status: 200, text: page });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      vary: 'Accept-Encoding',
    });
    expect((await get('/assets/app-B3kd92Xa.js')).headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect((await get('/app.js')).headers).toMatchObject({ 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-cache' });
    expect(await get('/empty.txt')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } });
    expect((await get('/a%20b/%C3%BC%F0%9F%8C%8A.txt')).text).toBe('unicode');
    expect((await get('/big.bin')).body.equals(big)).toBe(true);
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const path of ['/', '/big.bin', '/nothing', '/docs']) {
      const [head, whole] = await Promise.all([get(path, {}, 'shop', 'HEAD'), get(path)]);
      expect(head.body).toHaveLength(0);
      expect({ ...head.headers, date: '' }).toEqual({ ...whole.headers, date: '' });
      expect(head.status).toBe(whole.status);
    }
  });

  it('refuses other methods, and says which there are', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      expect(await get('/', {}, 'shop', method)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  it('gives strong entity tags, and 304 to who has it', async () => {
    for (const path of ['/', '/big.bin', '/app.js']) {
      const { etag } = (await get(path)).headers;
      expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
      for (const condition of [etag!, `W/${etag!}`, `"other", ${etag!}`, '*'])
        expect(await get(path, { 'if-none-match': condition })).toMatchObject({ status: 304, text: '', headers: { etag } });
      expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
      expect((await get(path, { 'if-none-match': etag! }, 'shop', 'HEAD')).status).toBe(304);
    }
  });

  it('negotiates encodings, with a tag of their own', async () => {
    const plain = await get('/');
    const br = await get('/', { 'accept-encoding': 'gzip, deflate, br, zstd' });
    const gzip = await get('/', { 'accept-encoding': 'br;q=0, gzip;q=0.5' });
    expect([br.headers['content-encoding'], gzip.headers['content-encoding'], plain.headers['content-encoding']]).toEqual(['br', 'gzip', undefined]);
    expect(brotliDecompressSync(br.body).toString()).toBe(page);
    expect(gunzipSync(gzip.body).toString()).toBe(page);
    expect(new Set([br, gzip, plain].map((answer) => answer.headers.etag)).size).toBe(3);
    expect((await get('/', { 'accept-encoding': 'br', 'if-none-match': br.headers.etag! })).status).toBe(304);
    expect((await get('/', { 'accept-encoding': 'br', 'if-none-match': plain.headers.etag! })).status).toBe(200);
    for (const none of ['', 'identity', 'br;q=0', 'zstd', 'gzip;q=nonsense', '*;q=0'])
      expect((await get('/', { 'accept-encoding': none })).headers['content-encoding']).toBeUndefined();
    expect((await get('/noise.txt', { 'accept-encoding': 'br' })).headers, 'what does not get smaller stays').not.toHaveProperty('content-encoding');
    expect((await get('/big.bin', { 'accept-encoding': 'br' })).headers).not.toHaveProperty('content-encoding');
    expect(brotliDecompressSync((await get('/big.css', { 'accept-encoding': 'br' })).body)).toHaveLength(500_000);
  });

  it('uses the compressed files that the build left beside', async () => {
    const answer = await get('/shipped.js', { 'accept-encoding': 'br, gzip' });
    expect(answer).toMatchObject({ text: 'pretend this is brotli', headers: { 'content-encoding': 'br', 'content-type': 'text/javascript; charset=utf-8' } });
    expect(gunzipSync((await get('/shipped.js', { 'accept-encoding': 'gzip' })).body).toString()).toBe('shipped();'.repeat(200));
  });

  it('answers ranges', async () => {
    for (const [path, whole] of [
      ['/big.bin', big],
      ['/app.js', Buffer.from('plain();'.repeat(200))],
    ] as const) {
      const n = whole.length;
      for (const [range, start, end] of [
        ['bytes=0-0', 0, 0],
        ['bytes=5-9', 5, 9],
        ['bytes=-3', n - 3, n - 1],
        [`bytes=${n - 2}-`, n - 2, n - 1],
        ['bytes=7-99999999', 7, n - 1],
        ['bytes=-99999999', 0, n - 1],
      ] as const) {
        const answer = await get(path, { range, 'accept-encoding': 'br' });
        expect(answer).toMatchObject({ status: 206, headers: { 'content-range': `bytes ${start}-${end}/${n}`, 'content-length': String(end - start + 1) } });
        expect(answer.body.equals(whole.subarray(start, end + 1))).toBe(true);
        expect(answer.headers).not.toHaveProperty('content-encoding');
      }
      for (const range of [`bytes=${n}-`, 'bytes=-0', 'bytes=99999999-'])
        expect(await get(path, { range })).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${n}` } });
      for (const range of ['bytes=9-5', 'bytes=-', 'bytes=a-b', 'lines=1-2', 'bytes=0-1,3-4', 'bytes=99999999999999999999-'])
        expect((await get(path, { range })).status).toBe(200);
      const { etag } = (await get(path)).headers;
      expect((await get(path, { range: 'bytes=0-1', 'if-range': etag! })).status).toBe(206);
      for (const other of ['"other"', `W/${etag!}`, new Date().toUTCString()])
        expect((await get(path, { range: 'bytes=0-1', 'if-range': other })).status).toBe(200);
    }
  });
});

describe('paths', () => {
  it('has clean URLs, and sends to the one address that a page has', async () => {
    expect((await get('/about')).text).toBe('about');
    expect((await get('/about.html')).text).toBe('about');
    expect((await get('/docs/')).text).toBe('docs');
    expect(await get('/docs?q=1')).toMatchObject({ status: 307, headers: { location: '/docs/?q=1' } });
    expect(await get('/about/?q=1')).toMatchObject({ status: 307, headers: { location: '/about?q=1' } });
    expect((await get('/both')).text).toBe('both page');
    expect((await get('/both/')).text).toBe('both folder');
    expect(await get('/assets/')).toMatchObject({ status: 404, text: 'not here', headers: { 'content-type': 'text/html; charset=utf-8' } });
    expect((await get('/assets')).status).toBe(404);
  });

  it('follows links, but not in circles', async () => {
    expect((await get('/latest/')).text).toBe('docs');
    expect((await get('/link')).text).toBe('about');
    for (const path of ['/round/a', '/dangling.html', '/latest/nothing']) expect((await get(path)).status).toBe(404);
  });

  it.each([
    '/%',
    '/%zz',
    '/%2e%2e/x',
    '/../x',
    '/docs/../index.html',
    '/docs/%2e/x',
    '/docs%2findex.html',
    '/docs%5Cindex.html',
    '/docs\\index.html',
    '/%00',
    '/x%00.html',
    '/%c3%28',
    '/%ff',
    'nonsense',
    '//../x',
  ])('refuses %s', async (path) =>
    expect((await raw(`GET ${path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n`)).split('\r\n')[0]).toBe('HTTP/1.1 400 Bad Request'),
  );

  it('is not sent elsewhere by a path that looks like a host', async () => {
    for (const path of ['//evil.example', '//evil.example/..;/', '///docs', '//docs']) {
      const answer = await get(path);
      expect([404, 307]).toContain(answer.status);
      expect(answer.headers.location ?? '/').toMatch(/^\/(?!\/)/);
    }
  });

  it('understands a whole URL as a proxy sends it', async () => {
    expect((await get('http://shop.localhost/about?x')).text).toBe('about');
    expect((await get('http://shop.localhost')).text).toBe(page);
  });

  it('says of what it does not have that it does not have it', async () => {
    expect(await get('/nothing')).toMatchObject({ status: 404, text: 'not here', headers: { 'cache-control': 'no-cache' } });
    expect(await get('/', visit, 'nobody')).toMatchObject({ status: 404, text: expect.stringContaining('npx tidemill add nobody') });
    expect((await get('/', {}, 'UPPER_case')).status).toBe(404);
    await server.objects.create<'Project'>({ kind: 'Project', metadata: { namespace: 'default', name: 'soon' }, spec: { source: { url: '/srv/soon' } } });
    expect(await get('/', visit, 'soon')).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, text: expect.stringContaining('no release yet') });
    expect((await get('/', visit, '<b>')).text).not.toContain('<b>');
  });

  it('falls back to index.html where the site is one page, but not for its parts', async () => {
    await server.point('spa', '1', await server.store({ 'index.html': 'the app', 'a.js': 'a' }), { fallback: 'spa' });
    for (const headers of [visit, {}, { accept: 'text/html' }] as Record<string, string>[])
      expect(await get('/some/route', headers, 'spa')).toMatchObject({ status: 200, text: 'the app' });
    expect((await get('/user/john.doe', visit, 'spa')).text).toBe('the app');
    for (const path of ['/gone.js', '/some/route']) expect((await get(path, part, 'spa')).status).toBe(404);
    expect((await get('/gone.js', {}, 'spa')).status).toBe(404);
  });

  it('leaves URLs as they are where clean ones are not wanted', async () => {
    await server.point('plain', '1', await server.store({ 'index.html': 'i', 'about.html': 'a', 'docs/index.html': 'd' }), { cleanUrls: false });
    expect((await get('/about', {}, 'plain')).status).toBe(404);
    expect((await get('/about/', {}, 'plain')).status).toBe(404);
    expect((await get('/docs', {}, 'plain')).headers.location).toBe('/docs/');
  });
});

describe('versions', () => {
  const cookieOf = (answer: Answer): string | undefined => answer.headers['set-cookie']?.[0]?.split(';')[0];

  it('shows a release at once, and a rollback', async () => {
    const [one, two] = await Promise.all(['one', 'two'].map((text) => server.store({ 'index.html': text })));
    for (const [name, manifest, text] of [
      ['1', one!, 'one'],
      ['2', two!, 'two'],
      ['1', one!, 'one'],
    ] as const) {
      await server.point('moving', name, manifest);
      await expect.poll(async () => (await get('/', {}, 'moving')).text, { interval: 2, timeout: 2000 }).toBe(text);
    }
  });

  it('keeps what a page loads to the version of the page', async () => {
    const versions = await Promise.all(
      [1, 2].map((n) => server.store({ 'index.html': `v${n}`, 'data.json': `${n}`, [`old${n}.txt`]: 'x', [`assets/app-B3kd92X${n}.js`]: `js ${n}` })),
    );
    await server.point('kept', '1', versions[0]!);
    const before = await get('/', visit, 'kept');
    expect(before.headers['set-cookie']).toEqual(['tidemill-version=1; Path=/; HttpOnly; SameSite=Lax']);
    expect(before.headers['cache-control']).toBe('private, no-cache');
    await server.point('kept', '2', versions[1]!);
    await expect.poll(async () => (await get('/data.json', part, 'kept')).text).toBe('2');
    const cookie = cookieOf(before)!;
    expect((await get('/data.json', { ...part, cookie }, 'kept')).text).toBe('1');
    expect((await get('/data.json', { ...part, cookie: `a=b; ${cookie}; c=d` }, 'kept')).text).toBe('1');
    expect((await get('/old1.txt', { ...part, cookie }, 'kept')).status).toBe(200);
    expect((await get('/old1.txt', part, 'kept')).status, 'what is no longer there is no longer there').toBe(404);
    expect((await get('/assets/app-B3kd92X1.js', part, 'kept')).text, 'assets of earlier versions go on').toBe('js 1');
    expect((await get('/assets/app-B3kd92X2.js', { ...part, cookie }, 'kept')).text).toBe('js 2');
    const frame = { ...visit, 'sec-fetch-dest': 'iframe', cookie };
    expect(await get('/', frame, 'kept'), 'a frame is part of its page').toMatchObject({ text: 'v1' });
    expect(await get('/', { ...visit, 'sec-purpose': 'prefetch', cookie }, 'kept')).toMatchObject({ text: 'v1' });
    expect((await get('/sw.js', { 'sec-fetch-dest': 'serviceworker', cookie }, 'kept')).status).toBe(404);
    const after = await get('/', { ...visit, cookie }, 'kept');
    expect([after.text, cookieOf(after)]).toEqual(['v2', 'tidemill-version=2']);
    expect((await get('/', { ...visit, cookie: cookieOf(after)! }, 'kept')).headers['set-cookie']).toBeUndefined();
    expect((await get('/', { ...visit, cookie, 'if-none-match': after.headers.etag! }, 'kept')).headers['set-cookie'], 'a 304 is a visit too').toHaveLength(1);
    for (const wrong of ['3', '../x', '', 'x'.repeat(500)])
      expect((await get('/data.json', { ...part, cookie: `tidemill-version=${wrong}` }, 'kept')).text).toBe('2');
  });

  it('forgets versions beyond those that are kept', async () => {
    for (let n = 0; n < 5; n++)
      await server.point('few', String(n), await server.store({ 'index.html': `v${n}`, [`app-B3kd92X${n}.js`]: `${n}` }), { keepVersions: 2 });
    await expect.poll(async () => (await get('/', {}, 'few')).text).toBe('v4');
    expect(await Promise.all([0, 1, 2, 3, 4].map(async (n) => (await get(`/app-B3kd92X${n}.js`, part, 'few')).status))).toEqual([404, 404, 200, 200, 200]);
    expect((await get('/', { ...part, cookie: 'tidemill-version=3' }, 'few')).text).toBe('v3');
    expect((await get('/', { ...part, cookie: 'tidemill-version=1' }, 'few')).text).toBe('v4');
  });

  it('shows nothing of a release that was retired', async () => {
    await server.point('gone', '1', await server.store({ 'index.html': 'x' }));
    expect((await get('/', {}, 'gone')).status).toBe(200);
    const release = (await server.objects.get('Release', { namespace: 'default', name: 'gone' }))!;
    await server.objects.updateStatus<'Release'>({ ...release, status: { conditions: [], history: [release.status!.current!] } });
    await expect.poll(async () => (await get('/', visit, 'gone')).status).toBe(404);
    await server.objects.delete('Release', { namespace: 'default', name: 'gone' });
    await expect.poll(async () => (await get('/', visit, 'gone')).text).toContain('no site named');
  });

  // The pointer moves, forwards and back, as fast as it can, while browsers load pages with their parts.
  it('never mixes two versions in one page load', async () => {
    const versions = await Promise.all(
      [0, 1, 2, 3].map((n) => server.store({ 'index.html': `v${n}`, 'app.js': `v${n}`, 'data.json': `v${n}`, 'style.css': `v${n}` })),
    );
    await server.point('raced', '0', versions[0]!);
    let moves = 0;
    let moving = true;
    const mover = (async () => {
      for (; moving; moves++) await server.point('raced', String(moves % 4), versions[moves % 4]!);
    })();
    const seen = new Set<string>();
    const browse = async (): Promise<void> => {
      let cookie = '';
      for (let load = 0; load < 40; load++) {
        const html = await get('/', { ...visit, cookie }, 'raced');
        cookie = cookieOf(html) ?? cookie;
        const parts = await Promise.all(['/app.js', '/data.json', '/style.css'].map((path) => get(path, { ...part, cookie }, 'raced')));
        for (const each of parts) expect(each.text).toBe(html.text);
        seen.add(html.text);
      }
    };
    await Promise.all([browse(), browse(), browse()]);
    moving = false;
    await mover;
    expect(moves).toBeGreaterThan(50);
    expect(seen.size, 'the pointer did move under the pages').toBeGreaterThan(2);
  });
});

describe('faults', () => {
  it('answers 500 and logs it where a manifest or a file is missing, and goes on', async () => {
    await server.point('lost', '1', `sha256:${'0'.repeat(64)}`);
    expect((await get('/', {}, 'lost')).status).toBe(500);
    expect(JSON.stringify(server.errors.at(-1))).toContain('lost');
    expect((await get('/')).status).toBe(200);
  });

  it('never gives all of a file that rotted on the disk', async () => {
    for (const [name, content] of [
      ['small', 'x'.repeat(1000)],
      ['large', randomBytes(1_000_000)],
    ] as const) {
      await server.point(name, '1', await server.store({ 'index.html': 'x', file: content }));
      const { digest } = await server.storage.putBlob(Buffer.from(content));
      const path = join(server.directory, '.store/sha256', digest.slice(7, 9), digest.slice(9));
      const bytes = await readFile(path);
      bytes[0]! ^= 1;
      await chmod(path, 0o644);
      await writeFile(path, bytes);
      const outcome = await get('/file', {}, name).then(
        (answer) => answer.status,
        () => 'cut off',
      );
      expect(outcome).toBe(name === 'small' ? 500 : 'cut off');
    }
  });

  it('lets go of a file when the client goes away', async () => {
    const open = async (): Promise<number> => (await import('node:fs/promises')).readdir('/proc/self/fd').then((names) => names.length);
    const before = await open();
    for (let i = 0; i < 20; i++) {
      const socket = connect(server.port, '127.0.0.1');
      socket.write('GET /big.bin HTTP/1.1\r\nHost: shop\r\n\r\n');
      await new Promise((data) => socket.once('data', data));
      socket.destroy();
    }
    await expect.poll(open, { timeout: 5000 }).toBeLessThan(before + 5);
    expect((await get('/big.bin')).body).toHaveLength(big.length);
  });
});

function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(server.port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (data: string) => (answer += data));
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}
