import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openCache } from '../cache.ts';
import { isElf, needs, stripped } from './elf.ts';
import { lockedPackages, type LockedPackage } from './lock.ts';
import { fetchPackages } from './packages.ts';
import { isPlatform, PLATFORMS, WANTED } from './wanted.ts';

let directory = '';
let server: Server;
const asked: string[] = [];
const held = new Map<string, Buffer>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-base-'));
  server = createServer((request, response) => {
    asked.push(request.url!);
    const body = held.get(request.url!);
    response.writeHead(body ? 200 : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('TIDEMILL_DEBIAN_MIRROR', `http://127.0.0.1:${(server.address() as AddressInfo).port}/at/{archive}/`);
});
afterEach(() => void asked.splice(0));
afterAll(async () => {
  vi.unstubAllEnvs();
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const body = Buffer.from('a package');
const locked = (path: string): LockedPackage => ({
  name: 'libx',
  version: '1.0+b1',
  path,
  sha256: createHash('sha256').update(body).digest('hex'),
  size: body.length,
  files: ['usr/lib/libx.so'],
});

test('a package comes from the mirror of its archive once, and then from the cache', async () => {
  held.set('/at/debian-security/pool/x/libx_1.0%2bb1_amd64.deb', body);
  const cache = openCache(join(directory, 'once'));
  const wanted = [locked('debian-security/pool/x/libx_1.0+b1_amd64.deb')];
  expect(await fetchPackages(wanted, cache)).toEqual([body]);
  expect(await fetchPackages(wanted, cache)).toEqual([body]);
  expect(asked).toEqual(['/at/debian-security/pool/x/libx_1.0%2bb1_amd64.deb']);
});

test('what is gone from the mirror says what to do, and is not asked for again', async () => {
  await expect(fetchPackages([locked('debian/pool/x/gone_1_amd64.deb')], openCache(join(directory, 'gone')))).rejects.toThrow(
    /libx 1\.0\+b1 is no longer at .*gone_1_amd64\.deb[\s\S]*--update-base[\s\S]*TIDEMILL_DEBIAN_MIRROR=/,
  );
  expect(asked).toHaveLength(1);
});

test('what was changed on the way is refused, and not kept', async () => {
  held.set('/at/debian/pool/x/changed_1_amd64.deb', Buffer.from('something else'));
  const cache = openCache(join(directory, 'changed'));
  const wanted = [locked('debian/pool/x/changed_1_amd64.deb')];
  await expect(fetchPackages(wanted, cache)).rejects.toThrow('has the sha256');
  held.set('/at/debian/pool/x/changed_1_amd64.deb', body);
  expect(await fetchPackages(wanted, cache)).toEqual([body]);
});

test.runIf(process.platform === 'linux')('a stripped program is shorter, wants the same libraries, and runs', async () => {
  const node = await readFile(execPath);
  const short = stripped(node);
  expect(isElf(short)).toBe(true);
  expect(short.length).toBeLessThan(node.length);
  expect(needs(short)).toEqual(needs(node));
  expect(needs(node).libraries).toContain('libc.so.6');
  const path = join(directory, 'node');
  writeFileSync(path, short);
  chmodSync(path, 0o755);
  expect(execFileSync(path, ['-p', '6 * 7'], { encoding: 'utf8' })).toBe('42\n');
});

test('the lock holds what is wanted, for every platform, and each file once', () => {
  for (const platform of Object.keys(PLATFORMS).filter(isPlatform)) {
    const packages = lockedPackages(platform);
    for (const [name, files] of Object.entries(WANTED)) expect(packages.find((one) => one.name === name)?.files).toEqual(expect.arrayContaining([...files]));
    const files = packages.flatMap((one) => one.files);
    expect(new Set(files).size).toBe(files.length);
    expect(files).toContain(`${PLATFORMS[platform].libraries}/libc.so.6`);
  }
});
