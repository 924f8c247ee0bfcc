// What is held of one repository: a bare mirror in a folder of its own, and the record of each commit that was resolved from it.
// <directory>/<key>/<generation>/git is the mirror, <directory>/<key>/<generation>/commits/<sha>.json a record.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { canonicalRepository } from '../decisions/source/repository.ts';
import { gitSha, timestamp } from '../objects/fields.ts';
import type { Commit } from '../ports/git.ts';
import { createObjectReader, type ObjectReader } from './objects/reader.ts';

export interface Mirror {
  gitDir: string;
  reader: ObjectReader;
  /** The record of a commit that is held: from memory, else from its file. */
  commit(sha: string): Promise<Commit | undefined>;
  /** The record in memory, without waiting. */
  remembered(sha: string): Commit | undefined;
  keep(commit: Commit): Promise<void>;
  /** One after the other: what changes the mirror. */
  exclusively<T>(task: () => Promise<T>): Promise<T>;
  /** Runs a task that reads; meanwhile the mirror is not replaced. */
  using<T>(task: () => Promise<T>): Promise<T>;
  /** What kind of SHA it holds. */
  format: 'sha1' | 'sha256';
  /** Whether the server was asked for everything, since it would not give single blobs. */
  whole: boolean;
  /** Begins anew with an empty mirror; only inside exclusively(). The old one goes once nobody reads it. */
  replace(format?: Mirror['format']): Promise<void>;
  /** Begins anew when so many packs or loose objects have gathered that reading becomes slow. */
  tidy(): Promise<void>;
}

const record = z.object({ sha: gitSha, tree: gitSha, commitTime: timestamp, subject: z.string(), author: z.string() });

const REMEMBERED = 1000;
const MAX_PACKS = 200;
/** Loose objects in one of the 256 folders they are spread over. */
const MAX_LOOSE = 64;

/** git's settings for what repositories say of their own files: bytes are written as they were committed. */
const ATTRIBUTES = '* -text !eol -ident -filter !working-tree-encoding -export-subst -export-ignore -diff -merge\n';

/** Name of a mirror's folder: one for each repository and the credential it is read with. */
export function mirrorKey(url: string, credential: string | undefined): string {
  return createHash('sha256')
    .update(`${canonicalRepository(url)}\0${credential ?? ''}`)
    .digest('hex')
    .slice(0, 40);
}

export async function openMirror(directory: string, key: string): Promise<Mirror> {
  const folder = join(directory, key);
  let generation = await newestGeneration(folder);
  const commits = new Map<string, Commit>();
  let last: Promise<unknown> = Promise.resolve();
  let users = 0;
  let waitingToGo: { path: string; reader: ObjectReader }[] = [];

  const at = () => join(folder, String(generation));
  const removeOld = async () => {
    if (users > 0) return;
    const old = waitingToGo;
    waitingToGo = [];
    for (const { reader } of old) reader.close();
    await Promise.all(old.map(({ path }) => rm(path, { recursive: true, force: true })));
  };

  if (!(await exists(join(at(), 'git')))) await createEmpty(at(), 'sha1');
  const mirror: Mirror = {
    gitDir: join(at(), 'git'),
    reader: createObjectReader(directory, join(at(), 'git')),
    format: await formatOf(join(at(), 'git')),
    whole: false,
    remembered: (sha) => commits.get(sha),
    async commit(sha) {
      const known = commits.get(sha) ?? (await readRecord(join(at(), 'commits', `${sha}.json`)));
      if (known) remember(commits, known);
      return known;
    },
    async keep({ ref: _ref, ...commit }) {
      remember(commits, commit);
      await writeWhole(join(at(), 'commits', `${commit.sha}.json`), JSON.stringify(commit));
    },
    exclusively(task) {
      const turn = last.then(task);
      last = turn.catch(() => {}); // The caller of that turn hears of it.
      return turn;
    },
    async using(task) {
      users++;
      try {
        return await task();
      } finally {
        users--;
        await removeOld();
      }
    },
    async replace(format = mirror.format) {
      waitingToGo.push({ path: at(), reader: mirror.reader });
      generation++;
      commits.clear();
      await createEmpty(at(), format);
      mirror.format = format;
      mirror.gitDir = join(at(), 'git');
      mirror.reader = createObjectReader(directory, mirror.gitDir);
      await removeOld();
    },
    async tidy() {
      if (await isCrowded(mirror.gitDir)) await mirror.replace();
    },
  };
  return mirror;
}

function remember(commits: Map<string, Commit>, commit: Commit): void {
  commits.delete(commit.sha);
  commits.set(commit.sha, commit);
  if (commits.size > REMEMBERED) commits.delete(commits.keys().next().value!);
}

async function readRecord(path: string): Promise<Commit | undefined> {
  const content = await readFile(path, 'utf8').catch(() => undefined); // No record: the commit is asked for again.
  if (content === undefined) return undefined;
  try {
    return record.parse(JSON.parse(content));
  } catch {
    return undefined; // Cut off by a power failure: likewise.
  }
}

let written = 0;

async function writeWhole(path: string, content: string): Promise<void> {
  const beside = `${path}.${process.pid}.${written++}`;
  await writeFile(beside, content);
  await rename(beside, path);
}

/** The newest generation in a folder; older ones were left by a process that was killed, and go. */
async function newestGeneration(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []); // None yet.
  const generations = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const newest = Math.max(1, ...generations);
  await Promise.all(names.filter((name) => name !== String(newest)).map((name) => rm(join(folder, name), { recursive: true, force: true })));
  return newest;
}

/** A bare repository with nothing in it: whole, or not there at all. */
async function createEmpty(path: string, format: 'sha1' | 'sha256'): Promise<void> {
  const beside = `${path}.new`;
  await rm(beside, { recursive: true, force: true });
  const git = join(beside, 'git');
  await Promise.all(['objects/pack', 'objects/info', 'refs', 'info'].map((name) => mkdir(join(git, name), { recursive: true, mode: 0o700 })));
  await mkdir(join(beside, 'commits'));
  const extension = format === 'sha256' ? '[extensions]\n\tobjectFormat = sha256\n' : '';
  await writeFile(join(git, 'config'), `[core]\n\trepositoryFormatVersion = ${extension ? 1 : 0}\n\tbare = true\n${extension}`);
  await writeFile(join(git, 'info', 'attributes'), ATTRIBUTES);
  await writeFile(join(git, 'HEAD'), 'ref: refs/heads/none\n');
  await rename(beside, path);
}

async function formatOf(gitDir: string): Promise<Mirror['format']> {
  return (await readFile(join(gitDir, 'config'), 'utf8')).includes('sha256') ? 'sha256' : 'sha1';
}

async function exists(path: string): Promise<boolean> {
  return stat(join(path, 'HEAD')).then(
    () => true,
    () => false,
  );
}

async function isCrowded(gitDir: string): Promise<boolean> {
  const count = async (folder: string) => (await readdir(join(gitDir, 'objects', folder)).catch(() => [])).length; // Not there: none.
  return (await count('pack')) / 3 > MAX_PACKS || (await count('17')) > MAX_LOOSE;
}
