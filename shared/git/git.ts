// The Git port by the git command. Each repository is mirrored once for each credential; what is held is answered from there.
import { isAbsolute, join } from 'node:path';
import { gitRef } from '../objects/fields.ts';
import { type Git, GitError, type Repository } from '../ports/git.ts';
import { tarTree } from './files/archive.ts';
import { prepareFolder, writeTree } from './files/checkout.ts';
import { type ConnectOptions, createConnector } from './connect.ts';
import { gitEnvironment } from './environment.ts';
import { gitFailure } from './errors.ts';
import { parseHeads } from './heads.ts';
import { createHeld, isFullSha } from './held.ts';
import type { Mirror } from './mirror.ts';
import { nameText } from './objects/objects.ts';
import { runGit } from './run.ts';
import { checkoutSubmodules } from './files/submodules.ts';
import { findEntry, readTree } from './objects/tree.ts';

export interface GitOptions extends ConnectOptions {
  /** Files of one commit. Default 500,000. */
  maxFiles?: number;
  /** Bytes of one commit's files together. Default 8 GiB. */
  maxBytes?: number;
}

const SHORT_SHA = /^[0-9a-f]{7,63}$/;
const DEFAULT_READ = 1024 * 1024;
const MAX_PATH = 4096;

export function createGit(options: GitOptions): Git {
  const { directory, credentials, timeout_ms = 600_000, maxFiles = 500_000, maxBytes = 8 * 2 ** 30 } = options;
  const connector = createConnector(options);
  const held = createHeld({ directory, connector, maxFiles, maxBytes });

  const git: Git = {
    async resolve(repository, ref) {
      const known = isFullSha(ref) ? held.remembered(repository, ref) : undefined;
      if (known) return known;
      if (!gitRef.safeParse(ref).success)
        throw new GitError('invalid', `${JSON.stringify(ref.slice(0, 80))} is not the name of a branch or tag, nor a full SHA`);
      if (isFullSha(ref)) return held.withMirror(repository, (mirror) => held.resolveSha(repository, mirror, ref));
      const refs = ref === 'HEAD' ? [await defaultRef(repository)] : ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
      const commit = await held.withMirror(repository, (mirror) => held.resolveRef(repository, mirror, refs));
      if (!commit) throw notFound(repository, ref);
      return commit;
    },

    async heads(repository) {
      return connector.connected(repository, undefined, async ({ address, access }) => {
        const config = { ...access.config, ...(address.kind === 'local' && { 'safe.directory': '*' }) };
        const env = gitEnvironment({ directory, gitDir: join(directory, 'home', 'none'), config, env: access.env });
        const args = ['ls-remote', '--quiet', '--symref', '--', address.url, 'HEAD', 'refs/heads/*', 'refs/tags/*'];
        const result = await runGit(args, { env, timeout_ms });
        if (result.code !== 0) throw gitFailure(result.stderr, address.url, access.secrets);
        return parseHeads(result.stdout.toString('utf8'));
      });
    },

    async readFile(repository, sha, path, limit = DEFAULT_READ) {
      checkPath(path);
      return held.withMirror(repository, async (mirror) => {
        const commit = await held.ensureTrees(repository, mirror, sha);
        const entry = await findEntry(mirror.reader, commit.tree, path);
        if (entry?.kind !== 'file' && entry?.kind !== 'executable') return undefined;
        const there = await mirror.reader.read(entry.oid, limit);
        if (there) return there.body;
        await held.ensureBlobs(repository, mirror, commit, [entry.oid]);
        return (await mirror.reader.read(entry.oid, limit))?.body;
      });
    },

    async list(repository, sha, path) {
      checkPath(path);
      return held.withMirror(repository, async (mirror) => {
        const commit = await held.ensureTrees(repository, mirror, sha);
        const entry = await findEntry(mirror.reader, commit.tree, path);
        if (entry?.kind !== 'folder') return undefined;
        const entries = (await readTree(mirror.reader, entry.oid)) ?? [];
        return entries.map(({ name, kind }) => `${nameText(name)}${kind === 'folder' || kind === 'submodule' ? '/' : ''}`);
      });
    },

    async checkout(repository, sha, into, signal) {
      signal?.throwIfAborted();
      if (!isAbsolute(into)) throw new GitError('invalid', 'A checkout wants the absolute path of an empty folder');
      await prepareFolder(into);
      const files = await held.withMirror(repository, async (mirror) => {
        const commit = await held.ensureTrees(repository, mirror, sha, signal);
        const all = await held.ensureFiles(repository, mirror, commit, signal);
        await writeTree({ directory, gitDir: mirror.gitDir, tree: commit.tree, into, timeout_ms, signal });
        return all;
      });
      if (repository.submodules) await checkoutSubmodules({ git, repository, sha, files, into, credentials, signal });
    },

    async *archive(repository, sha) {
      const released = Promise.withResolvers<void>();
      const open = async (mirror: Mirror) => {
        const commit = await held.ensureTrees(repository, mirror, sha);
        return { reader: mirror.reader, files: await held.ensureFiles(repository, mirror, commit) };
      };
      const { reader, files } = await held.untilReleased(repository, open, released.promise);
      try {
        yield* tarTree(reader, files);
      } finally {
        released.resolve();
      }
    },
  };

  async function defaultRef(repository: Repository): Promise<string> {
    const { defaultBranch } = await git.heads(repository);
    if (!defaultBranch) throw new GitError('not-found', `${repository.url} has no default branch; name the branch to build`);
    return `refs/heads/${defaultBranch}`;
  }

  return git;
}

function checkPath(path: string): void {
  if (path === '') return;
  if (path.length > MAX_PATH || path.includes('\0') || path.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new GitError('invalid', `${JSON.stringify(path.slice(0, 200))} is not a path inside a repository: relative, "/" between names, no ".."`);
  }
}

function notFound(repository: Repository, name: string): GitError {
  const hint = SHORT_SHA.test(name) ? ' A commit is asked for by its full SHA, of 40 or 64 digits.' : ' See that it was pushed, and how it is spelled.';
  const what = name.startsWith('refs/') ? `nothing named ${name}` : `no branch or tag named ${name}`;
  return new GitError('not-found', `${repository.url} has ${what}.${hint}`);
}
