// What every adapter of the Git port promises, on repositories of all kinds of access. See shared/ports/git.ts.
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Git, GitError, type Repository } from '../../shared/ports/git.ts';
import { makeRepository, type TestRepository } from './git-repository.ts';
import { type GitServer, startGitServer } from './git-server.ts';

/** A new adapter with nothing held, that keeps what it keeps below `directory` and may read local repositories. */
export type MakeGit = (directory: string) => Git | Promise<Git>;

/** The kind of the GitError that a promise ends with. */
export async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return error instanceof GitError ? error.kind : `no GitError: ${String(error)}`;
  }
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

export function gitContract(name: string, make: MakeGit): void {
  describe.each(['a local repository', 'a repository over http'])(`${name}: %s`, (access) => {
    let folder: string;
    let directory: string;
    let origin: TestRepository;
    let server: GitServer;
    let git: Git;
    let repository: Repository;
    let first: string;
    let second: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemill-git-contract-'));
      origin = await makeRepository(join(folder, 'origin'));
      first = await origin.commit(
        { 'a.txt': 'one\n', 'bin/run*': '#!/bin/sh\n', 'deep/er/link@': '../../a.txt', 'deep/er/file': 'x', 'big.bin': Buffer.alloc(50_000, 7) },
        'First line\n\nBody',
      );
      origin.git('tag', 'light');
      second = await origin.commit({ 'a.txt': 'two\n' }, `${'long '.repeat(200)}\n`);
      origin.git('tag', '-a', '-m', 'annotated', 'v1.0');
      origin.git('tag', '-a', '-m', 'a tag of a tag', 'v1.0-again', 'v1.0');
      origin.git('branch', 'feature/x', first);
      origin.git('branch', 'both', first);
      origin.git('tag', 'both', second);
      server = await startGitServer({ root: folder });
      repository = { url: access === 'a local repository' ? origin.path : `${server.url}/origin` };
    });

    afterAll(async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    });

    beforeEach(async () => {
      directory = await mkdtemp(join(folder, 'adapter-'));
      git = await make(directory);
    });

    afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));

    const out = async () => join(await mkdtemp(join(directory, 'out-')), 'files');

    it('resolves a branch, with what is known of its commit', async () => {
      expect(await git.resolve(repository, 'feature/x')).toEqual({
        sha: first,
        tree: origin.git('rev-parse', `${first}^{tree}`),
        ref: 'refs/heads/feature/x',
        commitTime: '2026-01-02T01:04:05.000Z',
        subject: 'First line',
        author: 'Ann Author <ann@example.org>',
      });
      expect((await git.resolve(repository, 'main')).subject.length).toBeLessThanOrEqual(512);
    });

    it.each([
      ['light', () => first, 'refs/tags/light'],
      ['v1.0', () => second, 'refs/tags/v1.0'],
      ['v1.0-again', () => second, 'refs/tags/v1.0-again'],
      ['both', () => first, 'refs/heads/both'],
      ['refs/tags/both', () => second, 'refs/tags/both'],
      ['refs/heads/main', () => second, 'refs/heads/main'],
      ['HEAD', () => second, 'refs/heads/main'],
    ])('resolves %s', async (ref, sha, found) => {
      expect(await git.resolve(repository, ref)).toMatchObject({ sha: sha(), ref: found });
    });

    it('resolves a full SHA, of a tag object too, and says no ref', async () => {
      const commit = await git.resolve(repository, first);
      expect(commit.sha).toBe(first);
      expect(commit).not.toHaveProperty('ref');
      expect((await git.resolve(repository, origin.git('rev-parse', 'v1.0'))).sha).toBe(second);
    });

    it('sees that a branch moved', async () => {
      expect((await git.resolve(repository, 'main')).sha).toBe(second);
      origin.git('branch', '-f', 'moving', first);
      expect((await git.resolve(repository, 'moving')).sha).toBe(first);
      origin.git('branch', '-f', 'moving', second);
      expect((await git.resolve(repository, 'moving')).sha).toBe(second);
      origin.git('branch', '-D', 'moving');
      expect(await kindOf(git.resolve(repository, 'moving'))).toBe('not-found');
    });

    it.each(['nope', 'refs/heads/nope', 'f'.repeat(40), '0123456789'])('finds no %s', async (ref) => {
      expect(await kindOf(git.resolve(repository, ref))).toBe('not-found');
    });

    it('says of a short SHA how it wants it', async () => {
      await expect(git.resolve(repository, first.slice(0, 10))).rejects.toThrow(/full SHA/);
    });

    it('says of a tree and of a file that they are no commits', async () => {
      expect(await kindOf(git.resolve(repository, origin.git('rev-parse', `${first}^{tree}`)))).toBe('invalid');
      expect(await kindOf(git.resolve(repository, origin.git('rev-parse', `${first}:a.txt`)))).toBe('invalid');
    });

    it.each(['--upload-pack=touch /tmp/x', '-f', 'a..b', 'a b', 'main^', 'main~1', 'main:a.txt', ':/First', '@{-1}', 'HEAD^{tree}', 'a\nb', ''])(
      'takes %j for no name',
      async (ref) => {
        expect(await kindOf(git.resolve(repository, ref))).toBe('invalid');
      },
    );

    it('lists heads, tags and the default branch', async () => {
      const { defaultBranch, heads } = await git.heads(repository);
      expect(defaultBranch).toBe('main');
      const refs = Object.fromEntries(heads.map(({ ref, sha }) => [ref, sha]));
      expect(refs).toMatchObject({
        'refs/heads/main': second,
        'refs/heads/feature/x': first,
        'refs/tags/light': first,
        'refs/tags/v1.0': origin.git('rev-parse', 'v1.0'),
      });
      expect(Object.keys(refs).some((ref) => ref.includes('^') || ref === 'HEAD')).toBe(false);
    });

    it('reads files as they were at a commit', async () => {
      expect(String(await git.readFile(repository, first, 'a.txt'))).toBe('one\n');
      expect(String(await git.readFile(repository, second, 'a.txt'))).toBe('two\n');
      expect(String(await git.readFile(repository, first, 'bin/run'))).toBe('#!/bin/sh\n');
      expect((await git.readFile(repository, first, 'big.bin'))?.length).toBe(50_000);
      for (const path of ['none', 'deep', 'deep/er/link', 'a.txt/x', 'deep/er/link/x']) expect(await git.readFile(repository, first, path)).toBeUndefined();
    });

    it('reads no more of a file than it is to', async () => {
      expect(await kindOf(git.readFile(repository, first, 'big.bin', 49_999))).toBe('invalid');
      expect((await git.readFile(repository, first, 'big.bin', 50_000))?.length).toBe(50_000);
      expect(String(await git.readFile(repository, first, 'a.txt'))).toBe('one\n');
    });

    it('lists folders', async () => {
      expect((await git.list(repository, first, ''))?.sort()).toEqual(['a.txt', 'big.bin', 'bin/', 'deep/']);
      expect((await git.list(repository, first, 'deep/er'))?.sort()).toEqual(['file', 'link']);
      for (const path of ['none', 'a.txt', 'deep/er/link']) expect(await git.list(repository, first, path)).toBeUndefined();
    });

    it.each(['../x', 'a/../b', '/etc/passwd', 'a//b', './a', 'a\0b'])('takes %j for no path', async (path) => {
      expect(await kindOf(git.readFile(repository, first, path))).toBe('invalid');
      expect(await kindOf(git.list(repository, first, path))).toBe('invalid');
    });

    it.each(['main', 'HEAD', 'abc', '-x', 'F'.repeat(40)])('takes only a full SHA where one is wanted, and not %s', async (sha) => {
      expect(await kindOf(git.readFile(repository, sha, 'a.txt'))).toBe('invalid');
      expect(await kindOf(git.list(repository, sha, ''))).toBe('invalid');
      expect(await kindOf(git.checkout(repository, sha, await out()))).toBe('invalid');
      expect(await kindOf(bytesOf(git.archive(repository, sha)))).toBe('invalid');
    });

    it('writes the files of a commit: contents, modes and symlinks, and nothing else', async () => {
      const into = await out();
      await git.checkout(repository, first, into);
      expect((await readdir(into, { recursive: true })).sort()).toEqual([
        'a.txt',
        'big.bin',
        'bin',
        'bin/run',
        'deep',
        'deep/er',
        'deep/er/file',
        'deep/er/link',
      ]);
      expect(await readFile(join(into, 'a.txt'), 'utf8')).toBe('one\n');
      expect((await lstat(join(into, 'bin/run'))).mode & 0o111).toBe(0o111);
      expect((await lstat(join(into, 'a.txt'))).mode & 0o111).toBe(0);
      expect(await readlink(join(into, 'deep/er/link'))).toBe('../../a.txt');
    });

    it('writes into an empty folder only', async () => {
      const into = await out();
      await mkdir(into);
      await writeFile(join(into, 'mine'), '');
      expect(await kindOf(git.checkout(repository, first, into))).toBe('invalid');
      expect(await readdir(into)).toEqual(['mine']);
    });

    it('stops a checkout when told to', async () => {
      const reason = new Error('enough');
      await expect(git.checkout(repository, first, await out(), AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    it('archives the same tree as the same bytes, whichever commit it is of', async () => {
      origin.git('checkout', '-q', '--detach', first);
      const again = await origin.commit({}, 'the same files');
      origin.git('branch', '-f', 'again', again);
      origin.git('checkout', '-q', 'main');
      const one = await bytesOf(git.archive(repository, first));
      expect((await bytesOf(git.archive(repository, again))).equals(one)).toBe(true);
      expect((await bytesOf(git.archive(repository, second))).equals(one)).toBe(false);
      expect((await bytesOf((await make(await mkdtemp(join(directory, 'other-')))).archive(repository, first))).equals(one)).toBe(true);
    });

    it('does all of it for many at once', async () => {
      const folders = await Promise.all(Array.from({ length: 6 }, out));
      const work = folders.map(async (into, i) => {
        const { sha } = await git.resolve(repository, i % 2 ? 'main' : 'feature/x');
        await git.checkout(repository, sha, into);
        return readFile(join(into, 'a.txt'), 'utf8');
      });
      expect(await Promise.all(work)).toEqual(['one\n', 'two\n', 'one\n', 'two\n', 'one\n', 'two\n']);
    });
  });

  describe(`${name}: what is held`, () => {
    let folder: string;
    let origin: TestRepository;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemill-git-held-'));
      origin = await makeRepository(join(folder, 'origin'));
    });
    afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

    it('is answered without asking the server, also by the next process', async () => {
      const sha = await origin.commit({ a: '1', b: '2' });
      const server = await startGitServer({ root: folder });
      const repository = { url: `${server.url}/origin` };
      const git = await make(join(folder, 'held'));
      const commit = await git.resolve(repository, sha);
      await git.checkout(repository, sha, join(folder, 'one'));
      await server.close();
      expect(await git.resolve(repository, sha)).toEqual(commit);
      const next = await make(join(folder, 'held'));
      expect(await next.resolve(repository, sha)).toEqual(commit);
      await next.checkout(repository, sha, join(folder, 'two'));
      expect((await readdir(join(folder, 'two'))).sort()).toEqual(['a', 'b']);
      expect(await kindOf(next.resolve(repository, 'main'))).toBe('unreachable');
    });

    it('is asked for without its file contents, where the server can do without', async () => {
      const sha = await origin.commit({ 'package.json': '{}', 'large.bin': Buffer.from(Array.from({ length: 200_000 }, () => Math.random() * 256)) });
      const server = await startGitServer({ root: folder });
      const git = await make(join(folder, 'held'));
      const sent = async () => (await readdir(join(folder, 'held'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
      const size = async () =>
        (await Promise.all((await sent()).map((entry) => lstat(join(entry.parentPath, entry.name))))).reduce((sum, info) => sum + info.size, 0);
      const repository = { url: `${server.url}/origin` };
      expect((await git.resolve(repository, 'main')).sha).toBe(sha);
      expect(String(await git.readFile(repository, sha, 'package.json'))).toBe('{}');
      expect(await size()).toBeLessThan(20_000);
      await git.checkout(repository, sha, join(folder, 'out'));
      expect((await lstat(join(folder, 'out', 'large.bin'))).size).toBe(200_000);
      await server.close();
    });
  });

  describe(`${name}: addresses`, () => {
    let folder: string;
    let git: Git;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemill-git-address-'));
      git = await make(join(folder, 'held'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

    it.each([
      ['ext::sh -c touch% /tmp/tidemill-owned', 'refused'],
      ['fd::17', 'refused'],
      ['git://example.org/x', 'refused'],
      ['ftp://example.org/x', 'refused'],
      ['testgit::/x', 'refused'],
      ['relative/path', 'refused'],
      ['../up', 'refused'],
      ['--upload-pack=touch /tmp/tidemill-owned', 'invalid'],
      ['-oProxyCommand=x:y', 'invalid'],
      ['ssh://-oProxyCommand=touch/x', 'refused'],
      ['-x@host:path', 'invalid'],
      ['git@-oProxyCommand=x:path', 'refused'],
      ['host:-x', 'refused'],
      ['https://user:secret@example.org/x', 'refused'],
      ['https://ghp_token@example.org/x', 'refused'],
      ['ssh://git:secret@example.org/x', 'refused'],
      ['https://example.org/x\ny', 'invalid'],
      [' https://example.org/x', 'invalid'],
      ['/nowhere/at/all', 'not-found'],
    ])('%j is %s', async (url, kind) => {
      expect(await kindOf(git.resolve({ url }, 'main'))).toBe(kind);
      expect(await kindOf(git.heads({ url }))).toBe(kind);
    });

    it('with a credential in them are not repeated with it', async () => {
      const error: unknown = await git.resolve({ url: 'https://user:hunter2@example.org/x' }, 'main').catch((thrown: unknown) => thrown);
      expect(String(error)).not.toContain('hunter2');
      expect(String(error)).toMatch(/add a Credential/);
    });

    it('of nothing that answers, or of no repository, are told apart', async () => {
      const server = await startGitServer({ root: folder });
      expect(await kindOf(git.resolve({ url: `${server.url}/none` }, 'main'))).toBe('not-found');
      await server.close();
      expect(await kindOf(git.resolve({ url: `${server.url}/none` }, 'main'))).toBe('unreachable');
      expect(await kindOf(git.resolve({ url: folder }, 'main'))).toBe('not-found');
    });
  });
}
