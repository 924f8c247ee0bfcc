// Temporary files of one opener of the folder, on the same file system as what they become; those of dead openers are removed.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** What an opener on another machine left is removed when nothing happened in it for so long. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

export interface Temp {
  /** A path that nobody else uses; nothing is there yet. */
  path(): Promise<string>;
  /** The opener's folder may be gone: make it again. */
  forget(): void;
  /** Removes the folders of dead openers, and of those elsewhere in which nothing happened since `before_ms`. Resolves with how many files went. */
  sweep(before_ms: number): Promise<number>;
}

/** `directory` holds one folder for each opener, named <host>~<pid>~<start>~<random>. */
export function createTemp(directory: string): Temp {
  const own = join(directory, `${host()}~${process.pid}~${startOf('self') ?? ''}~${randomBytes(6).toString('hex')}`);
  let count = 0;
  let ready: Promise<void> | undefined;
  const open = async (): Promise<void> => {
    await mkdir(own, { recursive: true, mode: 0o700 });
    await removeAbandoned(directory, Date.now() - ABANDONED_MS);
  };
  return {
    path: async () => {
      ready ??= open().catch((error: unknown) => {
        ready = undefined;
        throw error;
      });
      await ready;
      return join(own, String(count++));
    },
    forget: () => {
      ready = undefined;
    },
    sweep: (before_ms) => removeAbandoned(directory, before_ms),
  };
}

async function removeAbandoned(directory: string, before_ms: number): Promise<number> {
  let removed = 0;
  for (const name of await namesIn(directory)) {
    const path = join(directory, name);
    if (!(await isAbandoned(name, path, before_ms))) continue;
    removed += (await namesIn(path)).length;
    await rm(path, { recursive: true, force: true });
  }
  return removed;
}

/** None where there is no such folder, any more or yet. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

async function isAbandoned(name: string, path: string, before_ms: number): Promise<boolean> {
  const [owner, pid, start] = name.split('~');
  if (owner === host() && pid && /^\d+$/.test(pid)) return !isAlive(Number(pid), start);
  const info = await stat(path).catch(() => undefined); // gone in between: nothing to remove
  return info !== undefined && info.mtimeMs < before_ms;
}

function isAlive(pid: number, start: string | undefined): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return !now || !start || now === start;
}

/** When a process started, in ticks since boot, where /proc tells: a number given to a new process is not the old one. */
function startOf(pid: number | 'self'): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // no /proc here: the number alone has to do
  }
}

function host(): string {
  return hostname()
    .replaceAll(/[^A-Za-z0-9.-]/g, '-')
    .slice(0, 100);
}
