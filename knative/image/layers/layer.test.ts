import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath, versions } from 'node:process';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCache } from '../cache.ts';
import { type Entry, file, folder, symlink, withFolders } from './entry.ts';
import { makeLayer, type Packer, sha256 } from './layer.ts';

let directory = '';
beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'tidemill-layer-'))));
afterAll(() => rm(directory, { recursive: true, force: true }));

const packer = (cache: string): Packer => ({ node: execPath, version: versions.node, cache: openCache(join(directory, cache)) });

const entries: Entry[] = [
  file('app/git-push.mjs', 'export {};\n'),
  symlink('usr/bin/sh', 'dash'),
  file('usr/bin/dash', Buffer.alloc(3000, 7), 0o755),
  folder('tmp', 0o1777),
  file(`usr/share/${'long/'.repeat(40)}name`, 'more than a hundred characters'),
];

test('the same entries are the same bytes, in whichever order they come and whoever packs them', async () => {
  const one = await makeLayer(entries, packer('one'));
  const other = await makeLayer(entries.toReversed(), packer('other'));
  expect(other).toEqual(one);
  expect(one.digest).toBe(sha256(one.body));
  expect(one.diffId).toBe(sha256(gunzipSync(one.body)));
  // Neither the time nor the system of who packed it.
  expect([...one.body.subarray(4, 8), one.body[9]]).toEqual([0, 0, 0, 0, 255]);
});

test('everything is of root and of no time, sorted, below folders that were named before', async () => {
  const { body } = await makeLayer(entries, packer('one'));
  const tar = extract();
  Readable.from([gunzipSync(body)]).pipe(tar);
  const seen: string[] = [];
  for await (const entry of tar) {
    const { name, uid, gid, mtime, mode, type } = entry.header;
    await buffer(entry);
    expect({ name, uid, gid, mtime: mtime?.getTime() }).toEqual({ name, uid: 0, gid: 0, mtime: 0 });
    if (type !== 'symlink')
      expect([name, mode]).toEqual([
        name,
        { 'tmp/': 0o1777, 'usr/bin/dash': 0o755, 'app/git-push.mjs': 0o644 }[name] ?? (type === 'directory' ? 0o755 : 0o644),
      ]);
    const above = name.replace(/\/$/, '').split('/').slice(0, -1).join('/');
    if (above) expect(seen).toContain(`${above}/`);
    seen.push(name);
  }
  expect(seen).toContain('usr/bin/sh');
  expect(seen.at(-1)).toMatch(/^usr\/share\/(long\/){40}name$/);
});

test.each<[string, Entry[]]>([
  ['no path inside', [file('/etc/passwd', '')]],
  ['no path inside', [file('app/../../etc/passwd', '')]],
  ['comes twice', [file('app/x', '1'), file('app/x', '2')]],
  ['is no folder', [symlink('bin', 'usr/bin'), file('bin/git', '')]],
])('refuses what %s', (message, wrong) => {
  expect(() => withFolders(wrong)).toThrow(message);
});

test('what the cache holds is taken only while it is what was put there', async () => {
  const cache = openCache(join(directory, 'kept'));
  let made = 0;
  const make = async () => Buffer.from(`made ${++made}`);
  expect(String(await cache.derived('key', make))).toBe('made 1');
  expect(String(await cache.derived('key', make))).toBe('made 1');
  const { writeFile } = await import('node:fs/promises');
  await writeFile(join(directory, 'kept', 'key'), 'something else');
  expect(String(await cache.derived('key', make))).toBe('made 2');
});
