import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest, Storage } from '../ports/storage.ts';
import { type Git, GitError } from '../ports/git.ts';
import { readManifest } from '../site/manifest.ts';
import { createFsStorage } from '../storage/fs.ts';
import { createSteps } from './steps.ts';

let root: string;
let source: string;
let storage: Storage;
let results: Record<string, string>;
let lines: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tidemill-steps-'));
  source = join(root, 'source');
  mkdirSync(source);
  storage = createFsStorage({ directory: join(root, 'storage') });
  results = {};
  lines = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(source, path)), { recursive: true });
    writeFileSync(join(source, path), content);
  }
}

const checkedOut: unknown[] = [];
const git = {
  checkout: async (repository: unknown, sha: string, directory: string) => {
    checkedOut.push(repository);
    if (sha.startsWith('f')) throw new GitError('not-found', 'There is no such commit');
    writeFileSync(join(directory, 'index.html'), sha);
  },
} as unknown as Git;

function run(step: 'source' | 'output', input: unknown, signal = new AbortController().signal): Promise<number> {
  return createSteps({ git, storage })[step]!({
    args: typeof input === 'string' ? [input] : input === undefined ? [] : [JSON.stringify(input)],
    workspaces: { source },
    workingDir: source,
    result: async (name, value) => void (results[name] = value),
    log: (line) => lines.push(line),
    signal,
  });
}

const paths = async (): Promise<string[]> => (await readManifest(storage, results['manifest'] as Digest)).files.map((file) => file.path);

describe('source', () => {
  const sha = 'a'.repeat(40);
  it('puts the commit into the workspace and says what it fetched', async () => {
    expect(await run('source', { url: '/srv/site', sha, credential: 'key', submodules: true })).toBe(0);
    expect(readdirSync(source)).toEqual(['index.html']);
    expect(checkedOut.at(-1)).toEqual({ url: '/srv/site', credential: 'key', submodules: true });
    expect(lines).toEqual([expect.stringMatching(/^aaaaaaaaaaaa of \/srv\/site checked out in \d+ ms$/)]);
  });

  it.each([
    [undefined, 'needs its input'],
    ['{', 'not JSON'],
    [{ url: '/x', sha: 'main' }, 'sha: must be a full SHA'],
    [{ url: '--upload-pack=x', sha }, 'url'],
    [{ url: '/x', sha, more: 1 }, 'more'],
  ])('refuses the input %j', async (input, why) => expect(run('source', input)).rejects.toThrow(why));

  it('refuses a workspace that is not empty, and hands on what git says', async () => {
    await expect(run('source', { url: '/x', sha: 'f'.repeat(40) })).rejects.toThrow('no such commit');
    write({ 'mine.txt': 'x' });
    await expect(run('source', { url: '/x', sha })).rejects.toThrow('not empty (it holds mine.txt)');
    expect(readdirSync(source)).toEqual(['mine.txt']);
  });
});

describe('output', () => {
  it('stores the files, the manifest and the archive, and says so in its results', async () => {
    write({ 'dist/index.html': '<p>', 'dist/a/b.js': 'js', 'dist/empty': '', 'package.json': '{"version":"1.2.3"}', 'other.txt': 'x' });
    chmodSync(join(source, 'dist/a/b.js'), 0o755);
    symlinkSync('./a//b.js', join(source, 'dist/link.js'));
    expect(await run('output', {})).toBe(0);
    expect(results).toEqual({
      manifest: expect.stringMatching(/^sha256:/),
      archive: expect.stringMatching(/^sha256:/),
      files: '4',
      size: '5',
      packageVersion: '1.2.3',
    });
    const { files, entries } = await readManifest(storage, results['manifest'] as Digest);
    expect(files).toMatchObject([
      { path: 'a/b.js', size: 2, executable: true },
      { path: 'empty', size: 0 },
      { path: 'index.html', size: 3 },
      { path: 'link.js', symlink: 'a/b.js' },
    ]);
    await storage.publishTree('p/1', entries);
    await storage.publishBlob('p/archive/1.tar.gz', results['archive'] as Digest);
    expect(
      execFileSync('tar', ['-tzf', join(root, 'storage/p/archive/1.tar.gz')], { encoding: 'utf8' })
        .split('\n')
        .filter(Boolean),
    ).toEqual(['a/b.js', 'empty', 'index.html', 'link.js']);
  });

  it('gives the same digests for the same files, and stores nothing twice', async () => {
    write({ 'dist/index.html': '<p>', 'dist/b': 'b' });
    await run('output', {});
    const first = { ...results };
    write({ 'dist/b': 'b' });
    await run('output', {});
    expect(results).toEqual(first);
  });

  it('finds the folder that has a page in it', async () => {
    write({ 'dist/lib.js': 'x', 'build/page.html': 'p', 'out/index.html': 'i', 'public/index.html': 'p' });
    await run('output', {});
    expect(await paths()).toEqual(['index.html']);
    rmSync(join(source, 'out'), { recursive: true });
    rmSync(join(source, 'public'), { recursive: true });
    await run('output', {});
    expect(await paths()).toEqual(['page.html']);
    await run('output', { output: 'dist' });
    expect(await paths()).toEqual(['lib.js']);
  });

  it('looks below the folder of the front end', async () => {
    write({ 'web/dist/index.html': 'web', 'dist/index.html': 'root', 'web/package.json': '{"version":"2.0.0"}', 'package.json': '{"version":"1.0.0"}' });
    await run('output', { directory: 'web' });
    expect(results['packageVersion']).toBe('2.0.0');
    await expect(run('output', { directory: 'nowhere' })).rejects.toThrow('no folder "nowhere"');
  });

  it('leaves out of a repository that is its own site what is not for visitors', async () => {
    write({
      'index.html': 'i',
      'node_modules/x/y.js': 'x',
      'sub/node_modules/z.js': 'z',
      '.git/config': 'x',
      '.env': 'SECRET',
      'sub/.env': 'SECRET',
      '.well-known/security.txt': 's',
      'sub/page.html': 'p',
    });
    await run('output', { output: '.' });
    expect(await paths()).toEqual(['.well-known/security.txt', 'index.html', 'sub/page.html']);
    expect(lines[0]).toBe('left out: .env, .git, node_modules, sub/.env, sub/node_modules');
  });

  it('says what it looked for where it finds nothing', async () => {
    write({ 'dist/lib.js': 'x', 'README.md': 'x' });
    await expect(run('output', {})).rejects.toThrow(
      /looked in the repository for dist, build, out, public .* What is there: README.md, dist\/\. Set "output"/s,
    );
    await expect(run('output', { output: 'site' })).rejects.toThrow('no folder "site"');
    mkdirSync(join(source, 'void'));
    await expect(run('output', { output: 'void' })).rejects.toThrow('empty');
  });

  it.each(['/etc', '../..', 'a/../../x', '', 'a\\b'])('refuses the output %j', async (output) => expect(run('output', { output })).rejects.toThrow('output: '));

  it.each([
    ['/etc/passwd', 'absolute'],
    ['../../secret', 'outside'],
    ['a/../../..', 'shortest form'],
  ])('refuses a link to %s by name', async (target, why) => {
    write({ 'dist/index.html': 'i' });
    symlinkSync(target, join(source, 'dist/evil'));
    await expect(run('output', {})).rejects.toThrow(new RegExp(`"evil".*${why}`));
  });

  it('refuses an output that leads out of the repository', async () => {
    mkdirSync(join(root, 'elsewhere'));
    writeFileSync(join(root, 'elsewhere/index.html'), 'secret');
    symlinkSync('../elsewhere', join(source, 'dist'));
    await expect(run('output', {})).rejects.toThrow('leads out of the repository');
    await expect(run('output', { output: 'dist' })).rejects.toThrow('leads out of the repository');
    await expect(run('output', { directory: 'dist', output: '.' })).rejects.toThrow('leads out of the repository');
  });

  it('refuses pipes and names that cannot be stored, and does not wait for a pipe as package.json', async () => {
    write({ 'dist/index.html': 'i' });
    execFileSync('mkfifo', [join(source, 'package.json')]);
    await run('output', {});
    expect(results['packageVersion']).toBe('');
    execFileSync('mkfifo', [join(source, 'dist/pipe')]);
    await expect(run('output', {})).rejects.toThrow('pipe, which is neither a file');
    rmSync(join(source, 'dist/pipe'));
    write({ 'dist/new\nline': 'x' });
    await expect(run('output', {})).rejects.toThrow('control character');
  });

  it.each(['{"version":5}', '{"version":"a b"}', `{"version":"${'1'.repeat(65)}"}`, 'null', '{', '[]'])('takes no version from %s', async (content) => {
    write({ 'dist/index.html': 'i', 'package.json': content });
    await run('output', {});
    expect(results['packageVersion']).toBe('');
  });

  it('stops when it is told to', async () => {
    write({ 'dist/index.html': 'i' });
    await expect(run('output', {}, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled');
  });
});
