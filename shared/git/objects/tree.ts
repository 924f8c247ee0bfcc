// Walks the tree of a commit, bounded, and refuses names that could do harm wherever the files are written.
import { GitError } from '../../ports/git.ts';
import type { ObjectReader } from './reader.ts';
import { nameText, parseTree, type TreeEntry } from './objects.ts';

export interface TreeFile extends TreeEntry {
  /** From the root, "/" between names, one character for each byte. */
  path: string;
}

export interface TreeBounds {
  /** Files, links, folders and submodules together. */
  maxEntries: number;
  maxDepth: number;
}

/** One tree object; half a million entries of ordinary length. */
export const MAX_TREE_BYTES = 64 * 1024 * 1024;
const MAX_PATH = 4096;

/** Names that git, or a file system that git may run on, takes for its own folder. */
const GIT_FOLDER = /^(?:\.git|git~1)(?:[ .]*$|[ .]*:)/i;

/** The entries of a tree object, in git's order. Undefined: it is not held. Throws GitError "refused" for a name that no honest tree has. */
export async function readTree(reader: ObjectReader, oid: string): Promise<TreeEntry[] | undefined> {
  const object = await reader.read(oid, MAX_TREE_BYTES);
  if (!object) return undefined;
  if (object.type !== 'tree') throw new GitError('invalid', `${oid} is a ${object.type}, not a tree`);
  const entries = parseTree(object.body, oid.length / 2);
  const seen = new Set<string>();
  for (const { name } of entries) {
    if (seen.has(name) || name === '' || name === '.' || name === '..' || name.includes('/') || GIT_FOLDER.test(name)) {
      throw new GitError(
        'refused',
        `The repository holds a file named ${JSON.stringify(nameText(name))}${seen.has(name) ? ' twice' : ''}, which git does not allow; it was made to do harm`,
      );
    }
    seen.add(name);
  }
  return entries;
}

/** Every file, symlink and submodule below a tree, in a fixed order that depends on nothing but the tree. */
export async function walkTree(reader: ObjectReader, tree: string, bounds: TreeBounds): Promise<TreeFile[]> {
  const files: TreeFile[] = [];
  let entries = 0;
  const visit = async (oid: string, prefix: string, depth: number): Promise<void> => {
    if (depth > bounds.maxDepth) throw tooLarge(`folders more than ${bounds.maxDepth} deep`);
    const found = await readTree(reader, oid);
    if (!found) throw new GitError('unreachable', `Tree ${oid} is not held any more; try again`);
    entries += found.length;
    if (entries > bounds.maxEntries) throw tooLarge(`more than ${bounds.maxEntries} files`);
    for (const entry of found) {
      const path = prefix + entry.name;
      if (path.length > MAX_PATH) throw tooLarge(`a path of more than ${MAX_PATH} bytes`);
      if (entry.kind === 'folder') await visit(entry.oid, `${path}/`, depth + 1);
      else files.push({ ...entry, path });
    }
  };
  await visit(tree, '', 1);
  return files;
}

function tooLarge(what: string): GitError {
  return new GitError('refused', `The commit holds ${what}; that is more than is written out here`);
}

/** What stands at a path, "/" between names; undefined: nothing. The root is a folder. */
export async function findEntry(reader: ObjectReader, tree: string, path: string): Promise<Pick<TreeEntry, 'kind' | 'oid'> | undefined> {
  let at: Pick<TreeEntry, 'kind' | 'oid'> = { kind: 'folder', oid: tree };
  for (const part of path.split('/').filter((name) => name !== '')) {
    if (at.kind !== 'folder') return undefined;
    const name = Buffer.from(part, 'utf8').toString('latin1');
    const next = (await readTree(reader, at.oid))?.find((entry) => entry.name === name);
    if (!next) return undefined;
    at = next;
  }
  return at;
}
