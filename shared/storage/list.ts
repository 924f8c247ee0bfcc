// Keys below a prefix in the order of their bytes, found by walking only the folders that can hold them.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareBytes } from './keys.ts';
import { isAbsent } from './read.ts';

export interface ListRequest {
  root: string;
  /** Name in the root that holds no keys. */
  hidden: string;
  prefix: string;
  after: string;
}

/** Keys that begin with the prefix and come after `after`. One folder's names are held at a time, for each level. */
export async function* keysBelow(request: ListRequest, folder = ''): AsyncGenerator<string> {
  for (const { name, isFolder } of await namesIn(join(request.root, folder), folder === '' ? request.hidden : undefined)) {
    const key = folder + name;
    if (isFolder) {
      if (mayHold(key + '/', request)) yield* keysBelow(request, key + '/');
    } else if (key.startsWith(request.prefix) && compareBytes(key, request.after) > 0) yield key;
  }
}

function mayHold(folder: string, { prefix, after }: ListRequest): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return after.startsWith(folder) || compareBytes(folder, after) > 0;
}

interface Name {
  name: string;
  isFolder: boolean;
}

async function namesIn(path: string, hidden: string | undefined): Promise<Name[]> {
  let entries;
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return []; // removed while we walk
    throw error;
  }
  const names = entries.filter((entry) => entry.name !== hidden).map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  // A folder's keys all begin with its name and "/": sort by that.
  return names.sort((a, b) => compareBytes(a.isFolder ? a.name + '/' : a.name, b.isFolder ? b.name + '/' : b.name));
}
