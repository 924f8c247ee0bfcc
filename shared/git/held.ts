// What of a repository is held in its mirror, and how it gets there: commits with their trees first, file contents when they are wanted.
import { type Commit, GitError, type Repository } from '../ports/git.ts';
import type { Connector } from './connect.ts';
import { Damaged } from './errors.ts';
import { fetchObjects, fetchRef, fetchSha } from './fetch.ts';
import { type Mirror, mirrorKey, openMirror } from './mirror.ts';
import { parseCommit, parseTag } from './objects/objects.ts';
import { MAX_TREE_BYTES, type TreeFile, walkTree } from './objects/tree.ts';

export interface HeldOptions {
  directory: string;
  connector: Connector;
  /** Files of one commit. */
  maxFiles: number;
  /** Bytes of one commit's files together. */
  maxBytes: number;
}

export interface Held {
  /** The record of a commit, from memory only. */
  remembered(repository: Repository, sha: string): Commit | undefined;
  /** Runs a task on the repository's mirror, which is not taken away meanwhile; once more on an empty one where it turns out to be damaged. */
  withMirror<T>(repository: Repository, task: (mirror: Mirror) => Promise<T>): Promise<T>;
  /** As withMirror(), and the mirror is not taken away until `released` either. */
  untilReleased<T>(repository: Repository, task: (mirror: Mirror) => Promise<T>, released: Promise<void>): Promise<T>;
  /** The first of the full ref names that the repository has, as it is there now; undefined: none of them. */
  resolveRef(repository: Repository, mirror: Mirror, refs: readonly string[]): Promise<Commit | undefined>;
  /** What is held already is not asked for. */
  resolveSha(repository: Repository, mirror: Mirror, sha: string): Promise<Commit>;
  /** As resolveSha(), and sure that the trees are there. */
  ensureTrees(repository: Repository, mirror: Mirror, sha: string, signal?: AbortSignal): Promise<Commit>;
  /** Fetches those of the blobs that are not held. The size of each. */
  ensureBlobs(repository: Repository, mirror: Mirror, commit: Commit, oids: readonly string[], signal?: AbortSignal): Promise<Map<string, number>>;
  /** Every file of a commit, its contents held. */
  ensureFiles(repository: Repository, mirror: Mirror, commit: Commit, signal?: AbortSignal): Promise<TreeFile[]>;
}

const FULL_SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const MAX_COMMIT_BYTES = 1024 * 1024;
const MAX_TAGS_DEEP = 5;
const MAX_KNOWN = 1000;
const MAX_DEPTH = 200;

export function isFullSha(text: string): boolean {
  return FULL_SHA.test(text);
}

export function createHeld({ directory, connector, maxFiles, maxBytes }: HeldOptions): Held {
  const { connected } = connector;
  const mirrors = new Map<string, Promise<Mirror>>();
  /** By address and credential as they are written, so that what is held is found without a look at the disk. */
  const known = new Map<string, Mirror>();

  async function mirrorOf(repository: Repository): Promise<Mirror> {
    const id = knownId(repository);
    const found = known.get(id);
    if (found) return found;
    const { url } = await connector.addressOf(repository);
    await connector.prepare();
    const key = mirrorKey(url, repository.credential);
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

  async function fetchAnew(repository: Repository, mirror: Mirror, sha: string, signal?: AbortSignal): Promise<Commit> {
    await mirror.replace();
    await connected(repository, signal, (connection) => fetchSha(mirror, connection, sha));
    return record(mirror, sha);
  }

  /** Inside exclusively(). A server that gives no single objects is asked for everything of the commit, into an empty mirror that leaves nothing out. */
  async function fetchBlobs(repository: Repository, mirror: Mirror, { sha }: Commit, oids: readonly string[], signal?: AbortSignal): Promise<void> {
    if (!mirror.whole && (await connected(repository, signal, (connection) => fetchObjects(mirror, connection, oids)))) return;
    mirror.whole = true;
    await fetchAnew(repository, mirror, sha, signal);
  }

  async function ensureBlobs(
    repository: Repository,
    mirror: Mirror,
    commit: Commit,
    oids: readonly string[],
    signal?: AbortSignal,
  ): Promise<Map<string, number>> {
    const before = await lookup(mirror, oids);
    if (before.missing.length === 0) return before.sizes;
    return mirror.exclusively(async () => {
      const { missing } = await lookup(mirror, oids);
      if (missing.length > 0) await fetchBlobs(repository, mirror, commit, missing, signal);
      const after = await lookup(mirror, oids);
      if (after.missing.length === 0) return after.sizes;
      throw new GitError('unreachable', `${repository.url} does not give ${after.missing.length} of the files of ${commit.sha}; see \`git fsck\` there`);
    });
  }

  async function withMirror<T>(repository: Repository, task: (mirror: Mirror) => Promise<T>): Promise<T> {
    const mirror = await mirrorOf(repository);
    return mirror.using(async () => {
      try {
        return await task(mirror);
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        await mirror.exclusively(() => mirror.replace());
        return await again(() => task(mirror));
      }
    });
  }

  return {
    resolveSha,
    ensureBlobs,
    withMirror,
    remembered: (repository, sha) => known.get(knownId(repository))?.remembered(sha),

    async untilReleased(repository, task, released) {
      return withMirror(repository, async (mirror) => {
        const result = await task(mirror);
        void mirror.using(() => released);
        return result;
      });
    },

    async resolveRef(repository, mirror, refs) {
      return mirror.exclusively(async () => {
        await mirror.tidy();
        for (const ref of refs) {
          const oid = await connected(repository, undefined, (connection) => fetchRef(mirror, connection, ref));
          if (oid) return { ...((await mirror.commit(oid)) ?? (await record(mirror, oid))), ref };
        }
        return undefined;
      });
    },

    async ensureTrees(repository, mirror, sha, signal) {
      if (!FULL_SHA.test(sha)) throw new GitError('invalid', `${JSON.stringify(sha.slice(0, 80))} is not a full SHA of 40 or 64 lower-case hexadecimal digits`);
      const commit = await resolveSha(repository, mirror, sha, signal);
      if (await isHeld(mirror, commit)) return commit;
      return mirror.exclusively(async () => ((await isHeld(mirror, commit)) ? commit : fetchAnew(repository, mirror, sha, signal)));
    },

    async ensureFiles(repository, mirror, commit, signal) {
      const files = await walkTree(mirror.reader, commit.tree, { maxEntries: maxFiles, maxDepth: MAX_DEPTH });
      signal?.throwIfAborted();
      const oids = [...new Set(files.filter((file) => file.kind !== 'submodule').map((file) => file.oid))];
      const sizes = await ensureBlobs(repository, mirror, commit, oids, signal);
      const total = files.reduce((sum, file) => sum + (sizes.get(file.oid) ?? 0), 0);
      if (total > maxBytes)
        throw new GitError('refused', `The files of ${commit.sha} come to ${total} bytes; ${maxBytes} are the most that are written out here`);
      return files;
    },
  };
}

/** The second try, on a mirror that was just made. */
async function again<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new GitError('unreachable', `The mirror of a repository is damaged again and again (${error.message}); see that the disk is sound and not full`);
  }
}

/** The commit that an object which is held means; its record is kept. */
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

async function lookup(mirror: Mirror, oids: readonly string[]): Promise<{ sizes: Map<string, number>; missing: string[] }> {
  const found = await mirror.reader.sizes(oids);
  const sizes = new Map<string, number>();
  for (const [oid, size] of found) if (size !== undefined) sizes.set(oid, size);
  return { sizes, missing: oids.filter((oid) => !sizes.has(oid)) };
}

/** Whether the record still tells the truth: the mirror's files may have been lost meanwhile. */
async function isHeld(mirror: Mirror, commit: Commit): Promise<boolean> {
  return (await mirror.reader.read(commit.tree, MAX_TREE_BYTES)) !== undefined;
}

function knownId({ url, credential }: Repository): string {
  return `${url}\0${credential ?? ''}`;
}
