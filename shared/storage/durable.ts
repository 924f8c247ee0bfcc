// What makes a name durable: a file's bytes are synced before it gets its name, and then the folder that the name stands in.
import { mkdir, open } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';

export interface Folders {
  /** The folder is there, durably. */
  ensure(path: string): Promise<void>;
  /** The names in the folder are durable. Those who ask while one sync runs share the next. */
  sync(path: string): Promise<void>;
  /** The folder may be gone. */
  forget(path: string): void;
}

/** So many folders are remembered as being there. */
const MAX_KNOWN = 10_000;

export function createFolders(): Folders {
  const known = new Set<string>();
  const syncs = new Map<string, { running: Promise<void>; next?: Promise<void> }>();

  const sync = (path: string): Promise<void> => {
    const current = syncs.get(path);
    if (!current) return startSync(path);
    current.next ??= current.running.then(
      () => startSync(path),
      () => startSync(path),
    );
    return current.next;
  };

  const startSync = (path: string): Promise<void> => {
    const running = syncFolder(path).finally(() => {
      const current = syncs.get(path);
      if (current?.running === running && !current.next) syncs.delete(path);
    });
    syncs.set(path, { running });
    return running;
  };

  const ensure = async (path: string): Promise<void> => {
    if (known.has(path)) return;
    const first = await mkdir(path, { recursive: true });
    if (first) await Promise.all(parentsOf(first, path).map(sync));
    if (known.size >= MAX_KNOWN) known.clear();
    known.add(path);
  };

  return { ensure, sync, forget: (path) => void known.delete(path) };
}

/** The folders that got a new name in them when everything from `first` down to `path` was made. */
function parentsOf(first: string, path: string): string[] {
  const parents = [dirname(first)];
  let folder = first;
  for (const part of relative(first, path).split(sep)) {
    if (part === '') break;
    parents.push(folder);
    folder = join(folder, part);
  }
  return parents;
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders; NTFS journals names by itself.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
