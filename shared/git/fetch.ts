// Brings objects from a repository into its mirror: one commit deep, and without file contents where the server can do without.
import { createHash } from 'node:crypto';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GitError } from '../ports/git.ts';
import type { Address } from './address.ts';
import type { Access } from './credentials.ts';
import { gitEnvironment } from './environment.ts';
import { gitFailure, isDamage } from './errors.ts';
import type { Mirror } from './mirror.ts';
import { type RunResult, runGit } from './run.ts';

export interface Connection {
  address: Address;
  access: Access;
  directory: string;
  timeout_ms: number;
  /** More bytes than this are not taken. */
  maxFetch: number;
  signal?: AbortSignal | undefined;
}

const LOCK_TRIES = 20;
const LOCK_WAIT_MS = 250;
/** No git process of ours holds a lock that long without changing the file; its owner was killed. */
const LOCK_STALE_MS = 4000;

/** Fetches one full ref name; what it points at, or undefined where the repository has no such ref. */
export async function fetchRef(mirror: Mirror, connection: Connection, ref: string): Promise<string | undefined> {
  const result = await fetch(mirror, connection, ['--depth=1', ...filter(mirror, connection), '--', 'origin', `+${ref}:${heldRef(ref)}`]);
  if (result.code === 0) return fetchedSha(mirror);
  if (/couldn't find remote ref/.test(result.stderr)) return undefined;
  throw failure(result, connection);
}

/** Fetches one object by its full SHA. Where the server gives only what it advertises, all branches and tags are fetched to look for it. */
export async function fetchSha(mirror: Mirror, connection: Connection, sha: string): Promise<void> {
  const format = sha.length === 64 ? 'sha256' : 'sha1';
  if (mirror.format !== format) {
    if (await isUsed(mirror)) throw new GitError('not-found', `${connection.address.url} has no commit ${sha}: its SHAs are of the kind ${mirror.format}`);
    await mirror.replace(format);
  }
  const result = await fetch(mirror, connection, ['--depth=1', ...filter(mirror, connection), '--', 'origin', sha]);
  if (result.code === 0) return;
  if (!/does not allow request for unadvertised object/.test(result.stderr)) throw failure(result, connection);
  const all = await fetch(mirror, connection, [
    '--depth=2147483647',
    '--prune',
    ...filter(mirror, connection),
    '--',
    'origin',
    '+refs/heads/*:refs/all/heads/*',
    '+refs/tags/*:refs/all/tags/*',
  ]);
  if (all.code !== 0) throw failure(all, connection);
}

/** Fetches single objects; false where the server does not give them. */
export async function fetchObjects(mirror: Mirror, connection: Connection, oids: readonly string[]): Promise<boolean> {
  const args = ['--filter=blob:none', '--no-write-fetch-head', '--stdin', '--', 'origin'];
  const result = await fetch(mirror, connection, args, { input: oids.map((oid) => `${oid}\n`).join(''), config: { 'fetch.negotiationAlgorithm': 'noop' } });
  if (result.code === 0) return true;
  const failed = failure(result, connection);
  if (failed.kind === 'not-found') return false;
  throw failed;
}

/** Local repositories give everything: that is cheaper than asking twice. */
function filter(mirror: Mirror, { address }: Connection): string[] {
  return address.kind === 'local' || mirror.whole ? [] : ['--filter=blob:none'];
}

/** Where the newest state of a ref is kept, so that the next fetch brings only the difference; hashed, since a/b may follow a. */
function heldRef(ref: string): string {
  return `refs/held/${createHash('sha256').update(ref).digest('hex').slice(0, 32)}`;
}

/** Whether anything was ever fetched into it: until then nobody knows which kind of SHA the repository has. */
async function isUsed(mirror: Mirror): Promise<boolean> {
  return stat(join(mirror.gitDir, 'FETCH_HEAD')).then(
    (info) => info.size > 0,
    () => false,
  );
}

async function fetchedSha(mirror: Mirror): Promise<string> {
  const head = await readFile(join(mirror.gitDir, 'FETCH_HEAD'), 'utf8');
  const sha = /^([0-9a-f]{40}(?:[0-9a-f]{24})?)\t/.exec(head)?.[1];
  if (!sha) throw new Error('git fetch succeeded and wrote no FETCH_HEAD');
  return sha;
}

function failure(result: RunResult, { address, access }: Connection): GitError {
  return gitFailure(result.stderr, address.url, access.secrets);
}

async function fetch(
  mirror: Mirror,
  connection: Connection,
  args: string[],
  more: { input?: string; config?: Record<string, string> } = {},
): Promise<RunResult> {
  const { address, access, directory } = connection;
  const partial = filter(mirror, connection).length > 0;
  const remote: Record<string, string> = { 'remote.origin.url': address.url, ...access.config, ...more.config };
  // Told by the environment, so that git writes nothing of it into the mirror and no reader ever fetches by itself.
  if (partial) Object.assign(remote, { 'remote.origin.promisor': 'true', 'remote.origin.partialCloneFilter': 'blob:none', 'fetch.unpackLimit': '1' });
  else Object.assign(remote, address.kind === 'local' ? { 'safe.directory': '*' } : { 'fetch.unpackLimit': '1' });
  const run = () =>
    runGit(['fetch', '--quiet', '--no-tags', '--no-recurse-submodules', '--update-shallow', '--no-auto-maintenance', ...args], {
      env: gitEnvironment({ directory, gitDir: mirror.gitDir, config: remote, env: access.env }),
      timeout_ms: connection.timeout_ms,
      signal: connection.signal,
      watch: () => tooLarge(mirror.gitDir, connection),
      ...(more.input !== undefined && { input: more.input }),
    });
  for (let attempt = 1; ; attempt++) {
    const result = await run().catch(async (error: unknown) => {
      await removeHalves(mirror.gitDir);
      throw error;
    });
    const refusesFormat = /mismatched algorithms: client (sha1|sha256); server (sha1|sha256)/.exec(result.stderr)?.[2];
    if (refusesFormat && attempt === 1) await mirror.replace(refusesFormat as 'sha1' | 'sha256');
    else if (attempt === 1 && result.code !== 0 && isDamage(result.stderr)) await mirror.replace();
    else if (result.code === 0 || attempt >= LOCK_TRIES || !(await passLock(result.stderr))) return result;
  }
}

/** After a kill, a lock may be left, or its holder may still be at work: waits, then removes it. False: this is not about a lock. */
async function passLock(stderr: string): Promise<boolean> {
  const path = /Unable to create '([^'\n]+\.lock)': File exists/.exec(stderr)?.[1];
  if (!path) return false;
  const info = await stat(path).catch(() => undefined); // Gone meanwhile.
  if (info && Date.now() - info.mtimeMs > LOCK_STALE_MS) await rm(path, { force: true });
  else await new Promise((resolve) => setTimeout(resolve, LOCK_WAIT_MS));
  return true;
}

async function tooLarge(gitDir: string, { address, maxFetch }: Connection): Promise<string | undefined> {
  let size = 0;
  for (const path of await halves(gitDir)) size += (await stat(path).catch(() => undefined))?.size ?? 0; // Renamed meanwhile.
  return size > maxFetch ? `${address.url} sent more than ${maxFetch} bytes, which is the most that is taken; make the repository smaller` : undefined;
}

/** Packs that are being received, or were left by a process that was ended. */
async function halves(gitDir: string): Promise<string[]> {
  const folder = join(gitDir, 'objects', 'pack');
  const names = await readdir(folder).catch(() => []); // Nothing was received yet.
  return names.filter((name) => name.startsWith('tmp_')).map((name) => join(folder, name));
}

async function removeHalves(gitDir: string): Promise<void> {
  for (const path of await halves(gitDir)) await rm(path, { force: true });
}
