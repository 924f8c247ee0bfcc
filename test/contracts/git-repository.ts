// A real git repository in a temporary folder, for tests: made by the git command, with nothing of this machine's configuration.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gitConfig } from './git-server.ts';

export interface TestRepository {
  path: string;
  /** Runs git in it; its output without the final line break. Throws where git fails. */
  git(...args: string[]): string;
  /** Writes an object as it is, however wrong; its id. */
  object(type: 'blob' | 'tree' | 'commit', body: string | Buffer): string;
  /** Writes files ("*" at the end of a key: executable; "@": a symlink to the value) and commits all. */
  commit(files: Record<string, string | Buffer>, message?: string): Promise<string>;
}

const DATE = '2026-01-02T03:04:05+02:00';

export async function makeRepository(path: string, ...init: string[]): Promise<TestRepository> {
  await mkdir(path, { recursive: true });
  const env = {
    PATH: process.env.PATH!,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    ...gitConfig({ 'user.name': 'Ann Author', 'user.email': 'ann@example.org', 'protocol.file.allow': 'always', 'gc.auto': '0', 'advice.nestedTag': 'false' }),
    GIT_AUTHOR_DATE: DATE,
    GIT_COMMITTER_DATE: DATE,
  };
  const run = (args: string[], input?: string | Buffer) =>
    execFileSync('git', args, { cwd: path, env, encoding: 'utf8', ...(input !== undefined && { input }) }).trimEnd();
  run(['init', '-q', '-b', 'main', ...init]);
  const repository: TestRepository = {
    path,
    git: (...args) => run(args),
    object: (type, body) => run(['hash-object', '-w', '-t', type, '--literally', '--stdin'], body),
    async commit(files, message = 'a commit') {
      for (const [key, content] of Object.entries(files)) {
        const name = join(path, key.replace(/[*@]$/, ''));
        await mkdir(dirname(name), { recursive: true });
        if (key.endsWith('@')) await symlink(String(content), name);
        else await writeFile(name, content);
        if (key.endsWith('*')) await chmod(name, 0o755);
      }
      run(['add', '-A']);
      run(['commit', '-q', '--allow-empty', '--cleanup=verbatim', '-m', message]);
      return run(['rev-parse', 'HEAD']);
    },
  };
  return repository;
}

/** A tree object's entry, as bytes. */
export function treeEntry(mode: string, name: string, oid: string): Buffer {
  return Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'utf8'), Buffer.from(oid, 'hex')]);
}
