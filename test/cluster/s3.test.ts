import { randomBytes, randomUUID } from 'node:crypto';
import { DeleteBucketCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlreadyStored, type Digest, DigestMismatch, type TreeEntry } from '../../shared/ports/storage.ts';
import { ensureBucket } from '../../shared/s3/bucket.ts';
import { createS3Storage, type S3Storage } from '../../shared/s3/storage.ts';
import { bytesOf, pieces, sha256, storageContract } from '../contracts/storage.ts';
import { fromEnv } from './env.ts';
import { retained } from '../support/memory.ts';
import { blobAt, makeBucket, type TestBucket } from './s3/bucket.ts';
import { type FaultProxy, startFaultProxy } from './s3/proxy.ts';

fromEnv('TIDEMILL_TEST_S3_ENDPOINT');
const MiB = 1024 * 1024;
let store: TestBucket;
beforeAll(async () => {
  store = await makeBucket();
});
afterAll(() => store.dispose());

const optionsFor = (prefix: string) => ({ endpoint: store.endpoint, bucket: store.bucket, region: store.region, prefix });

storageContract('s3', async () => {
  const prefix = randomBytes(4).toString('hex');
  return {
    storage: createS3Storage(optionsFor(prefix)),
    rot: (digest) => store.damage(blobAt(`${prefix}/`, digest)),
    abandon: () => store.abandon(`${prefix}/`),
    dispose: () => store.empty(`${prefix}/`),
  };
});

let prefix: string;
let storage: S3Storage;
let proxy: FaultProxy;
let shaky: S3Storage;
beforeEach(async () => {
  prefix = randomUUID();
  storage = createS3Storage(optionsFor(prefix));
  proxy = await startFaultProxy(store.endpoint);
  shaky = createS3Storage({ ...optionsFor(prefix), endpoint: proxy.endpoint });
});
afterEach(async () => {
  await proxy.close();
  await store.empty(`${prefix}/`);
});

const text = async (key: string, from = storage): Promise<string | undefined> => {
  const found = await from.get(key);
  return found && (await bytesOf(found.body)).toString();
};
const treeOf = async (files: Record<string, string>, to = storage): Promise<TreeEntry[]> =>
  Promise.all(Object.entries(files).map(async ([path, content]) => ({ path, blob: (await to.putBlob(Buffer.from(content))).digest })));
const collect = async (body: AsyncIterable<Uint8Array>): Promise<Buffer> => Buffer.concat(await Array.fromAsync(body));
const said = (failure: unknown) => (failure instanceof Error ? failure.message : 'nothing');
const at = (ms: number) => new Date(Date.now() + ms).toISOString();
const own = () => store.keys(`${prefix}/.store/`);

describe('s3: what stands in the bucket', () => {
  it('is what people look for, and blobs once', async () => {
    const entries = await treeOf({ 'index.html': '<p>', 'assets/a.js': 'js', 'assets/b.js': 'js' });
    await storage.publishTree('shop/1.0.0', [...entries, { path: 'latest', symlink: 'index.html' }, { path: 'folder', symlink: 'assets' }]);
    await storage.publishBlob('shop/archive/1.0.0.tar.gz', entries[1]!.blob!);
    expect((await store.keys(`${prefix}/shop/`)).map((key) => key.slice(prefix.length + 1))).toEqual([
      'shop/1.0.0/assets/a.js',
      'shop/1.0.0/assets/b.js',
      'shop/1.0.0/folder',
      'shop/1.0.0/index.html',
      'shop/1.0.0/latest',
      'shop/archive/1.0.0.tar.gz',
    ]);
    expect(await store.read(`${prefix}/shop/1.0.0/assets/b.js`)).toBe('js');
    expect([await text('shop/1.0.0/latest'), await text('shop/1.0.0/folder')]).toEqual(['<p>', undefined]);
    expect(await storage.stat('shop/1.0.0/index.html')).toEqual({ size: 3, digest: sha256('<p>') });
    expect(await own()).toEqual([
      ...[sha256('<p>'), sha256('js')].map((digest) => blobAt(`${prefix}/`, digest)).sort(),
      `${prefix}/.store/trees/shop/1.0.0/~copied`,
      `${prefix}/.store/trees/shop/1.0.0/~tree`,
    ]);
  });

  it('is nothing of an upload that failed, and tells of keys that were changed behind its back', async () => {
    const large = await collect(pieces(12 * MiB));
    for (const digest of [undefined, sha256('other')] as const) {
      const failing = async function* () {
        yield large;
        throw new Error('the source broke');
      };
      await expect(storage.put('k', failing(), digest ? { digest } : {})).rejects.toThrow('the source broke');
      await expect(storage.putBlob(failing(), digest)).rejects.toThrow('the source broke');
    }
    await expect(storage.put('k', pieces(12 * MiB), { digest: sha256('other') })).rejects.toBeInstanceOf(DigestMismatch);
    await expect(storage.putBlob(pieces(12 * MiB), sha256('other'))).rejects.toBeInstanceOf(DigestMismatch);
    expect([await store.keys(`${prefix}/`), await store.uploads()]).toEqual([[], []]);

    const { digest } = await storage.put('k', pieces(12 * MiB));
    expect([digest, await storage.stat('k'), await own()]).toEqual([sha256(large), { size: 12 * MiB, digest: sha256(large) }, []]);
    const { Metadata } = await store.client.send(new HeadObjectCommand({ Bucket: store.bucket, Key: `${prefix}/k` }));
    large[5 * MiB]! ^= 1;
    await store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key: `${prefix}/k`, Body: large, Metadata }));
    await expect(storage.get('k').then((found) => bytesOf(found!.body))).rejects.toBeInstanceOf(DigestMismatch);
  });

  it('is uploaded at constant memory, however long the stream', async () => {
    let most = 0;
    let sent = 0;
    const watched = async function* () {
      for await (const piece of pieces(160 * MiB)) {
        if (Math.floor((sent + piece.length) / (8 * MiB)) > Math.floor(sent / (8 * MiB))) most = Math.max(most, retained());
        sent += piece.length;
        yield piece;
      }
    };
    const before = retained();
    const { size } = await storage.putBlob(watched());
    expect(size).toBe(160 * MiB);
    expect(most - before).toBeLessThan(96 * MiB);
  });

  it('is swept of what was left by writers that are dead, and of nothing else', async () => {
    await storage.put('kept', Buffer.from('x'));
    await store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key: `${prefix}/.store/tmp/left`, Body: 'x' }));
    proxy.rule({ match: /^(?:POST|DELETE) .*uploadId=/, fault: { answer: 400, code: 'Trouble' }, times: 9 });
    await expect(shaky.put('half', pieces(12 * MiB))).rejects.toThrow('Trouble');
    expect(await store.uploads()).toHaveLength(1);
    expect(await storage.sweep(at(-60_000))).toEqual({ removed: 0, more: false });
    expect(await storage.sweep(at(60_000))).toEqual({ removed: 2, more: false });
    expect([await store.uploads(), await store.keys(`${prefix}/`)]).toEqual([[], [`${prefix}/kept`]]);
  });
});

describe('s3: trees are whole from the moment they are there', () => {
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`d${i % 3}/f${i}`, `content ${i}`]));
  const paths = Object.keys(files)
    .map((path) => `shop/1/${path}`)
    .sort();

  /** Killed between the list of files and their copies. */
  const halfPublished = async (): Promise<TreeEntry[]> => {
    const entries = await treeOf(files);
    proxy.rule({ match: /^PUT .*\/shop\/1\/d[12]/, fault: { answer: 403, code: 'AccessDenied' }, times: 100 });
    await expect(shaky.publishTree('shop/1', entries)).rejects.toThrow('AccessDenied');
    expect((await store.keys(`${prefix}/shop/`)).length).toBeLessThan(20);
    return entries;
  };

  it('when the publisher was killed in the middle, and when another goes on', async () => {
    const entries = await halfPublished();
    for (const limit of [1000, 3]) {
      const found: string[] = [];
      for (let more = true; more;) {
        const page = await storage.list('shop/', { limit, ...(found.length > 0 && { after: found.at(-1)! }) });
        found.push(...page.keys);
        ({ more } = page);
      }
      expect(found).toEqual(paths);
    }
    expect((await storage.list('shop/1/d2/')).keys).toEqual(paths.filter((path) => path.includes('/d2/')));
    expect((await storage.list('shop/1/d1/f1')).keys).toEqual(paths.filter((path) => path.startsWith('shop/1/d1/f1')));
    for (const [path, content] of Object.entries(files)) {
      expect(await text(`shop/1/${path}`)).toBe(content);
      expect(await storage.stat(`shop/1/${path}`)).toEqual({ size: content.length, digest: sha256(content) });
    }
    await expect(storage.publishTree('shop/1', entries.slice(1))).rejects.toBeInstanceOf(AlreadyStored);
    await expect(storage.publishTree('shop', entries)).rejects.toBeInstanceOf(AlreadyStored);
    await expect(storage.publishTree('shop/1/d0', entries)).rejects.toBeInstanceOf(AlreadyStored);
    await storage.publishTree('shop/1', entries);
    expect(await store.keys(`${prefix}/shop/`)).toHaveLength(20);
  });

  it('and a file that is deleted does not come back', async () => {
    const entries = await halfPublished();
    await storage.delete('shop/1/d1/f1');
    expect(await text('shop/1/d1/f1')).toBeUndefined();
    expect((await storage.list('shop/')).keys).toEqual(paths.filter((path) => path !== 'shop/1/d1/f1'));
    await expect(storage.publishTree('shop/1', entries)).rejects.toBeInstanceOf(AlreadyStored);
    for (const path of paths) await storage.delete(path);
    await storage.publishTree('shop/1', entries);
    expect((await storage.list('shop/')).keys).toEqual(paths);
  });

  it('while many look on', async () => {
    const entries = await treeOf(files);
    let published = false;
    const publishing = storage.publishTree('shop/1', entries).finally(() => (published = true));
    const counts = new Set<number>();
    while (!published) counts.add((await storage.list('shop/1/')).keys.length);
    await publishing;
    expect([...counts].every((count) => count === 0 || count === 20)).toBe(true);
    expect(counts.size).toBeGreaterThan(0);
  });
});

describe('s3: a server in trouble', () => {
  it.each([
    ['500', { answer: 500, code: 'InternalError' }],
    ['503 SlowDown', { answer: 503, code: 'SlowDown' }],
    ['a cut connection', { cutRequest: 0 }],
  ] as const)('is asked again after %s, and then all is well', async (_name, fault) => {
    proxy.rule({ match: /./, fault, times: 2 });
    await shaky.put('a/b', Buffer.from('one'));
    for (const match of [/^GET/, /^HEAD/, /^DELETE/, /list-type/]) proxy.rule({ match, fault });
    expect(await text('a/b', shaky)).toBe('one');
    expect((await shaky.stat('a/b'))?.size).toBe(3);
    expect((await shaky.list('a/')).keys).toEqual(['a/b']);
    await shaky.delete('a/b');
    expect(await store.keys(`${prefix}/`)).toEqual([]);
  });

  it('gets a part again that was cut off in its middle', async () => {
    proxy.rule({ match: /partNumber=2/, fault: { cutRequest: 100_000 } });
    proxy.rule({ match: /partNumber=3/, fault: { answer: 503, code: 'SlowDown' }, times: 2 });
    const bytes = await collect(pieces(17 * MiB));
    expect(await shaky.put('large', pieces(17 * MiB))).toEqual({ size: bytes.length, digest: sha256(bytes) });
    expect((await bytesOf((await storage.get('large'))!.body)).equals(bytes)).toBe(true);
    expect([await store.uploads(), await own()]).toEqual([[], []]);
  });

  it('may lose the answer to a write that was done: it is known as one’s own', async () => {
    proxy.rule({ match: /^PUT .*\/small/, fault: 'lose-answer' });
    await shaky.put('small', Buffer.from('mine'), { ifAbsent: true });
    proxy.rule({ match: /^POST .*\/large\?.*uploadId/, fault: 'lose-answer' });
    await shaky.put('large', pieces(12 * MiB), { ifAbsent: true, digest: sha256(await collect(pieces(12 * MiB))) });
    proxy.rule({ match: /^POST .*\/unknown\?.*uploadId/, fault: 'lose-answer' });
    await shaky.put('unknown', pieces(12 * MiB), { ifAbsent: true });
    await expect(shaky.put('small', Buffer.from('theirs'), { ifAbsent: true })).rejects.toBeInstanceOf(AlreadyStored);
    expect([await text('small'), (await storage.stat('large'))?.size, (await storage.stat('unknown'))?.size]).toEqual(['mine', 12 * MiB, 12 * MiB]);
    proxy.rule({ match: /^PUT .*\/sha256\//, fault: 'lose-answer' });
    const { digest } = await shaky.putBlob(Buffer.from('blob'));
    proxy.rule({ match: /^PUT .*\/published/, fault: 'lose-answer' });
    await shaky.publishBlob('published', digest);
    proxy.rule({ match: /^PUT .*~tree/, fault: 'lose-answer' });
    await shaky.publishTree('shop/1', [{ path: 'f', blob: digest }]);
    expect([await text('published'), await text('shop/1/f')]).toEqual(['blob', 'blob']);
    expect([await store.uploads(), (await own()).filter((key) => key.includes('/tmp/'))]).toEqual([[], []]);
  });

  it.each(['undone-in-200', 'error-in-200'] as const)('may answer a copy or the end of an upload with an error inside of a 200 (%s)', async (fault) => {
    proxy.rule({ match: /^POST .*\/large\?.*uploadId/, fault });
    await shaky.put('large', pieces(12 * MiB), { ifAbsent: true });
    const { digest } = await storage.putBlob(pieces(2 * MiB));
    proxy.rule({ match: /^PUT .*\/archive\?.*partNumber/, fault });
    proxy.rule({ match: /^POST .*\/archive\?.*uploadId/, fault });
    await shaky.publishBlob('archive', digest);
    proxy.rule({ match: /^PUT .*\/shop\/1\/f/, fault });
    await shaky.publishTree('shop/1', [{ path: 'f', blob: digest }]);
    for (const [key, size] of [
      ['large', 12 * MiB],
      ['archive', 2 * MiB],
      ['shop/1/f', 2 * MiB],
    ] as const) {
      expect(sha256(await bytesOf((await storage.get(key))!.body))).toBe(sha256(await collect(pieces(size))));
    }
    expect(await store.uploads()).toEqual([]);
  });

  it('may cut off what is read: it goes on from there, and only with the same object', async () => {
    const bytes = await collect(pieces(3 * MiB));
    const { digest } = await storage.putBlob(bytes);
    await storage.put('k', bytes);
    proxy.rule({ match: /^GET/, fault: { cutAnswer: 700_000 }, times: 3 });
    expect((await bytesOf((await shaky.getBlob(digest))!.body)).equals(bytes)).toBe(true);
    proxy.rule({ match: /^GET/, fault: { cutAnswer: 1000 } });
    expect((await bytesOf((await shaky.get('k', { range: { start: 10, end: 5000 } }))!.body)).equals(bytes.subarray(10, 5001))).toBe(true);
    proxy.rule({ match: /^GET/, fault: { cutAnswer: 700_000 } });
    const found = await shaky.get('k');
    await storage.put('k', Buffer.alloc(3 * MiB));
    await expect(bytesOf(found!.body)).rejects.toThrow(/was replaced while it was read|digest/);
    proxy.rule({ match: /^GET/, fault: { cutAnswer: 0 }, times: 100 });
    await expect(shaky.getBlob(digest).then((stored) => bytesOf(stored!.body))).rejects.toThrow(/cut off 6 times after 0 of/);
  }, 60_000);

  it('that stays in trouble is told of, with what was asked and what to do, and without a secret', async () => {
    proxy.rule({ match: /./, fault: { answer: 503, code: 'SlowDown' }, times: 1000 });
    const hurried = createS3Storage({
      ...optionsFor(prefix),
      endpoint: proxy.endpoint,
      maxAttempts: 2,
      credentials: { accessKeyId: 'who-I-am', secretAccessKey: 'what-I-know' },
    });
    const failure = await hurried.put('a/b', Buffer.from('x')).catch((error: unknown) => error as Error);
    expect(said(failure)).toMatch(
      /S3 could not store ".*a\/b" \(bucket bytes-test-.* at http:\/\/127.*\): SlowDown \(HTTP 503\): not today after 2 attempts\. The server is in trouble/,
    );
    await proxy.close();
    const gone = await hurried.getBlob(sha256('x')).catch((error: unknown) => error as Error);
    expect(said(gone)).toMatch(/ECONNREFUSED.*could not be reached/);
    const stranger = createS3Storage({ ...optionsFor(prefix), credentials: { accessKeyId: 'who-I-am', secretAccessKey: 'what-I-know' } });
    const refused = await stranger.list('').catch((error: unknown) => error as Error);
    expect(said(refused)).toMatch(/credentials/);
    for (const error of [failure, gone, refused]) expect(`${said(error)} ${JSON.stringify(error)}`).not.toMatch(/what-I-know|Signature=/);
    expect(await store.keys(`${prefix}/`)).toEqual([]);
  });
});

describe('s3: the bucket itself', () => {
  it('is made when that is asked for, and missed by name when it is not there', async () => {
    const options = { ...optionsFor(''), bucket: `${store.bucket}-made` };
    await expect(createS3Storage(options).putBlob(Buffer.from('x'))).rejects.toThrow(/There is no bucket .*-made: `tidemill install` makes it/);
    await expect(createS3Storage(options).getBlob(sha256('x'))).rejects.toThrow('There is no bucket');
    expect([await ensureBucket(options), await ensureBucket(options)]).toEqual(['made', 'was there']);
    await createS3Storage(options).put('k', Buffer.from('x'));
    await createS3Storage(options).delete('k');
    await store.client.send(new DeleteBucketCommand({ Bucket: options.bucket }));
    for (const bucket of ['', 'A', 'a/b', '..', 'a?b']) expect(() => createS3Storage({ ...options, bucket })).toThrow('no name of a bucket');
    for (const bad of ['/a', 'a//b', '../a']) expect(() => createS3Storage({ ...options, prefix: bad })).toThrow('cannot stand before keys');
  });
});

describe('s3: presigned URLs', () => {
  const put = async (url: string, headers: Record<string, string>, body: Uint8Array): Promise<number> => {
    const { 'content-length': _, ...rest } = headers;
    const response = await fetch(url, { method: 'PUT', headers: rest, body: body as Uint8Array<ArrayBuffer> });
    await response.text();
    return response.status;
  };

  it('store these bytes, once, and no others', async () => {
    const bytes = Buffer.from('these bytes');
    const blob = { digest: sha256(bytes), size: bytes.length };
    const { url, headers } = await storage.presignPut(blob);
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('600');
    expect(await put(url, headers, Buffer.from('those bytes'))).toBe(400);
    expect(await put(url, headers, Buffer.from('these bytes and more'))).toBe(403);
    expect(
      await put(
        url,
        { ...headers, 'x-amz-checksum-sha256': Buffer.from(sha256('those bytes').slice(7), 'hex').toString('base64') },
        Buffer.from('those bytes'),
      ),
    ).toBe(403);
    expect(await put(url.replace(/\/[0-9a-f]{62}\?/, `/${'0'.repeat(62)}?`), headers, bytes)).toBe(403);
    expect(await put(url, {}, bytes)).toBe(403);
    expect(await store.keys(`${prefix}/`)).toEqual([]);
    expect(await storage.findBlob(blob.digest, blob.size)).toBe('absent');
    expect([await put(url, headers, bytes), await put(url, headers, bytes)]).toEqual([200, 412]);
    expect(await storage.findBlob(blob.digest, blob.size)).toBe('sound');
    expect((await bytesOf((await storage.getBlob(blob.digest))!.body)).toString()).toBe('these bytes');
    expect(await fetch(await storage.presignGet(blob.digest)).then((response) => response.text())).toBe('these bytes');
    await store.damage(blobAt(`${prefix}/`, blob.digest));
    await store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key: blobAt(`${prefix}/`, blob.digest), Body: 'other', ChecksumAlgorithm: 'SHA256' }));
    expect(await storage.findBlob(blob.digest, blob.size)).toBe('damaged');
    const again = await storage.presignPut(blob, { replace: true });
    expect([await put(again.url, again.headers, bytes), await storage.findBlob(blob.digest, blob.size)]).toEqual([200, 'sound']);
  });

  it('are made a thousand in a moment', async () => {
    await storage.presignGet(sha256('warm'));
    const began = performance.now();
    const urls = await Promise.all(Array.from({ length: 1000 }, (_, i) => storage.presignPut({ digest: sha256(String(i)) as Digest, size: i })));
    expect(new Set(urls.map(({ url }) => url)).size).toBe(1000);
    expect(performance.now() - began).toBeLessThan(3000);
  });
});
