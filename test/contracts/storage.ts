// What every Storage adapter promises (shared/ports/storage.ts). Each adapter's test calls this with a way to make one.
import { createHash, randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AlreadyStored, type Digest, DigestMismatch, type Storage, type TreeEntry } from '../../shared/ports/storage.ts';

export interface StorageUnderTest {
  storage: Storage;
  /** Changes a stored blob behind the storage's back, keeping its size. */
  rot(digest: Digest): Promise<void>;
  /** Leaves behind what a writer leaves that was killed, somewhere else, in the middle. Resolves with a way to ask whether any of it is there still. */
  abandon(): Promise<() => Promise<boolean>>;
  dispose(): Promise<void>;
}

export const sha256 = (bytes: Uint8Array | string): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export async function bytesOf(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** So many bytes that follow from the seed, in pieces of uneven sizes. */
export async function* pieces(size: number, seed = 1): AsyncGenerator<Uint8Array> {
  const block = createHash('sha512').update(String(seed)).digest();
  const page = Buffer.alloc(100_003, block);
  for (let done = 0; done < size;) {
    const length = Math.min(size - done, 1 + ((done * 7 + 60_000) % page.length));
    page.writeUInt32LE(done >>> 0, 0);
    yield Buffer.from(page.subarray(0, length));
    done += length;
  }
}

export function storageContract(name: string, make: () => Promise<StorageUnderTest>): void {
  let under: StorageUnderTest;
  let storage: Storage;
  beforeEach(async () => {
    under = await make();
    ({ storage } = under);
  });
  afterEach(() => under.dispose());

  const read = async (key: string): Promise<string | undefined> => {
    const stored = await storage.get(key);
    return stored && (await bytesOf(stored.body)).toString();
  };
  const blob = async (content: string | Uint8Array): Promise<Digest> => (await storage.putBlob(Buffer.from(content))).digest;

  describe(`${name}: keys`, () => {
    it('gives back what was put, whole and as ranges, with its size', async () => {
      const bytes = randomBytes(300_000);
      expect(await storage.put('a/b/c.bin', bytes)).toEqual({ size: bytes.length, digest: sha256(bytes) });
      const whole = await storage.get('a/b/c.bin');
      expect(whole?.size).toBe(bytes.length);
      expect((await bytesOf(whole!.body)).equals(bytes)).toBe(true);
      for (const [start, end] of [
        [0, 0],
        [1, 1000],
        [299_999, 299_999],
        [100_000, 999_999],
      ] as const) {
        const part = await storage.get('a/b/c.bin', { range: { start, end } });
        expect(part?.size).toBe(bytes.length);
        expect((await bytesOf(part!.body)).equals(bytes.subarray(start, end + 1))).toBe(true);
      }
      const beyond = await storage.get('a/b/c.bin', { range: { start: 300_000, end: 400_000 } });
      expect(await bytesOf(beyond!.body)).toHaveLength(0);
      expect(await storage.stat('a/b/c.bin')).toMatchObject({ size: bytes.length });
    });

    it('takes a stream, an empty one too, and replaces what was there', async () => {
      const stored = await storage.put('stream', pieces(1_500_000));
      expect(stored.size).toBe(1_500_000);
      expect(sha256(await bytesOf((await storage.get('stream'))!.body))).toBe(stored.digest);
      expect(await storage.put('stream', pieces(0))).toEqual({ size: 0, digest: sha256('') });
      expect(await read('stream')).toBe('');
    });

    it('knows nothing of what is not there, and of folders', async () => {
      await storage.put('folder/file', Buffer.from('x'));
      for (const key of ['nothing', 'folder', 'folder/file/below', 'folder/other']) {
        expect(await storage.get(key)).toBeUndefined();
        expect(await storage.stat(key)).toBeUndefined();
        await storage.delete(key);
      }
      expect(await read('folder/file')).toBe('x');
      await storage.delete('folder/file');
      expect(await storage.get('folder/file')).toBeUndefined();
      expect((await storage.list('')).keys).toEqual([]);
    });

    it('keeps nothing of a write with another digest, or of a body that ends in an error', async () => {
      await expect(storage.put('k', Buffer.from('one'), { digest: sha256('two') })).rejects.toBeInstanceOf(DigestMismatch);
      await expect(storage.put('k', failing())).rejects.toThrow('the source broke');
      await expect(storage.putBlob(failing())).rejects.toThrow('the source broke');
      await expect(storage.putBlob(Buffer.from('one'), sha256('two'))).rejects.toBeInstanceOf(DigestMismatch);
      expect(await storage.stat('k')).toBeUndefined();
      expect((await storage.list('')).keys).toEqual([]);
    });

    it('shows a reader the old bytes or the new, never half of them', async () => {
      const old = Buffer.alloc(400_000, 'o');
      const fresh = Buffer.alloc(500_000, 'n');
      await storage.put('k', old);
      let writing = true;
      const write = (async () => {
        for (let i = 0; i < 10; i++) await storage.put('k', i % 2 ? old : fresh);
        writing = false;
      })();
      while (writing) {
        const seen = await bytesOf((await storage.get('k'))!.body);
        expect(seen.equals(old) || seen.equals(fresh)).toBe(true);
      }
      await write;
    });

    it('lets exactly one of twenty win a key that must be new', async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => storage.put('won/once', Buffer.from(`racer ${i}`), { ifAbsent: true })));
      const won = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
      expect(won).toHaveLength(1);
      const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
      expect(lost.every((reason) => reason instanceof AlreadyStored)).toBe(true);
      expect(await read('won/once')).toBe(`racer ${won.join()}`);
    });

    it.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/./b', '..', 'a\0b', 'a\\b', 'a\nb', '\ud800', `a/${'x'.repeat(256)}`, 'y/'.repeat(600) + 'z'])(
      'refuses the key %j',
      async (key) => {
        await expect(storage.put(key, Buffer.from('x'))).rejects.toThrow('cannot be stored');
        await expect(storage.get(key)).rejects.toThrow('cannot be stored');
        await expect(storage.publishBlob(key, await blob('x'))).rejects.toThrow('cannot be stored');
      },
    );

    it('keeps apart what Unicode keeps apart', async () => {
      const keys = ['ünï/cödé', 'emoji/🌊', 'space and %41+&', 'dots...', '名/前'];
      for (const key of keys) await storage.put(key, Buffer.from(key));
      for (const key of keys) expect(await read(key)).toBe(key);
      expect((await storage.list('')).keys).toHaveLength(keys.length);
    });
  });

  describe(`${name}: lists`, () => {
    it('pages through 10,000 keys in the order of their bytes, each once', async () => {
      const keys = Array.from({ length: 10_000 }, (_, i) => `p${i % 7}${i % 3 ? '/' : '-'}${i % 11}/${(i * 7919) % 10_000}`);
      await Promise.all(keys.map((key) => storage.put(key, Buffer.from(''))));
      const found: string[] = [];
      for (let after: string | undefined, more = true; more; after = found.at(-1)) {
        const page = await storage.list('', { limit: 777, ...(after !== undefined && { after }) });
        found.push(...page.keys);
        ({ more } = page);
      }
      expect(found).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }, 120_000);

    it('finds what begins with the prefix, also in the middle of a name', async () => {
      for (const key of ['a', 'b/1', 'b/10', 'b/1/x', 'b-2', 'ba/1', 'b/🌊', 'b/\uffee'].filter((key) => key !== 'b/1'))
        await storage.put(key, Buffer.from(''));
      expect((await storage.list('b/1')).keys).toEqual(['b/1/x', 'b/10']);
      expect((await storage.list('b/')).keys).toEqual(['b/1/x', 'b/10', 'b/\uffee', 'b/🌊']);
      expect((await storage.list('b')).keys).toEqual(['b-2', 'b/1/x', 'b/10', 'b/\uffee', 'b/🌊', 'ba/1']);
      expect(await storage.list('b', { limit: 2 })).toEqual({ keys: ['b-2', 'b/1/x'], more: true });
      expect(await storage.list('b', { limit: 2, after: 'b/\uffee' })).toEqual({ keys: ['b/🌊', 'ba/1'], more: false });
      expect(await storage.list('zz')).toEqual({ keys: [], more: false });
    });
  });

  describe(`${name}: blobs`, () => {
    it('stores the same bytes once, however they come', async () => {
      const bytes = await collect(pieces(700_000));
      const results = await Promise.all([
        storage.putBlob(bytes),
        storage.putBlob(pieces(700_000)),
        storage.putBlob(bytes, sha256(bytes)),
        storage.putBlob(pieces(700_000), sha256(bytes)),
      ]);
      for (const result of results) expect(result).toEqual({ digest: sha256(bytes), size: bytes.length });
      expect((await bytesOf((await storage.getBlob(sha256(bytes)))!.body)).equals(bytes)).toBe(true);
      const part = await storage.getBlob(sha256(bytes), { range: { start: 5, end: 9 } });
      expect((await bytesOf(part!.body)).equals(bytes.subarray(5, 10))).toBe(true);
      expect(await storage.getBlob(sha256('nothing'))).toBeUndefined();
      expect(await bytesOf((await storage.getBlob(await blob('')))!.body)).toHaveLength(0);
    });

    it('lists no blob among the keys, and refuses what is no digest', async () => {
      await blob('x');
      expect((await storage.list('')).keys).toEqual([]);
      for (const digest of ['sha256:../../x', 'md5:00', `sha256:${'A'.repeat(64)}`] as Digest[])
        await expect(storage.getBlob(digest)).rejects.toThrow('not a digest');
    });

    it.each([1000, 3_000_000])('tells a reader of %i rotten bytes, who never gets all of them', async (size) => {
      const { digest } = await storage.putBlob(pieces(size));
      await under.rot(digest);
      let got = 0;
      const reading = async (): Promise<void> => {
        const stored = await storage.getBlob(digest);
        for await (const chunk of stored!.body) got += (chunk as Buffer).length;
      };
      await expect(reading()).rejects.toBeInstanceOf(DigestMismatch);
      expect(got).toBeLessThan(size);
      await storage.putBlob(await collect(pieces(size)));
      expect(sha256(await bytesOf((await storage.getBlob(digest))!.body)), 'storing it again heals it').toBe(digest);
    });

    it('lets a reader stop in the middle', async () => {
      const { digest } = await storage.putBlob(pieces(3_000_000));
      for (let i = 0; i < 50; i++) {
        const stored = await storage.getBlob(digest);
        for await (const chunk of stored!.body) if ((chunk as Buffer).length > 0) break;
        expect(stored!.body.destroyed).toBe(true);
      }
    });
  });

  describe(`${name}: trees`, () => {
    const tree = async (files: Record<string, string>): Promise<TreeEntry[]> =>
      Promise.all(Object.entries(files).map(async ([path, content]) => ({ path, blob: await blob(content) })));

    it('makes files visible under their names, and nothing else', async () => {
      const entries = await tree({ 'index.html': '<p>', 'assets/app.js': 'js', 'assets/deep/er/ü.css': 'css', 'also.js': 'js' });
      await storage.publishTree('shop/1.0.0', entries);
      expect((await storage.list('shop/')).keys).toEqual([
        'shop/1.0.0/also.js',
        'shop/1.0.0/assets/app.js',
        'shop/1.0.0/assets/deep/er/ü.css',
        'shop/1.0.0/index.html',
      ]);
      expect(await read('shop/1.0.0/assets/app.js')).toBe('js');
    });

    it('takes the same tree again, and refuses another under its name', async () => {
      const files = { 'index.html': '<p>', 'a/b.js': 'js' };
      await storage.publishTree('shop/1', await tree(files));
      await storage.publishTree('shop/1', (await tree(files)).toReversed());
      const others: Record<string, string>[] = [
        { ...files, 'a/b.js': 'other' },
        { 'index.html': '<p>' },
        { ...files, more: '' },
        { 'index.html': '<p>', 'a/c.js': 'js' },
      ];
      for (const other of others) await expect(storage.publishTree('shop/1', await tree(other))).rejects.toBeInstanceOf(AlreadyStored);
      const program = (await tree(files)).map((entry) => ({ ...entry, executable: true }));
      await expect(storage.publishTree('shop/1', program)).rejects.toBeInstanceOf(AlreadyStored);
      expect(await read('shop/1/a/b.js')).toBe('js');
    });

    it('lets one of ten different trees win, and shows all of it', async () => {
      const trees = await Promise.all(
        Array.from({ length: 10 }, (_, i) => tree(Object.fromEntries(Array.from({ length: 20 }, (__, n) => [`f${n}`, `tree ${i}`])))),
      );
      const outcomes = await Promise.allSettled(trees.map((entries) => storage.publishTree('shop/raced', entries)));
      const won = outcomes.findIndex((outcome) => outcome.status === 'fulfilled');
      expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
      for (let n = 0; n < 20; n++) expect(await read(`shop/raced/f${n}`)).toBe(`tree ${won}`);
    });

    it('refuses a tree that could lead out of itself or cannot stand', async () => {
      const digest = await blob('x');
      const bad: TreeEntry[][] = [
        [],
        [{ path: '../x', blob: digest }],
        [{ path: '/x', blob: digest }],
        [
          { path: 'a', blob: digest },
          { path: 'a', blob: digest },
        ],
        [
          { path: 'a', blob: digest },
          { path: 'a/b', blob: digest },
        ],
        [
          { path: 'l', symlink: 'd' },
          { path: 'l/x', blob: digest },
        ],
        [{ path: 'l', symlink: '/etc/passwd' }],
        [{ path: 'a/l', symlink: '../../x' }],
        [{ path: 'a/b/l', symlink: 'd/../../z' }],
        [{ path: 'l', symlink: '' }],
        [{ path: 'both', symlink: 'x', blob: digest }],
        [{ path: 'neither' }],
        [{ path: 'missing', blob: sha256('never stored') }],
      ];
      for (const entries of bad)
        await expect(storage.publishTree('shop/bad', entries)).rejects.toThrow(/cannot be stored|in the tree twice|is below|must have|is not stored/);
      expect((await storage.list('')).keys).toEqual([]);
    });

    it('publishes a blob under a key: the same again is fine, other bytes are not', async () => {
      await storage.publishBlob('shop/archive/1.tar.gz', await blob('one'));
      await storage.publishBlob('shop/archive/1.tar.gz', await blob('one'));
      await expect(storage.publishBlob('shop/archive/1.tar.gz', await blob('two'))).rejects.toBeInstanceOf(AlreadyStored);
      await expect(storage.publishBlob('shop/archive/2.tar.gz', sha256('never stored'))).rejects.toThrow('not stored');
      expect(await read('shop/archive/1.tar.gz')).toBe('one');
      expect(await storage.stat('shop/archive/2.tar.gz')).toBeUndefined();
    });

    it('does not change a blob when a published key is written or deleted', async () => {
      const digest = await blob('kept');
      await storage.publishBlob('k', digest);
      await storage.put('k', Buffer.from('changed'));
      expect((await bytesOf((await storage.getBlob(digest))!.body)).toString()).toBe('kept');
      await storage.delete('k');
      expect((await bytesOf((await storage.getBlob(digest))!.body)).toString()).toBe('kept');
    });
  });

  describe(`${name}: sweeping`, () => {
    const before = (ms: number) => new Date(Date.now() + ms).toISOString();

    it('takes away what a write left that never ended, once that is old enough, and nothing that is stored', async () => {
      const digest = await blob('blob');
      await storage.put('key', Buffer.from('key'));
      await storage.publishTree('shop/1', [{ path: 'index.html', blob: digest }]);
      await storage.publishBlob('shop/archive/1.tar.gz', digest);
      const isLeft = await under.abandon();
      expect(await storage.sweep(before(-60_000))).toEqual({ removed: 0, more: false });
      expect(await isLeft()).toBe(true);
      const { removed, more } = await storage.sweep(before(60_000));
      expect(removed).toBeGreaterThan(0);
      expect([more, await isLeft()]).toEqual([false, false]);
      expect(await storage.sweep(before(60_000))).toEqual({ removed: 0, more: false });
      expect([await read('key'), await read('shop/1/index.html'), await read('shop/archive/1.tar.gz')]).toEqual(['key', 'blob', 'blob']);
      expect((await bytesOf((await storage.getBlob(digest))!.body)).toString()).toBe('blob');
    });

    it('leaves a write alone that goes on', async () => {
      const begun = Promise.withResolvers<void>();
      const swept = Promise.withResolvers<void>();
      const body = async function* () {
        yield* pieces(12_000_000);
        begun.resolve();
        await swept.promise;
        yield Buffer.from('end');
      };
      const writing = storage.put('slow', body());
      await begun.promise;
      await storage.sweep(before(-60_000));
      swept.resolve();
      expect(await writing).toMatchObject({ size: 12_000_003 });
      expect(await storage.stat('slow')).toMatchObject({ size: 12_000_003 });
    });

    it('has nothing to do where nothing was ever stored', async () => {
      expect(await storage.sweep(before(60_000))).toEqual({ removed: 0, more: false });
    });
  });
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('some');
  throw new Error('the source broke');
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
