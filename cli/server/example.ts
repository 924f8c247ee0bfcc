// The git repository of the first start, made of examples/site: a real one, which the person may go on committing to.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CliError, EXIT } from '../exit.ts';

const SOURCE = fileURLToPath(new URL('../../examples/site', import.meta.url));
/** What the example's own .gitignore leaves out, and what somebody who built it by hand has lying there. */
const LEFT_OUT = new Set(['dist', 'node_modules']);
const IDENTITY = ['-c', 'user.name=tidemill', '-c', 'user.email=tidemill@localhost', '-c', 'commit.gpgSign=false'];
const run = promisify(execFile);

export interface ExampleCommit {
  sha: string;
  tree: string;
  branch: string;
  subject: string;
  /** RFC 3339. */
  time: string;
}

/** Makes the repository at `path` unless it is there; complete or not at all. Gives back its newest commit. */
export async function ensureExample(path: string): Promise<ExampleCommit> {
  const newest = await newestCommit(path);
  if (newest) return newest;
  const beside = `${path}.${process.pid}.tmp`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(dirname(path), { recursive: true });
  await cp(SOURCE, beside, { recursive: true, filter: (from) => !LEFT_OUT.has(basename(from)) });
  await git(beside, 'init', '--quiet', '--initial-branch=main', '--template=');
  await git(beside, 'add', '--all');
  await git(beside, ...IDENTITY, 'commit', '--quiet', '--no-verify', '--message=Begin the site of the tide mill');
  await rm(path, { recursive: true, force: true });
  await rename(beside, path);
  const commit = await newestCommit(path);
  if (!commit) throw new Error(`The repository that was just made at ${path} has no commit`);
  return commit;
}

async function newestCommit(path: string): Promise<ExampleCommit | undefined> {
  // A missing folder and a missing git give the same error.
  if (!existsSync(path)) return undefined;
  try {
    const [sha, tree, time, subject = ''] = (await git(path, 'log', '-1', '--format=%H%n%T%n%cI%n%s', 'HEAD', '--')).split('\n');
    const branch = (await git(path, 'symbolic-ref', '--short', 'HEAD')).trim();
    return sha && tree && time ? { sha, tree, time, subject, branch } : undefined;
  } catch (error) {
    if (error instanceof CliError) throw error;
    return undefined; // Nothing there, or no repository with a commit: it is made.
  }
}

/** The person's own settings, hooks and templates have no part in it, and no repository further up is taken for this one. */
async function git(cwd: string, ...args: string[]): Promise<string> {
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, ...inherited } = process.env;
  const env = { ...inherited, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0', GIT_CEILING_DIRECTORIES: dirname(cwd) };
  try {
    return (await run('git', args, { cwd, env })).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || (error as NodeJS.ErrnoException).path !== 'git') throw error;
    throw new CliError(EXIT.failed, 'The git command is not there, or not on the PATH. Install git, then start again.', { cause: error });
  }
}
