// The port that reads git repositories. Hostile input is assumed: names, URLs, configuration, contents.
// Adapters: shared/git (the git command). Contract: test/contracts/git.ts

export interface Repository {
  /** http(s)://, ssh://, user@host:path, or the absolute path of a local repository. Never with a password in it. */
  url: string;
  /** The Credential to use, as credentialRef() names it; sent to that credential's host only. */
  credential?: string;
  submodules?: boolean;
}

/** What a repository is read with; an adapter is given it for the name of a Credential, when it is needed. */
export type GitCredential =
  /** User name and password or token, over http(s). `host`: with ":port" where it is not the scheme's own. */
  | { type: 'basic'; host: string; username: string; password: string }
  /** A private key in OpenSSH's form, without passphrase. The user name is the address's. */
  | { type: 'ssh'; host: string; privateKey: string };

export interface Commit {
  /** Full SHA, lower case. */
  sha: string;
  tree: string;
  /** Full name of the ref it was found by; absent when it was asked for by SHA. */
  ref?: string;
  /** Committer's time, RFC 3339, UTC. */
  commitTime: string;
  /** First line of the message, at most 512 characters. */
  subject: string;
  author: string;
}

export interface Head {
  /** Full ref name. */
  ref: string;
  sha: string;
}

export interface Git {
  /**
   * The commit that a branch, tag or full SHA means, an annotated tag peeled. Branches win over tags of the same short name.
   * Fetches no blobs where the server can do without. A SHA that is held already is answered without asking the server.
   * Throws GitError with kind "not-found", "denied", "unreachable", "refused" or "invalid".
   */
  resolve(repository: Repository, ref: string): Promise<Commit>;
  /** Heads and tags of the repository, and its default branch, as they are there now. */
  heads(repository: Repository): Promise<{ defaultBranch?: string; heads: Head[] }>;
  /** Bytes of a file at a commit; undefined when there is none, or it is no regular file. At most `limit` bytes (default 1 MiB), else GitError "invalid". */
  readFile(repository: Repository, sha: string, path: string, limit?: number): Promise<Buffer | undefined>;
  /** Names in a folder at a commit ('' for the root), folders ending in "/". Undefined: no such folder. */
  list(repository: Repository, sha: string, path: string): Promise<string[] | undefined>;
  /** Writes the commit's files into an empty folder: modes and symlinks kept, no .git, no hooks or filters of the repository run. */
  checkout(repository: Repository, sha: string, directory: string, signal?: AbortSignal): Promise<void>;
  /** The commit's files as a reproducible tar (same tree, same bytes). */
  archive(repository: Repository, sha: string): AsyncIterable<Uint8Array>;
}

export type GitErrorKind = 'not-found' | 'denied' | 'unreachable' | 'refused' | 'invalid';

/** Says what failed, why, and what to do; never holds a credential. Only "unreachable" is worth another try. */
export class GitError extends Error {
  override name = 'GitError';
  readonly kind: GitErrorKind;
  constructor(kind: GitErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
