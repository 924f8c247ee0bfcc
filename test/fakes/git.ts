// A Git port whose repositories are written by the test: commits with files, refs, and errors on demand. Records what it was asked.
import { type Commit, type Git, GitError } from '../../shared/ports/git.ts';

export interface FakeCommit {
  sha: string;
  files?: Record<string, string>;
  commitTime?: string;
  subject?: string;
}

export interface FakeGit extends Git {
  /** Every call as "resolve refs/heads/main". */
  calls: string[];
  commit(commit: FakeCommit): void;
  /** Where a ref is from now on. */
  refs: Map<string, string>;
  /** Thrown by the next calls, one each; then all is well again. */
  failures: Error[];
}

export function createFakeGit(): FakeGit {
  const commits = new Map<string, Required<FakeCommit>>();
  const refs = new Map<string, string>();
  const calls: string[] = [];
  const failures: Error[] = [];
  const call = (what: string) => {
    calls.push(what);
    const failure = failures.shift();
    if (failure) throw failure;
  };
  const filesAt = (sha: string) => commits.get(sha)?.files ?? {};

  return {
    calls,
    refs,
    failures,
    commit: ({ sha, files = { 'index.html': '<h1>Hello</h1>' }, commitTime = '2026-11-03T10:00:00Z', subject = 'A change' }) => {
      commits.set(sha, { sha, files, commitTime, subject });
    },
    resolve: async (_repository, ref): Promise<Commit> => {
      call(`resolve ${ref}`);
      const sha = refs.get(ref) ?? ref;
      const found = commits.get(sha);
      if (!found) throw new GitError('not-found', `There is no ${ref}`);
      const { commitTime, subject } = found;
      return { sha, tree: sha, commitTime, subject, author: 'Ada', ...(refs.has(ref) && { ref }) };
    },
    heads: async () => {
      call('heads');
      return { defaultBranch: 'main', heads: [...refs].map(([ref, sha]) => ({ ref, sha })) };
    },
    readFile: async (_repository, sha, path) => {
      call(`read ${path}`);
      const content = filesAt(sha)[path];
      return content === undefined ? undefined : Buffer.from(content);
    },
    list: async (_repository, sha, path) => {
      call(`list ${path}`);
      const inside = Object.keys(filesAt(sha)).flatMap((file) => (path === '' ? [file] : file.startsWith(`${path}/`) ? [file.slice(path.length + 1)] : []));
      if (inside.length === 0 && path !== '') return undefined;
      return [...new Set(inside.map((file) => file.replace(/\/.*/, '/')))];
    },
    checkout: async () => call('checkout'),
    archive: () => {
      throw new Error('no function here archives a commit');
    },
  };
}
