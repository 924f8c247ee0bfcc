// Notices that something moved in a local repository: at once where the file system tells, and within a second where it does not.
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../shared/host/contract.ts';
import { findGitFolder, fingerprint, refFolders } from './git-folder.ts';

export interface Signs {
  stop(): void;
}

const LOOK_MS = 1000;
/** git moves several files for one commit; after the last of them it is quiet for so long. */
const QUIET_MS = 25;
/** But no longer than this after the first. */
const LATEST_MS = 250;

/** Calls `changed` when refs may have moved, and once in the beginning. The calls do not wait for one another. */
export function watchLocal(path: string, changed: () => void, log: Log): Signs {
  let watchers: FSWatcher[] = [];
  let watched = '';
  let last: string | undefined | null = null;
  let looking = false;
  let again = false;
  let stopped = false;
  let soon: NodeJS.Timeout | undefined;
  let firstSign = 0;

  async function look(): Promise<void> {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      do {
        again = false;
        const now = await fingerprint(path);
        if (stopped) return;
        if (now !== last) {
          last = now;
          await rewatch();
          changed();
        }
      } while (again && !stopped);
    } catch (error) {
      log.warn({ repository: path, error: (error as Error).message }, 'a local repository could not be looked at; it will be again in a second');
    } finally {
      looking = false;
    }
  }

  function sign(): void {
    const now = Date.now();
    if (!soon) firstSign = now;
    clearTimeout(soon);
    soon = setTimeout(
      () => {
        soon = undefined;
        void look();
      },
      Math.max(0, Math.min(QUIET_MS, firstSign + LATEST_MS - now)),
    ).unref();
  }

  /** Folders come and go with branch names such as a/b. */
  async function rewatch(): Promise<void> {
    const folder = await findGitFolder(path);
    const folders = folder ? [...folder.heads, folder.common, ...(await refFolders(folder))] : [];
    const wanted = [...new Set(folders)];
    if (stopped || wanted.join('\n') === watched) return;
    close();
    watched = wanted.join('\n');
    for (const one of wanted) add(one);
  }

  function add(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, sign);
      watcher.on('error', sign); // The folder went: the next look finds out what is there instead.
      watchers.push(watcher);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return; // reftable/, which most have not, or gone meanwhile.
      log.warn({ folder: join(folder), code }, 'the file system does not tell of changes in a repository; it is looked at every second instead');
    }
  }

  function close(): void {
    for (const watcher of watchers) watcher.close();
    watchers = [];
    watched = '';
  }

  const timer = setInterval(() => void look(), LOOK_MS).unref();
  void look();
  return {
    stop() {
      stopped = true;
      clearInterval(timer);
      clearTimeout(soon);
      close();
    },
  };
}
