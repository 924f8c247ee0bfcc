import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Digest, Storage } from '../ports/storage.ts';
import { createFsStorage } from '../storage/fs.ts';
import { archiveOf } from './archive.ts';
import { type Manifest, manifestOf, type SiteFile } from './manifest.ts';

let directory: string;
let storage: Storage;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemill-archive-'));
  storage = createFsStorage({ directory });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const long = `${'long-folder-name/'.repeat(15)}ü.txt`;

async function tree(): Promise<Manifest> {
  const stored = async (path: string, content: string | Buffer): Promise<SiteFile> => ({ path, ...(await storage.putBlob(Buffer.from(content))) });
  const program: SiteFile = { path: 'bin/run', ...(await storage.putBlob(Buffer.from('#!/bin/sh\n'))), executable: true };
  return manifestOf([
    await stored('index.html', '<p>'),
    await stored(long, 'long'),
    await stored('empty', ''),
    await stored('big', Buffer.alloc(900_000, 'big')),
    program,
    { path: 'bin/link', symlink: '../index.html' },
  ]);
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

it('is unpacked by tar with names, contents, modes and links', async () => {
  const archive = join(directory, 'a.tar.gz');
  writeFileSync(archive, await collect(archiveOf(await tree(), storage)));
  execFileSync('tar', ['-xzf', archive, '-C', directory, '--same-permissions']);
  expect(readFileSync(join(directory, long), 'utf8')).toBe('long');
  expect(readFileSync(join(directory, 'big'))).toHaveLength(900_000);
  expect(readlinkSync(join(directory, 'bin/link'))).toBe('../index.html');
  expect(['index.html', 'bin/run'].map((path) => lstatSync(join(directory, path)).mode & 0o777)).toEqual([0o644, 0o755]);
  const listed = execFileSync('tar', ['-tvzf', archive, '--numeric-owner', '--utc'], { encoding: 'utf8' });
  for (const line of listed.trim().split('\n')) expect(line).toMatch(/ 0\/0 .* 1970-01-01 00:00 /);
});

it('is the same bytes each time, however the blobs are read', async () => {
  const manifest = await tree();
  const crumbs: Pick<Storage, 'getBlob'> = {
    getBlob: async (digest) => {
      const stored = await storage.getBlob(digest);
      const bytes = await collect(stored!.body);
      return {
        size: bytes.length,
        body: Readable.from(bytes.length > 0 ? Array.from({ length: Math.ceil(bytes.length / 977) }, (_, i) => bytes.subarray(i * 977, (i + 1) * 977)) : []),
      };
    },
  };
  const [one, two, three] = await Promise.all([archiveOf(manifest, storage), archiveOf(manifest, crumbs), archiveOf(manifest, storage)].map(collect));
  expect(one!.equals(two!) && one!.equals(three!)).toBe(true);
  expect(one!.subarray(4, 10), 'no time, no system').toEqual(Buffer.from([0, 0, 0, 0, 0, 255]));
});

it('ends in an error where a file is missing or damaged', async () => {
  const manifest = await tree();
  const lacking = manifestOf([...manifest.files, { path: 'zz', digest: `sha256:${'0'.repeat(64)}`, size: 1 }]);
  await expect(collect(archiveOf(lacking, storage))).rejects.toThrow('zz cannot be archived');
  const wrong: Digest = `sha256:${createHash('sha256').update('big').digest('hex')}`;
  await storage.putBlob(Buffer.from('big'));
  const short = manifestOf([{ path: 'short', digest: wrong, size: 100 }]);
  await expect(collect(archiveOf(short, storage))).rejects.toThrow('mismatch');
});

it('stops reading when nobody wants it any more', async () => {
  const body = archiveOf(await tree(), storage);
  for await (const chunk of body) if ((chunk as Buffer).length > 0) break;
  expect(body.destroyed).toBe(true);
});
