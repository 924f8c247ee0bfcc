// Repositories, servers and names that were made to do harm: one test for each way that others failed.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kindOf } from '../../test/contracts/git.ts';
import { makeRepository, type TestRepository, treeEntry } from '../../test/contracts/git-repository.ts';
import { startGitServer } from '../../test/contracts/git-server.ts';
import type { Git } from '../ports/git.ts';
import { createGit, type GitOptions } from './git.ts';

let folder: string;
let origin: TestRepository;
/** Written by whatever managed to run a command. */
let owned: string;

const none = async () => Promise.reject(new Error('no credentials here'));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-hostile-'));
  origin = await makeRepository(join(folder, 'origin'));
  owned = join(folder, 'owned');
});

afterEach(async () => {
  expect(existsSync(owned), 'a command of the repository ran').toBe(false);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

function adapter(options: Partial<GitOptions> = {}): Git {
  return createGit({ directory: join(folder, 'held'), allowLocal: true, credentials: none, ...options });
}

async function everything(git: Git, url: string, into = join(folder, 'out')): Promise<string> {
  const { sha } = await git.resolve({ url }, 'main');
  await git.heads({ url });
  await git.list({ url }, sha, '');
  await git.checkout({ url }, sha, into);
  for await (const part of git.archive({ url }, sha)) expect(part.length).toBeGreaterThan(0);
  return sha;
}

async function tarOf(git: Git, url: string, sha: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of git.archive({ url }, sha)) parts.push(part);
  return Buffer.concat(parts);
}

describe('a local repository whose own configuration and hooks are hostile', () => {
  it('runs none of them', async () => {
    await origin.commit({ a: 'a', '.gitattributes': '* filter=evil diff=evil\n' });
    const evil = join(folder, 'evil');
    await writeFile(evil, `#!/bin/sh\necho "$0 $@" >>${owned}\n`);
    await chmod(evil, 0o755);
    const keys = [
      'core.fsmonitor', 'core.sshCommand', 'core.pager', 'core.editor', 'core.askPass', 'core.gitProxy', 'core.alternateRefsCommand', 'credential.helper', 'diff.external',
      'filter.evil.smudge', 'filter.evil.clean', 'filter.evil.process', 'diff.evil.textconv', 'gpg.program', 'uploadpack.packObjectsHook', 'remote.origin.uploadpack', 'sequence.editor',
    ]; // prettier-ignore
    for (const key of keys) origin.git('config', key, evil);
    origin.git('config', 'core.hooksPath', join(folder, 'hooks'));
    origin.git('config', 'remote.origin.url', `ext::${evil}`);
    origin.git('config', 'remote.origin.promisor', 'true');
    origin.git('config', 'protocol.ext.allow', 'always');
    origin.git('config', 'include.path', join(folder, 'included'));
    await writeFile(join(folder, 'included'), `[core]\n\tfsmonitor = ${evil}\n`);
    for (const hooks of [join(folder, 'hooks'), join(origin.path, '.git', 'hooks')]) {
      await mkdir(hooks, { recursive: true });
      for (const hook of ['post-checkout', 'pre-upload', 'post-index-change', 'reference-transaction', 'fsmonitor-watchman', 'post-merge', 'pre-auto-gc'])
        await cp(evil, join(hooks, hook));
    }
    await everything(adapter(), origin.path);
    expect(await readFile(join(folder, 'out', 'a'), 'utf8')).toBe('a');
  });

  it('that lacks objects does not make git fetch them from where it says', async () => {
    const sha = await origin.commit({ a: 'a' });
    const blob = origin.git('rev-parse', `${sha}:a`);
    const evil = join(folder, 'evil');
    await writeFile(evil, `#!/bin/sh\necho ran >${owned}\n`);
    await chmod(evil, 0o755);
    for (const [key, value] of Object.entries({ 'remote.origin.url': origin.path, 'remote.origin.uploadpack': evil, 'remote.origin.promisor': 'true' }))
      origin.git('config', key, value);
    origin.git('config', 'core.repositoryformatversion', '1');
    origin.git('config', 'extensions.partialClone', 'origin');
    await rm(join(origin.path, '.git', 'objects', blob.slice(0, 2), blob.slice(2)));
    expect(await kindOf(everything(adapter(), origin.path))).not.toBe('no error');
  });

  it('is read through its links, worktrees and shallow clones as through the front door', async () => {
    await origin.commit({ a: 'a' });
    const sha = await origin.commit({ a: 'b' });
    origin.git('clone', '-q', '--depth=1', `file://${origin.path}`, join(folder, 'shallow'));
    expect(await everything(adapter(), join(folder, 'shallow'))).toBe(sha);
  });
});

describe('what a repository says of its own files', () => {
  it('changes no byte of them: line ends, keywords, encodings, filters, large files kept elsewhere', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n';
    const attributes =
      '*.txt text eol=crlf\n*.id ident export-subst\n*.u16 working-tree-encoding=UTF-16\n*.bin filter=lfs diff=lfs merge=lfs\nsecret.txt export-ignore\n';
    const blobs = {
      'a.txt': 'one\ntwo\n',
      'b.id': '$Id$ $Format:%H$\n',
      'c.u16': 'text\n',
      'd.bin': pointer,
      'secret.txt': 's\n',
      '.gitattributes': attributes,
      'crlf.txt': 'x\r\ny\r\n',
    };
    // Written as objects, so that the attributes have no say in what is committed either.
    const entries = Object.entries(blobs).sort(([a], [b]) => (a < b ? -1 : 1));
    const tree = origin.object('tree', Buffer.concat(entries.map(([name, text]) => treeEntry('100644', name, origin.object('blob', text)))));
    const sha = origin.git('commit-tree', '-m', 'x', tree);
    origin.git('update-ref', 'refs/heads/main', sha);
    await everything(adapter(), origin.path);
    for (const [name, text] of entries) expect(await readFile(join(folder, 'out', name), 'utf8')).toBe(text);
    const tar = (await tarOf(adapter(), origin.path, sha)).toString();
    for (const text of ['$Id$ $Format:%H$', 's\n', pointer]) expect(tar).toContain(text);
  });
});

describe('a tree that was made to do harm', () => {
  async function commitTree(...entries: Buffer[]): Promise<string> {
    const tree = origin.object('tree', Buffer.concat(entries));
    const body = `tree ${tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n`;
    const sha = origin.object('commit', body);
    origin.git('update-ref', 'refs/heads/main', sha);
    return sha;
  }

  it.each(['.git', '.GIT', '.Git ', 'git~1', '.git.', '.git::$INDEX_ALLOCATION', '..', '.', 'a/b', '.g\u200cit', ''])(
    'with a file or folder named %j is refused',
    async (name) => {
      const config = origin.object('tree', treeEntry('100644', 'config', origin.object('blob', `[core]\n\tfsmonitor = touch ${owned}\n`)));
      await commitTree(treeEntry('40000', name, config));
      const kind = await kindOf(everything(adapter(), origin.path));
      expect(['refused', 'unreachable']).toContain(kind);
      expect(existsSync(join(folder, 'out', '.git'))).toBe(false);
    },
  );

  it('with a symlink and a folder of one name writes nothing through the link', async () => {
    const inside = origin.object('tree', treeEntry('100644', 'planted', origin.object('blob', 'x')));
    await mkdir(join(folder, 'target'));
    await commitTree(treeEntry('120000', 'a', origin.object('blob', join(folder, 'target'))), treeEntry('40000', 'a', inside));
    expect(await kindOf(everything(adapter(), origin.path))).toBe('refused');
    expect(await readdir(join(folder, 'target'))).toEqual([]);
  });

  it('with names that differ in case only keeps both where the file system can', async () => {
    const sha = await origin.commit({ 'Readme.md': 'upper', 'readme.md': 'lower' });
    await adapter().checkout({ url: origin.path }, sha, join(folder, 'out'));
    expect((await readdir(join(folder, 'out'))).sort()).toEqual(['Readme.md', 'readme.md']);
  });

  it('with links out of it keeps them as links and follows none', async () => {
    const sha = await origin.commit({ 'out@': '/etc/passwd', 'up@': '../../../etc/passwd', 'self@': 'self', a: 'a' });
    await adapter().checkout({ url: origin.path }, sha, join(folder, 'out'));
    expect((await lstat(join(folder, 'out', 'out'))).isSymbolicLink()).toBe(true);
    expect(await adapter().readFile({ url: origin.path }, sha, 'out')).toBeUndefined();
    expect((await tarOf(adapter(), origin.path, sha)).toString()).not.toContain('root:');
  });

  it('that is small and unfolds to millions of files is refused, before it is unfolded', async () => {
    let tree = origin.object('tree', Buffer.concat(Array.from({ length: 10 }, (_, i) => treeEntry('100644', `f${i}`, origin.object('blob', 'x')))));
    for (let level = 0; level < 9; level++) {
      const below = tree;
      tree = origin.object('tree', Buffer.concat(Array.from({ length: 10 }, (_, i) => treeEntry('40000', `d${i}`, below))));
    }
    const sha = await commitTree(treeEntry('40000', 'top', tree));
    const git = adapter({ maxFiles: 20_000 });
    await git.resolve({ url: origin.path }, 'main');
    await expect(git.checkout({ url: origin.path }, sha, join(folder, 'out'))).rejects.toThrow(/more than 20000 files/);
  });

  it('that holds more bytes than are written out is refused', async () => {
    const sha = await origin.commit({ 'zeros.bin': Buffer.alloc(2_000_000), 'again.bin': Buffer.alloc(2_000_000) });
    const git = adapter({ maxBytes: 3_000_000 });
    await expect(git.checkout({ url: origin.path }, sha, join(folder, 'out'))).rejects.toThrow(/come to 4000000 bytes/);
    expect(await readdir(join(folder, 'out'))).toEqual([]);
  });

  it('that is nested without end is refused', async () => {
    let tree = origin.object('tree', treeEntry('100644', 'f', origin.object('blob', 'x')));
    for (let level = 0; level < 250; level++) tree = origin.object('tree', treeEntry('40000', 'd', tree));
    const sha = await commitTree(treeEntry('40000', 'top', tree));
    await expect(adapter().checkout({ url: origin.path }, sha, join(folder, 'out'))).rejects.toThrow(/more than 200 deep/);
  });

  it('with names that are no UTF-8 is written as it is, and cannot stand in an archive', async () => {
    const name = Buffer.from([0x66, 0xff, 0x6f]);
    const entry = Buffer.concat([Buffer.from('100644 '), name, Buffer.from([0]), Buffer.from(origin.object('blob', 'x'), 'hex')]);
    const sha = await commitTree(entry);
    await adapter().checkout({ url: origin.path }, sha, join(folder, 'out'));
    expect(await readdir(join(folder, 'out'), 'buffer')).toEqual([name]);
    await expect(tarOf(adapter(), origin.path, sha)).rejects.toThrow(/not UTF-8/);
  });
});

describe('submodules', () => {
  async function withSubmodule(url: string, path = 'lib', sha = 'a'.repeat(40), more = ''): Promise<string> {
    await writeFile(join(origin.path, '.gitmodules'), `[submodule "x"]\n\tpath = ${path}\n\turl = ${url}\n${more}`);
    origin.git('update-index', '--add', '--cacheinfo', `160000,${sha},${path}`);
    origin.git('add', '.gitmodules');
    origin.git('commit', '-qm', 'submodule');
    return origin.git('rev-parse', 'HEAD');
  }

  it('are left out unless asked for', async () => {
    const sha = await withSubmodule('https://example.org/x');
    await adapter().checkout({ url: origin.path }, sha, join(folder, 'out'));
    expect(await readdir(join(folder, 'out', 'lib'))).toEqual([]);
  });

  it('that name a command to be run are refused with all else', async () => {
    const sha = await withSubmodule('https://example.org/x', 'lib', 'a'.repeat(40), `\tupdate = !touch ${owned}\n`);
    for (const submodules of [true, false])
      expect(await kindOf(adapter().checkout({ url: origin.path, submodules }, sha, join(folder, 'out')))).toBe('refused');
  });

  it('come from http when asked for, relative addresses too', async () => {
    const library = await makeRepository(join(folder, 'library'));
    const at = await library.commit({ 'lib.js': 'lib' });
    const server = await startGitServer({ root: folder });
    const sha = await withSubmodule('../library', 'vendor/lib', at);
    await adapter().checkout({ url: `${server.url}/origin`, submodules: true }, sha, join(folder, 'out'));
    expect(await readFile(join(folder, 'out', 'vendor', 'lib', 'lib.js'), 'utf8')).toBe('lib');
    await server.close();
  });

  it.each(['../other', '/etc', 'file:///etc', 'ext::sh -c "touch x"', '-u./x', '--upload-pack=touch'])(
    'at %s of a local repository are refused',
    async (url) => {
      const sha = await withSubmodule(url);
      expect(await kindOf(adapter().checkout({ url: origin.path, submodules: true }, sha, join(folder, 'out')))).toBe('refused');
    },
  );

  it('that contain themselves end', async () => {
    const server = await startGitServer({ root: folder });
    const first = await withSubmodule(`${server.url}/origin`);
    const second = await withSubmodule(`${server.url}/origin`, 'lib', first);
    expect(await kindOf(adapter().checkout({ url: `${server.url}/origin`, submodules: true }, second, join(folder, 'out')))).not.toBe('no error');
    await server.close();
  });
});

describe('a server that was made to do harm', () => {
  it('cannot make git read a file or run a command by redirecting', async () => {
    await origin.commit({ a: 'a' });
    for (const location of [`file://${origin.path}`, 'ext::sh', `git://127.0.0.1/x`]) {
      const server = await startGitServer({
        root: folder,
        before: (_request, response) => Boolean(response.writeHead(302, { location: `${location}/info/refs?service=git-upload-pack` }).end()),
      });
      expect(await kindOf(adapter({ directory: await mkdtemp(join(folder, 'a-')) }).resolve({ url: `${server.url}/origin` }, 'main'))).not.toBe('no error');
      await server.close();
    }
  });

  it('that never answers is given up', async () => {
    const server = await startGitServer({ root: folder, before: () => true });
    const started = performance.now();
    expect(await kindOf(adapter({ timeout_ms: 500 }).resolve({ url: `${server.url}/origin` }, 'main'))).toBe('unreachable');
    expect(performance.now() - started).toBeLessThan(3000);
    await server.close();
  });

  it('that sends more than is taken is cut off', async () => {
    const noise = Buffer.alloc(8_000_000);
    for (let i = 0; i < noise.length; i += 4) noise.writeUInt32LE((Math.random() * 2 ** 32) >>> 0, i);
    await origin.commit({ 'noise.bin': noise });
    const server = await startGitServer({ root: folder, filter: false, slow_ms: 60 });
    expect(await kindOf(adapter({ maxFetch: 1_000_000 }).resolve({ url: `${server.url}/origin` }, 'main'))).toBe('refused');
    await server.close();
  });

  it('cannot draw on a terminal with its messages', async () => {
    const server = await startGitServer({
      root: folder,
      before: (_request, response) => Boolean(response.writeHead(403, { 'content-type': 'text/plain' }).end('\u001b[2J\u001b]0;owned\u0007 go away')),
    });
    const error: unknown = await adapter()
      .resolve({ url: `${server.url}/origin` }, 'main')
      .catch((thrown: unknown) => thrown);
    expect(String(error)).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    await server.close();
  });

  it('that gives no single objects, or speaks an old protocol, is read all the same', async () => {
    const old = await origin.commit({ a: 'one' });
    const sha = await origin.commit({ a: 'two' });
    for (const options of [{ filter: false }, { protocol0: true }, { protocol0: true, filter: false }]) {
      const server = await startGitServer({ root: folder, ...options });
      const git = adapter({ directory: await mkdtemp(join(folder, 'old-')) });
      const url = `${server.url}/origin`;
      expect(await everything(git, url, await mkdtemp(join(folder, 'out-')))).toBe(sha);
      expect((await git.resolve({ url }, old)).sha).toBe(old);
      expect(String(await git.readFile({ url }, old, 'a'))).toBe('one');
      await git.checkout({ url }, old, await mkdtemp(join(folder, 'out-')));
      await server.close();
    }
  });
});

describe('names', () => {
  it('of branches that are shell syntax are names', async () => {
    const sha = await origin.commit({ a: 'a' });
    const names = [
      `$(touch\${IFS}${owned.replaceAll('/', '%')})`,
      '`id`',
      'a;id',
      "it's",
      '"',
      'a|b',
      'a&b',
      '>x',
      'ünï',
      '#x',
      '%s',
      '--x/y',
      '-x',
      '+x',
      '@',
    ];
    for (const name of names) origin.git('update-ref', `refs/heads/x/${name}`, sha);
    const git = adapter();
    const found = await Promise.all(names.map((name) => git.resolve({ url: origin.path }, `x/${name}`)));
    expect(found.map(({ ref }) => ref)).toEqual(names.map((name) => `refs/heads/x/${name}`));
  });

  it('that take the place of a folder of names, and the other way round, are found', async () => {
    const sha = await origin.commit({ a: 'a' });
    const git = adapter();
    origin.git('branch', 'x', sha);
    await git.resolve({ url: origin.path }, 'x');
    origin.git('branch', '-D', 'x');
    origin.git('branch', 'x/y', sha);
    expect((await git.resolve({ url: origin.path }, 'x/y')).sha).toBe(sha);
  });
});

describe('a mirror', () => {
  it('in which very many fetches have gathered begins anew, and nobody who reads it notices', async () => {
    const server = await startGitServer({ root: folder });
    const url = `${server.url}/origin`;
    const sha = await origin.commit({ a: 'a', 'b.bin': Buffer.alloc(3_000_000, 1) });
    const git = adapter();
    await git.resolve({ url }, 'main');
    const held = join(folder, 'held');
    const key = (await readdir(held)).find((name) => /^[0-9a-f]{40}$/.test(name))!;
    const generations = async () => (await readdir(join(held, key))).sort();
    expect(await generations()).toEqual(['1']);
    for (let i = 0; i < 700; i++) await writeFile(join(held, key, '1', 'git', 'objects', 'pack', `left-${i}`), '');
    const reading = git.archive({ url }, sha)[Symbol.asyncIterator]();
    await reading.next();
    const next = await origin.commit({ a: 'b' });
    expect((await git.resolve({ url }, 'main')).sha).toBe(next);
    expect(await generations()).toEqual(['1', '2']);
    let size = 0;
    for (let part = await reading.next(); !part.done; part = await reading.next()) size += part.value.length;
    expect(size).toBeGreaterThan(3_000_000);
    await everything(git, url);
    expect(await generations()).toEqual(['2']);
    expect(String(await git.readFile({ url }, sha, 'a'))).toBe('a');
    await server.close();
  });

  it('that a killed process left locked is used again', async () => {
    await origin.commit({ a: 'a' });
    const git = adapter();
    await git.resolve({ url: origin.path }, 'main');
    const shallow = (await readdir(join(folder, 'held'), { recursive: true })).find((name) => name.endsWith('shallow'));
    const lock = join(folder, 'held', `${shallow}.lock`);
    await writeFile(lock, '');
    execFileSync('touch', ['-d', '1 minute ago', lock]);
    const sha = await origin.commit({ a: 'b' });
    expect((await git.resolve({ url: origin.path }, 'main')).sha).toBe(sha);
  });

  it('that is damaged or gone is fetched anew', async () => {
    const sha = await origin.commit({ a: 'a', 'b/c': 'c' });
    const mirrors = async () =>
      (await readdir(join(folder, 'held'), { recursive: true, withFileTypes: true })).filter((entry) => /objects/.test(entry.parentPath) && entry.isFile());
    for (const harm of ['empty', 'cut', 'gone'] as const) {
      await everything(adapter(), origin.path, await mkdtemp(join(folder, 'out-')));
      for (const entry of await mirrors()) {
        const path = join(entry.parentPath, entry.name);
        await chmod(path, 0o644);
        if (harm === 'gone') await rm(path);
        else await writeFile(path, harm === 'empty' ? '' : (await readFile(path)).subarray(0, 12));
      }
      const into = await mkdtemp(join(folder, 'out-'));
      expect(await everything(adapter(), origin.path, into)).toBe(sha);
      expect(await readFile(join(into, 'b', 'c'), 'utf8')).toBe('c');
    }
    const git = adapter();
    await everything(git, origin.path, await mkdtemp(join(folder, 'out-')));
    await rm(join(folder, 'held'), { recursive: true });
    expect(await everything(git, origin.path, await mkdtemp(join(folder, 'out-')))).toBe(sha);
  });

  it('of a repository with SHA-256 is one with SHA-256', async () => {
    const modern = await makeRepository(join(folder, 'modern'), '--object-format=sha256');
    const sha = await modern.commit({ a: 'a' });
    expect(sha).toHaveLength(64);
    expect(await everything(adapter(), modern.path)).toBe(sha);
    expect((await adapter({ directory: join(folder, 'new') }).resolve({ url: modern.path }, sha)).sha).toBe(sha);
  });
});
