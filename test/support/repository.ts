// Real git repositories for tests: made in a temporary folder, changed by real commits.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export type Files = Record<string, string>;

export interface TestRepository {
  path: string;
  /** Runs git in it; gives its output without the last line end. */
  git(...args: string[]): string;
  /** Writes the files and commits all of it. Gives the new SHA. */
  commit(files: Files, message?: string): string;
  remove(): void;
}

export function createRepository(files: Files): TestRepository {
  const path = mkdtempSync(join(tmpdir(), 'tidemill-repo-'));
  const env = {
    PATH: process.env.PATH,
    HOME: path,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.com',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.com',
  };
  const git = (...args: string[]) => execFileSync('git', args, { cwd: path, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd();
  const commit = (changes: Files, message = 'A change') => {
    for (const [name, content] of Object.entries(changes)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), content);
    }
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  git('init', '-q', '-b', 'main');
  commit(files, 'First commit');
  return { path, git, commit, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A front end whose build copies src/ to dist/ and needs nothing from a network. */
export function frontEnd(page: string, version = '1.0.0'): Files {
  return {
    'package.json': JSON.stringify({ name: 'front-end', version, private: true, scripts: { build: 'node build.mjs' } }),
    'package-lock.json': JSON.stringify({ name: 'front-end', version, lockfileVersion: 3, requires: true, packages: { '': { name: 'front-end', version } } }),
    'build.mjs': "import { cpSync } from 'node:fs'; cpSync('src', 'dist', { recursive: true });\n",
    'src/index.html': page,
    'src/404.html': '<h1>Not here</h1>',
  };
}
