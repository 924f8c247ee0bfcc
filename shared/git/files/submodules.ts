// Submodules, for projects that ask for them: only over http(s) and ssh, with the credential only where the host is the same.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRemote } from '../../decisions/source/repository.ts';
import { type Git, type GitCredential, GitError, type Repository } from '../../ports/git.ts';
import { gitEnvironment } from '../environment.ts';
import { nameText } from '../objects/objects.ts';
import { runGit } from '../run.ts';
import type { TreeFile } from '../objects/tree.ts';

const MAX_SUBMODULES = 100;
const MAX_LEVELS = 5;

export interface SubmoduleOptions {
  git: Git;
  repository: Repository;
  sha: string;
  files: readonly TreeFile[];
  /** Where the repository itself was written to. */
  into: string;
  credentials: (name: string) => Promise<GitCredential>;
  signal?: AbortSignal | undefined;
}

/** How deep each repository object stands below the one that was asked for; the port itself has no word for it. */
const levels = new WeakMap<Repository, number>();

/** Writes each submodule that .gitmodules names into its folder, and theirs likewise. */
export async function checkoutSubmodules({ git, repository, sha, files, into, credentials, signal }: SubmoduleOptions): Promise<void> {
  const links = files.filter((file) => file.kind === 'submodule');
  if (links.length === 0) return;
  if (links.length > MAX_SUBMODULES) throw new GitError('refused', `${repository.url} has ${links.length} submodules; ${MAX_SUBMODULES} are the most`);
  const level = (levels.get(repository) ?? 0) + 1;
  if (level > MAX_LEVELS) throw new GitError('refused', `Submodules stand more than ${MAX_LEVELS} deep in one another`);
  const content = await git.readFile(repository, sha, '.gitmodules');
  const urls = content ? await readGitmodules(content) : new Map<string, string>();
  const host = repository.credential === undefined ? undefined : (await credentials(repository.credential)).host.toLowerCase();
  for (const link of links) {
    const path = nameText(link.path);
    const url = urls.get(path);
    if (url === undefined) throw new GitError('invalid', `.gitmodules does not say where the submodule ${path} is; add it there, or switch submodules off`);
    const below: Repository = { url: submoduleUrl(url, repository.url, path), submodules: true };
    const remote = parseRemote(below.url)!;
    if (host === `${remote.host}${remote.port ? `:${remote.port}` : ''}`) below.credential = repository.credential!;
    levels.set(below, level);
    await git.checkout(below, link.oid, join(into, path), signal);
  }
}

/** The address of a submodule. Relative ones are below the parent's. Throws GitError "refused" for what is not http(s) or ssh. */
export function submoduleUrl(url: string, parent: string, path: string): string {
  const absolute = /^\.\.?\//.test(url) ? relativeTo(parent, url) : url;
  const scheme = absolute && parseRemote(absolute)?.scheme;
  if (!absolute || !scheme || scheme === 'git' || absolute.startsWith('-')) {
    throw new GitError('refused', `The submodule ${path} is at ${JSON.stringify(url.slice(0, 200))}; submodules are read over https and ssh only`);
  }
  return absolute;
}

/** git's own rule: "../" takes off one part of the parent's path. Undefined: the parent is local, or has not so many parts. */
function relativeTo(parent: string, url: string): string | undefined {
  const match = /^((?:https?|ssh):\/\/[^/]+\/|[^/:]+:)(.*)$/.exec(parent.replace(/\/+$/, ''));
  if (!match) return undefined;
  const parts = match[2]!.split('/');
  for (const part of url.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '.' && part !== '') parts.push(part);
  }
  return match[1]! + parts.join('/');
}

/** Path → address, as git itself reads its configuration; a file of that form cannot include others here. */
async function readGitmodules(content: Buffer): Promise<Map<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-modules-'));
  try {
    const file = join(folder, 'gitmodules');
    await writeFile(file, content);
    const args = ['config', '--file', file, '--no-includes', '--null', '--list'];
    const result = await runGit(args, { env: gitEnvironment({ directory: folder }), timeout_ms: 10_000 });
    if (result.code !== 0) throw new GitError('invalid', '.gitmodules cannot be read as git configuration; see `git config -f .gitmodules --list`');
    return modules(result.stdout.toString('utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function modules(listing: string): Map<string, string> {
  const byName = new Map<string, { path?: string; url?: string }>();
  for (const pair of listing.split('\0')) {
    const end = pair.indexOf('\n');
    const match = /^submodule\.(.*)\.(path|url)$/s.exec(pair.slice(0, end));
    if (!match) continue;
    const module = byName.get(match[1]!) ?? {};
    module[match[2] as 'path' | 'url'] = pair.slice(end + 1);
    byName.set(match[1]!, module);
  }
  return new Map([...byName.values()].flatMap(({ path, url }) => (path && url ? [[path, url] as const] : [])));
}
