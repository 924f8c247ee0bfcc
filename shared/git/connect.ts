// The way to a repository: its address checked, its credential asked for when it is needed, and so many at once.
import { mkdir, realpath, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { type GitCredential, GitError, type Repository } from '../ports/git.ts';
import { type Address, checkAddress } from './address.ts';
import { openAccess } from './credentials.ts';
import type { Connection } from './fetch.ts';
import { createLimit } from './run.ts';

export interface ConnectOptions {
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
}

export interface Connector {
  /** Makes the folders that git processes need; keys that a killed process left are removed. */
  prepare(): Promise<void>;
  /** Checked; of a local repository the path without links. Throws GitError. */
  addressOf(repository: Repository): Promise<Address>;
  /** Runs a task with the way to the repository open. */
  connected<T>(repository: Repository, signal: AbortSignal | undefined, task: (connection: Connection) => Promise<T>): Promise<T>;
}

export function createConnector(options: ConnectOptions): Connector {
  const { directory, timeout_ms = 600_000, maxFetch = 4 * 2 ** 30 } = options;
  if (!isAbsolute(directory)) throw new TypeError('createGit wants the absolute path of a folder');
  const limit = createLimit(options.concurrency ?? 8);
  let prepared: Promise<void> | undefined;

  async function makeFolders(): Promise<void> {
    await rm(join(directory, 'keys'), { recursive: true, force: true });
    await mkdir(join(directory, 'home'), { recursive: true, mode: 0o700 });
  }

  async function prepare(): Promise<void> {
    prepared ??= makeFolders();
    try {
      await prepared;
    } catch (error) {
      prepared = undefined;
      throw error;
    }
  }

  async function addressOf({ url }: Repository): Promise<Address> {
    const address = checkAddress(url, options.allowLocal ?? false);
    if (address.kind !== 'local') return address;
    const path = await realpath(address.url).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EACCES')
        throw new GitError('denied', `The folder ${address.url} may not be read by this user; change its permissions`);
      throw new GitError('not-found', `There is no folder ${address.url}; check the path of the repository`);
    });
    return { ...address, url: path };
  }

  async function credentialOf(name: string): Promise<GitCredential> {
    try {
      return await options.credentials(name);
    } catch (error) {
      if (error instanceof GitError) throw error;
      throw new GitError('denied', `The credential ${name} cannot be had: ${(error as Error).message}`);
    }
  }

  return {
    prepare,
    addressOf,
    async connected(repository, signal, task) {
      await prepare();
      const address = await addressOf(repository);
      const credential = repository.credential === undefined || address.kind === 'local' ? undefined : await credentialOf(repository.credential);
      return limit(async () => {
        const access = await openAccess(address, credential, directory);
        try {
          return await task({ address, access, directory, timeout_ms, maxFetch, signal });
        } finally {
          await access.dispose();
        }
      });
    },
  };
}
