// Walks the output of a build without following a link: every file and link in it, anything else refused by name.
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_FILES } from '../site/manifest.ts';
import { checkLink } from '../storage/tree-rules.ts';

const MAX_DEPTH = 100;

export type Walked = { path: string } | { path: string; symlink: string };

/** `leaveOut` is asked for every name, files and folders, with its path. Paths come in no particular order. */
export async function walk(root: string, leaveOut: (path: string, name: string) => boolean): Promise<Walked[]> {
  const found: Walked[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) throw new Error(`The output has folders more than ${MAX_DEPTH} deep, at ${folder.slice(0, 200)}`);
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (leaveOut(path, entry.name)) continue;
      if (entry.isDirectory()) await visit(path, depth + 1);
      else if (entry.isFile()) found.push({ path });
      else if (entry.isSymbolicLink()) found.push({ path, symlink: await targetOf(root, path) });
      else throw new Error(`The output holds ${path}, which is neither a file, a folder nor a link; a site cannot have it`);
      if (found.length > MAX_FILES) throw new Error(`The output has more than ${MAX_FILES} files; leave out what visitors do not need`);
    }
  };
  await visit('', 1);
  return found;
}

/** The link's target without "." and doubled slashes. Throws when it is absolute or leads out of the output. */
async function targetOf(root: string, path: string): Promise<string> {
  const target = await readlink(join(root, path));
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  const short = (target.startsWith('/') ? '/' : '') + parts.join('/');
  try {
    checkLink(path, short);
  } catch (error) {
    throw new Error(`The output holds a link that a site cannot have. ${(error as Error).message}. Make it a file, or let it point inside of the output.`, {
      cause: error,
    });
  }
  return short;
}
