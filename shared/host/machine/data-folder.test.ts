import { mkdtemp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MissingSecret } from '../../ports/secrets.ts';
import { dataPaths, readToken, removeServerInfo, writeServerInfo } from './data-folder.ts';
import { createFileSecrets } from './file-secrets.ts';
import { readServerInfo } from './server-info.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-data-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
const info = { url: 'http://127.0.0.1:8787', pid: 4711, startedAt: '2026-11-03T10:00:00Z' };

describe('the data folder', () => {
  it('has a place for each thing, all of them in it', () => {
    const { root, ...paths } = dataPaths(folder);
    expect(new Set(Object.values(paths)).size).toBe(Object.keys(paths).length);
    for (const path of Object.values(paths)) expect(path.startsWith(`${root}/`)).toBe(true);
    expect(isAbsolute(dataPaths('.tidemill').database)).toBe(true);
  });

  it('tells where the server is, to its owner only, and leaves nothing half-written', async () => {
    const root = join(folder, 'made', 'by', 'it');
    expect(await readServerInfo(root)).toBeUndefined();
    await writeServerInfo(root, info);
    expect(await readServerInfo(root)).toEqual(info);
    expect([await modeOf(root), await modeOf(dataPaths(root).server)]).toEqual([0o700, 0o600]);
    await writeServerInfo(root, { ...info, pid: 4712 });
    expect(await readdir(root)).toEqual(['server.json']);
    await removeServerInfo(root);
    await removeServerInfo(root);
    expect(await readServerInfo(root)).toBeUndefined();
  });

  it('makes a file that others could read private again', async () => {
    await writeFile(dataPaths(folder).server, '{}', { mode: 0o644 });
    await writeServerInfo(folder, info);
    expect(await modeOf(dataPaths(folder).server)).toBe(0o600);
  });

  it.each([
    '',
    '{',
    '[]',
    '{"url":"http://127.0.0.1"}',
    '{"url":"file:///etc/passwd","pid":1,"startedAt":"2026-11-03T10:00:00Z"}',
    '{"url":"http://127.0.0.1","pid":-1,"startedAt":"2026-11-03T10:00:00Z"}',
  ])('says what to do about a server.json of %j', async (content) => {
    await writeFile(dataPaths(folder).server, content);
    await expect(readServerInfo(folder)).rejects.toThrow(/server\.json is not what tidemill writes there; stop the server, delete the file/);
  });

  it('gives the token without its line end, or none', async () => {
    expect(await readToken(folder)).toBeUndefined();
    await writeFile(dataPaths(folder).token, 'abc\n');
    expect(await readToken(folder)).toBe('abc');
    await writeFile(dataPaths(folder).token, '\n');
    expect(await readToken(folder)).toBeUndefined();
  });

  it('passes on what is wrong with the disk', async () => {
    await mkdir(dataPaths(folder).token);
    await expect(readToken(folder)).rejects.toThrow(/EISDIR/);
  });
});

describe('secrets in files', () => {
  it('are kept for their owner only, changed as a whole, and gone when deleted', async () => {
    const secrets = createFileSecrets(dataPaths(folder).secrets);
    await secrets.set('hook.one', 'first');
    await secrets.set('hook.one', 'second, with a line end\n');
    expect(await secrets.get('hook.one')).toBe('second, with a line end\n');
    expect([await modeOf(dataPaths(folder).secrets), await modeOf(join(dataPaths(folder).secrets, 'hook.one'))]).toEqual([0o700, 0o600]);
    expect(await readdir(dataPaths(folder).secrets)).toEqual(['hook.one']);
    await secrets.delete('hook.one');
    await secrets.delete('hook.one');
    await expect(secrets.get('hook.one')).rejects.toThrow(MissingSecret);
  });

  it('say which is missing and how to set it, and nothing of any value', async () => {
    const secrets = createFileSecrets(folder);
    await expect(secrets.get('deploy-key')).rejects.toThrow('There is no secret named deploy-key; set it with `tidemill secret set deploy-key`');
    await expect(secrets.set('large', 'x'.repeat(65_537))).rejects.toThrow(/^A secret has at most 65536 bytes$/);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['../../token', '..', '.', 'a/b', '/etc/passwd', '', 'A', 'a\u0000b', '-rf', '.hidden', 'x'.repeat(300)])('have no name like %j', async (name) => {
    const secrets = createFileSecrets(dataPaths(folder).secrets);
    await writeFile(dataPaths(folder).token, 'abc');
    await expect(secrets.get(name)).rejects.toThrow();
    await expect(secrets.set(name, 'x')).rejects.toThrow();
    await expect(secrets.delete(name)).rejects.toThrow();
    expect(await readFile(dataPaths(folder).token, 'utf8')).toBe('abc');
  });

  it('are never seen half-written by those who read meanwhile', async () => {
    const secrets = createFileSecrets(folder);
    const [a, b] = ['a', 'b'].map((letter) => letter.repeat(60_000)) as [string, string];
    await secrets.set('key', a);
    const writes = Array.from({ length: 20 }, (_, n) => secrets.set('key', n % 2 === 0 ? b : a));
    const reads = Array.from({ length: 100 }, () => secrets.get('key'));
    await Promise.all(writes);
    for (const read of await Promise.all(reads)) expect(read === a || read === b).toBe(true);
    expect(await readdir(folder)).toEqual(['key']);
  });
});
