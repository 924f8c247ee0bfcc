// The Git port by the git command. Each repository is mirrored once for each credential; what is held is answered from there.
import { mkdir, realpath, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { gitRef } from '../objects/fields.ts';
import { type Commit, type Git, GitError, type Repository } from '../ports/git.ts';
import { type Address, checkAddress } from './address.ts';
import { tarTree } from './archive.ts';
import { prepareFolder, writeTree } from './checkout.ts';
import { type GitCredential, openAccess } from './credentials.ts';
import { gitEnvironment } from './environment.ts';
import { gitFailure } from './errors.ts';
import { type Connection, fetchObjects, fetchRef, fetchSha } from './fetch.ts';
import { parseHeads } from './heads.ts';
import { type Mirror, mirrorKey, openMirror } from './mirror.ts';
import { parseCommit, parseTag, nameText } from './objects.ts';
import { createLimit, runGit } from './run.ts';
import { checkoutSubmodules } from './submodules.ts';
import { findEntry, readTree, type TreeFile, walkTree } from './tree.ts';

export interface GitOptions {
  /** Folder of its own, for mirrors; one process at a time. */
  directory: string;
  /** The credential of this name. Throws where there is none. */
  credentials: (name: string) => Promise<GitCredential>;
  /** Whether absolute paths may be read. Default false. */
  allowLocal?: boolean;
  /** So many git processes that talk to a server at once. Default 8. */
  concurrency?: number;
  /** For one of them. Default 10 minutes. */
  timeout_ms?: number;
  /** Bytes that one fetch may bring. Default 4 GiB. */
  maxFetch?: number;
  /** Files of one commit. Default 500,000. */
  maxFiles?: number;
  /** Bytes of one commit's files together. Default 8 GiB. */
  maxBytes?: number;
}

const FULL_SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const SHORT_SHA = /^[0-9a-f]{7,63}$/;
const MAX_COMMIT_BYTES = 1024 * 1024;
const MAX_TAGS_DEEP = 5;
const MAX_KNOWN = 1000;
const DEFAULT_READ = 1024 * 1024;
const MAX_DEPTH = 200;

export function createGit(options: GitOptions): Git {
  const { directory, timeout_ms = 600_000, maxFetch = 4 * 2 ** 30, maxFiles = 500_000, maxBytes = 8 * 2 ** 30 } = options;
  if (!isAbsolute(directory)) throw new TypeError('createGit wants the absolute path of a folder');
  const limit = createLimit(options.concurrency ?? 8);
  const mirrors = new Map<string, Promise<Mirror>>();
  /** By address and credential as they are written, so that what is held is found without a look at the disk. */
  const known = new Map<string, Mirror>();
  let prepared: Promise<unknown> | undefined;

  const prepare = () =>
    (prepared ??= rm(join(directory, 'ssh'), { recursive: false, force: true })
      .catch(() => {})
      .then(() => mkdir(join(directory, 'home'), { recursive: true, mode: 0o700 })));

  async function addressOf(repository: Repository): Promise<Address> {
    const address = checkAddress(repository.url, options.allowLocal ?? false);
    if (address.kind !== 'local') return address;
    const path = await realpath(address.url).catch(() => undefined); // Said below.
    if (!path) throw new GitError('not-found', `There is no folder ${address.url}; check the path of the repository`);
    return { ...address, url: path };
  }

  async function mirrorOf(repository: Repository): Promise<Mirror> {
    const id = knownId(repository);
    const found = known.get(id);
    if (found) return found;
    await prepare();
    const key = mirrorKey((await addressOf(repository)).url, repository.credential);
    let opening = mirrors.get(key);
    if (!opening) {
      opening = openMirror(directory, key);
      mirrors.set(key, opening);
      opening.catch(() => mirrors.delete(key));
    }
    const mirror = await opening;
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(id, mirror);
    return mirror;
  }

  /** Runs a task with the way to the repository open. */
  async function connected<T>(repository: Repository, signal: AbortSignal | undefined, task: (connection: Connection) => Promise<T>): Promise<T> {
    const address = await addressOf(repository);
    const credential = repository.credential === undefined || address.kind === 'local' ? undefined : await options.credentials(repository.credential);
    const access = await openAccess(address, credential, directory);
    try {
      return await limit(() => task({ address, access, directory, timeout_ms, maxFetch, signal }));
    } finally {
      await access.dispose();
    }
  }

  /** The commit that an object which is held means, and keeps its record. */
  async function record(mirror: Mirror, oid: string): Promise<Commit> {
    let sha = oid;
    for (let depth = 0; depth <= MAX_TAGS_DEEP; depth++) {
      const object = await mirror.reader.read(sha, MAX_COMMIT_BYTES);
      if (!object) throw new GitError('not-found', `Commit ${sha} is not in this repository; see that it was pushed`);
      if (object.type === 'commit') {
        const commit = parseCommit(sha, object.body);
        await mirror.keep(commit);
        return commit;
      }
      const target = object.type === 'tag' ? parseTag(object.body) : undefined;
      if (!target) throw new GitError('invalid', `${oid} is a ${object.type}, not a commit; give a branch, a tag or a commit`);
      sha = target;
    }
    throw new GitError('invalid', `${oid} is a tag of a tag of a tag; give the commit that is meant`);
  }

  async function resolveSha(repository: Repository, mirror: Mirror, sha: string, signal?: AbortSignal): Promise<Commit> {
    const held = await mirror.commit(sha);
    if (held) return held;
    return mirror.exclusively(async () => {
      const meanwhile = await mirror.commit(sha);
      if (meanwhile) return meanwhile;
      await mirror.tidy();
      await connected(repository, signal, (connection) => fetchSha(mirror, connection, sha));
      return record(mirror, sha);
    });
  }

  async function resolveName(repository: Repository, mirror: Mirror, name: string): Promise<Commit> {
    const candidates = name.startsWith('refs/') ? [name] : [`refs/heads/${name}`, `refs/tags/${name}`];
    return mirror.exclusively(async () => {
      await mirror.tidy();
      for (const ref of candidates) {
        const oid = await connected(repository, undefined, (connection) => fetchRef(mirror, connection, ref));
        if (oid) return { ...((await mirror.commit(oid)) ?? (await record(mirror, oid))), ref };
      }
      throw notFound(repository, name);
    });
  }

  /** The record of a commit whose trees are held, fetched where they are not. */
  async function ensure(repository: Repository, mirror: Mirror, sha: string, signal?: AbortSignal): Promise<Commit> {
    if (!FULL_SHA.test(sha)) throw new GitError('invalid', `${JSON.stringify(sha.slice(0, 80))} is not a full SHA of 40 or 64 lower-case hexadecimal digits`);
    const commit = await resolveSha(repository, mirror, sha, signal);
    if (await isHeld(mirror, commit)) return commit;
    return mirror.exclusively(async () => {
      if (await isHeld(mirror, commit)) return commit;
      await mirror.replace(sha.length === 64 ? 'sha256' : 'sha1');
      await connected(repository, signal, (connection) => fetchSha(mirror, connection, sha));
      return record(mirror, sha);
    });
  }

  /** Fetches those of the blobs that are not held; the size of each. */
  async function ensureBlobs(
    repository: Repository,
    mirror: Mirror,
    commit: Commit,
    oids: readonly string[],
    signal?: AbortSignal,
  ): Promise<Map<string, number>> {
    const lacking = async () => {
      const sizes = await mirror.reader.sizes(oids);
      return { sizes, missing: oids.filter((oid) => sizes.get(oid) === undefined) };
    };
    const first = await lacking();
    if (first.missing.length === 0) return first.sizes as Map<string, number>;
    return mirror.exclusively(async () => {
      const { sizes, missing } = await lacking();
      if (missing.length === 0) return sizes as Map<string, number>;
      const given = await connected(repository, signal, (connection) => fetchObjects(mirror, connection, missing));
      if (!given) {
        // A server that gives no single objects: everything of this commit then, into an empty mirror that has nothing to leave out.
        mirror.whole = true;
        await mirror.replace(commit.sha.length === 64 ? 'sha256' : 'sha1');
        await connected(repository, signal, (connection) => fetchSha(mirror, connection, commit.sha));
        await record(mirror, commit.sha);
      }
      const now = await lacking();
      if (now.missing.length > 0)
        throw new GitError(
          'unreachable',
          `${repository.url} does not give ${now.missing.length} of the files of ${commit.sha}; try again, and see \`git fsck\` there`,
        );
      return now.sizes as Map<string, number>;
    });
  }

  async function filesOf(repository: Repository, mirror: Mirror, commit: Commit, signal?: AbortSignal): Promise<TreeFile[]> {
    const files = await walkTree(mirror.reader, commit.tree, { maxEntries: maxFiles, maxDepth: MAX_DEPTH });
    signal?.throwIfAborted();
    const oids = [...new Set(files.filter((file) => file.kind !== 'submodule').map((file) => file.oid))];
    const sizes = await ensureBlobs(repository, mirror, commit, oids, signal);
    const total = files.reduce((sum, file) => sum + (sizes.get(file.oid) ?? 0), 0);
    if (total > maxBytes)
      throw new GitError('refused', `The files of ${commit.sha} come to ${total} bytes; ${maxBytes} are the most that are written out here`);
    return files;
  }

  /** Whether the record still tells the truth: the mirror's files may have been lost meanwhile. */
  async function isHeld(mirror: Mirror, commit: Commit): Promise<boolean> {
    return (await mirror.reader.sizes([commit.tree]).catch(() => undefined))?.get(commit.tree) !== undefined;
  }

  const git: Git = {
    async resolve(repository, ref) {
      const held = FULL_SHA.test(ref) ? known.get(knownId(repository))?.remembered(ref) : undefined;
      if (held) return held;
      if (!gitRef.safeParse(ref).success)
        throw new GitError('invalid', `${JSON.stringify(ref.slice(0, 80))} is not the name of a branch or tag, nor a full SHA`);
      const mirror = await mirrorOf(repository);
      if (FULL_SHA.test(ref)) return resolveSha(repository, mirror, ref);
      if (ref !== 'HEAD') return resolveName(repository, mirror, ref);
      const { defaultBranch } = await git.heads(repository);
      if (!defaultBranch) throw new GitError('not-found', `${repository.url} has no default branch; name the branch to build`);
      return resolveName(repository, mirror, `refs/heads/${defaultBranch}`);
    },

    async heads(repository) {
      await prepare();
      return connected(repository, undefined, async ({ address, access }) => {
        const config = { 'remote.origin.url': address.url, ...access.config, ...(address.kind === 'local' && { 'safe.directory': '*' }) };
        const env = gitEnvironment({ directory, config, env: { ...access.env, GIT_DIR: join(directory, 'home', 'none') } });
        const result = await runGit(['ls-remote', '--quiet', '--symref', '--', address.url, 'HEAD', 'refs/heads/*', 'refs/tags/*'], {
          env,
          cwd: directory,
          timeout_ms,
        });
        if (result.code !== 0) throw gitFailure(result.stderr, address.url, access.secrets);
        return parseHeads(result.stdout.toString('utf8'));
      });
    },

    async readFile(repository, sha, path, max = DEFAULT_READ) {
      checkPath(path);
      const mirror = await mirrorOf(repository);
      return mirror.using(async () => {
        const commit = await ensure(repository, mirror, sha);
        const entry = await findEntry(mirror.reader, commit.tree, path);
        if (entry?.kind !== 'file' && entry?.kind !== 'executable') return undefined;
        const held = await mirror.reader.read(entry.oid, max);
        if (held) return Buffer.from(held.body);
        await ensureBlobs(repository, mirror, commit, [entry.oid]);
        return (await mirror.reader.read(entry.oid, max))?.body;
      });
    },

    async list(repository, sha, path) {
      checkPath(path);
      const mirror = await mirrorOf(repository);
      return mirror.using(async () => {
        const commit = await ensure(repository, mirror, sha);
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
      const mirror = await mirrorOf(repository);
      await mirror.using(async () => {
        const commit = await ensure(repository, mirror, sha, signal);
        const files = await filesOf(repository, mirror, commit, signal);
        await writeTree({ directory, gitDir: mirror.gitDir, tree: commit.tree, into, timeout_ms, signal });
        if (repository.submodules) await checkoutSubmodules({ git, repository, sha, files, into, credentials: options.credentials, signal });
      });
    },

    async *archive(repository, sha) {
      const mirror = await mirrorOf(repository);
      const { reader, files, release } = await holding(mirror, async () => {
        const commit = await ensure(repository, mirror, sha);
        const all = await filesOf(repository, mirror, commit);
        return { reader: mirror.reader, files: all };
      });
      try {
        yield* tarTree(reader, files);
      } finally {
        release();
      }
    },
  };
  return git;
}

/** As Mirror.using(), for what goes on after the task: until release() is called. */
async function holding<T extends object>(mirror: Mirror, task: () => Promise<T>): Promise<T & { release: () => void }> {
  const done = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<T>();
  void mirror.using(async () => {
    await task().then(ready.resolve, (error: unknown) => {
      ready.reject(error);
      done.resolve();
    });
    await done.promise;
  });
  return { ...(await ready.promise), release: done.resolve };
}

function knownId({ url, credential }: Repository): string {
  return `${url}\0${credential ?? ''}`;
}

function checkPath(path: string): void {
  if (path === '') return;
  const parts = path.split('/');
  if (path.length > 4096 || /\0/.test(path) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new GitError('invalid', `${JSON.stringify(path.slice(0, 200))} is not a path inside a repository: relative, "/" between names, no ".."`);
  }
}

function notFound(repository: Repository, name: string): GitError {
  const hint = SHORT_SHA.test(name) ? ' A commit is asked for by its full SHA, of 40 or 64 digits.' : ' See that it was pushed, and how it is spelled.';
  const what = name.startsWith('refs/') ? `nothing named ${name}` : `no branch or tag named ${name}`;
  return new GitError('not-found', `${repository.url} has ${what}.${hint}`);
}
