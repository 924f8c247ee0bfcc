// Writes the files of a commit into a folder. git writes them, since it knows every file system's traps; what may be written is decided before.
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GitError } from '../../ports/git.ts';
import { gitEnvironment } from '../environment.ts';
import { Damaged, gitFailure, isDamage } from '../errors.ts';
import { runGit } from '../run.ts';

export interface CheckoutOptions {
  /** Folder of the adapter. */
  directory: string;
  gitDir: string;
  tree: string;
  /** Absolute; empty. */
  into: string;
  timeout_ms: number;
  signal?: AbortSignal | undefined;
}

/** Throws GitError "invalid" when the folder is not empty. */
export async function prepareFolder(into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  if ((await readdir(into)).length > 0) throw new GitError('invalid', `${into} is not empty; files of a commit are only written into an empty folder`);
}

/** Modes and symlinks as committed; no filter, hook or attribute of the repository has a say. What was written of a failed checkout is removed. */
export async function writeTree({ directory, gitDir, tree, into, timeout_ms, signal }: CheckoutOptions): Promise<void> {
  const index = join(gitDir, `index-${randomUUID()}`);
  try {
    const env = gitEnvironment({ directory, gitDir, config: { 'core.bare': 'false' }, env: { GIT_WORK_TREE: into, GIT_INDEX_FILE: index } });
    const result = await runGit(['read-tree', '--reset', '-u', tree], { env, cwd: into, timeout_ms, signal });
    if (result.code !== 0 && isDamage(result.stderr)) throw new Damaged(`tree ${tree} of a mirror cannot be read`);
    if (result.code !== 0) throw gitFailure(result.stderr, `tree ${tree}`);
  } catch (error) {
    await emptyFolder(into);
    throw error;
  } finally {
    await Promise.all([rm(index, { force: true }), rm(`${index}.lock`, { force: true })]);
  }
}

async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}
