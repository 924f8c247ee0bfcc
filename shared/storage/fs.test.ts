import { spawn, execFileSync } from 'node:child_process';
import { chmod, lstat, mkdtemp, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOf, pieces, sha256, storageContract } from '../../test/contracts/storage.ts';
import type { Digest } from '../ports/storage.ts';
import { createFsStorage } from './fs.ts';

const blobPath = (root: string, digest: Digest): string => join(root, '.store/sha256', digest.slice(7, 9), digest.slice(9));

for (const hardLinks of [true, false])
  storageContract(`fs, ${hardLinks ? 'with' : 'without'} hard links`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidemill-storage-'));
    return {
      storage: createFsStorage({ directory, hardLinks }),
      rot: async (digest) => {
        const path = blobPath(directory, digest);
        const bytes = await readFile(path);
        bytes[bytes.length >> 1]! ^= 1;
        await chmod(path, 0o644);
        await writeFile(path, bytes);
      },
      abandon: async () => {
        // As an opener on another machine would be named: nobody here can know whether it lives.
        const folder = join(directory, '.store/tmp/elsewhere~1~1~0a1b2c');
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, '0'), 'half');
        return async () => (await readdir(join(directory, '.store/tmp'))).includes(basename(folder));
      },
      dispose: () => rm(directory, { recursive: true, force: true }),
    };
  });

describe('fs: on the disk', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidemill-storage-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('has published files read-only, linked to their one blob, programs executable, links as links', async () => {
    const storage = createFsStorage({ directory });
    const { digest } = await storage.putBlob(Buffer.from('#!/bin/sh\n'));
    await storage.publishTree('p/1', [
      { path: 'plain', blob: digest },
      { path: 'again', blob: digest },
      { path: 'bin/run', blob: digest, executable: true },
      { path: 'bin/link', symlink: '../plain' },
    ]);
    const [plain, again, run, blob] = await Promise.all(
      ['p/1/plain', 'p/1/again', 'p/1/bin/run'].map((path) => stat(join(directory, path))).concat(stat(blobPath(directory, digest))),
    );
    expect([plain!.ino, again!.ino]).toEqual([blob!.ino, blob!.ino]);
    expect(plain!.mode & 0o777).toBe(0o444);
    expect(run!.mode & 0o777).toBe(0o555);
    expect(await readlink(join(directory, 'p/1/bin/link'))).toBe('../plain');
    expect((await readdir(join(directory, 'p/1'))).sort()).toEqual(['again', 'bin', 'plain']);
    expect(await readdir(directory)).toEqual(['.store', 'p']);
    expect((await bytesOf((await storage.get('p/1/bin/link'))!.body)).toString()).toBe('#!/bin/sh\n');
  });

  it('refuses keys that are folders of other keys, and its own folder', async () => {
    const storage = createFsStorage({ directory });
    await storage.put('a/b', Buffer.from('x'));
    await expect(storage.put('a', Buffer.from('x'))).rejects.toThrow('would be a folder of the other');
    await expect(storage.put('a/b/c', Buffer.from('x'))).rejects.toThrow('would be a folder of the other');
    await expect(storage.put('.store/x', Buffer.from('x'))).rejects.toThrow('keeps its own');
    await expect(storage.get('.store/tmp')).rejects.toThrow('keeps its own');
  });

  it('does not read a pipe or wait for one', async () => {
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    expect(await createFsStorage({ directory }).get('pipe')).toBeUndefined();
  });

  it('makes its folders again when somebody cleared them', async () => {
    const storage = createFsStorage({ directory });
    await storage.put('a/b', Buffer.from('x'));
    await rm(directory, { recursive: true });
    await storage.put('a/b', Buffer.from('y'));
    await storage.putBlob(Buffer.from('z'));
    expect((await bytesOf((await storage.get('a/b'))!.body)).toString()).toBe('y');
  });

  it('closes every file it opens', async () => {
    const storage = createFsStorage({ directory });
    const before = (await readdir('/proc/self/fd')).length;
    for (let i = 0; i < 30; i++) {
      await storage.put(`k${i}`, pieces(100_000, i));
      const stored = await storage.get(`k${i}`);
      stored!.body.destroy();
      await bytesOf((await storage.get(`k${i}`, { range: { start: 9e9, end: 9e9 } }))!.body);
    }
    await expect.poll(async () => (await readdir('/proc/self/fd')).length).toBeLessThan(before + 5);
  });

  it('holds a thousand small files durably within seconds', async () => {
    const storage = createFsStorage({ directory });
    const began = performance.now();
    const entries = await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => ({ path: `d${i % 10}/f${i}`, blob: (await storage.putBlob(Buffer.from(`file ${i}`))).digest })),
    );
    await storage.publishTree('p/1', entries);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect((await storage.list('p/', { limit: 1000 })).keys).toHaveLength(1000);
  });

  it('shows nothing of a put that was killed, and removes what it left at the next start', async () => {
    for (const what of ['put', 'putBlob', 'publishTree']) {
      await killInTheMiddle(directory, what);
      expect(await tempFiles(directory), `${what} left something behind to remove`).not.toEqual([]);
      const storage = createFsStorage({ directory });
      expect((await storage.list('')).keys).toEqual([]);
      await storage.put('after', Buffer.from('x'));
      expect(await tempFiles(directory)).toEqual([]);
      await storage.delete('after');
    }
  });

  it('leaves the temporary files of another living process alone', async () => {
    const child = await startWriter(directory, 'put');
    await createFsStorage({ directory }).put('mine', Buffer.from('x'));
    expect(await tempFiles(directory)).not.toEqual([]);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('sweeps at once what a process of this machine left that is dead, and nothing of one that lives', async () => {
    const storage = createFsStorage({ directory });
    await storage.put('mine', Buffer.from('x'));
    const [dies, lives] = await Promise.all([startWriter(directory, 'put'), startWriter(directory, 'putBlob')]);
    dies.kill('SIGKILL');
    await once(dies, 'exit');
    const long = new Date(Date.now() - 3_600_000).toISOString();
    expect(await tempFiles(directory)).toHaveLength(2);
    expect(await storage.sweep(long)).toEqual({ removed: 1, more: false });
    expect(await tempFiles(directory)).toHaveLength(1);
    lives.kill('SIGKILL');
    await once(lives, 'exit');
    expect(await storage.sweep(long)).toEqual({ removed: 1, more: false });
    expect(await tempFiles(directory)).toEqual([]);
  });

  // Needs root, to mount a file system of two megabytes.
  it.runIf(process.getuid?.() === 0 || process.env['CI'] === 'true')(
    'says that the disk is full, keeps nothing of that write, and goes on when there is room',
    async () => {
      const mount = join(directory, 'small');
      await mkdir(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount]);
      try {
        const storage = createFsStorage({ directory: mount });
        await storage.put('fits', Buffer.alloc(500_000));
        for (const write of [
          () => storage.put('big', pieces(4_000_000)),
          () => storage.putBlob(Buffer.alloc(4_000_000)),
          () => storage.put('fits', Buffer.alloc(4_000_000)),
        ])
          await expect(write()).rejects.toThrow(/disk .* is full; nothing of this write was kept/);
        expect((await storage.list('')).keys).toEqual(['fits']);
        expect((await storage.stat('fits'))?.size).toBe(500_000);
        expect(await tempFiles(mount)).toEqual([]);
        await storage.put('small', Buffer.alloc(1000));
      } finally {
        execFileSync('umount', [mount]);
      }
    },
  );
});

/** Files of all openers below .store/tmp. */
async function tempFiles(root: string): Promise<string[]> {
  const found = await readdir(join(root, '.store/tmp'), { recursive: true });
  const files = await Promise.all(found.map(async (name) => ((await lstat(join(root, '.store/tmp', name))).isFile() ? [name] : [])));
  return files.flat();
}

/** A process that is in the middle of writing when it says so. */
async function startWriter(directory: string, what: string) {
  const script = `
    import { readdirSync } from 'node:fs';
    import { createFsStorage } from ${JSON.stringify(join(import.meta.dirname, 'fs.ts'))};
    const storage = createFsStorage({ directory: ${JSON.stringify(directory)} });
    async function* body() { yield Buffer.alloc(600_000); process.stdout.write('writing'); await new Promise((resolve) => setTimeout(resolve, 60_000)); }
    if (${JSON.stringify(what)} === 'put') await storage.put('k', body());
    if (${JSON.stringify(what)} === 'putBlob') await storage.putBlob(body());
    const blobs = await Promise.all(Array.from({ length: 20_000 }, (_, i) => storage.putBlob(Buffer.from('f' + i % 50))));
    const publishing = storage.publishTree('p/1', blobs.map(({ digest }, i) => ({ path: 'd' + i % 100 + '/' + i, blob: digest })));
    setInterval(() => readdirSync(${JSON.stringify(join(directory, '.store/tmp'))}, { recursive: true }).length > 1000 && process.stdout.write('writing'), 1);
    await publishing;
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  `;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function killInTheMiddle(directory: string, what: string): Promise<void> {
  const child = await startWriter(directory, what);
  child.kill('SIGKILL');
  await once(child, 'exit');
}

it('digests as everybody does', () => expect(sha256('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'));
