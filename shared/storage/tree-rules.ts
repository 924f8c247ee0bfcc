// What a tree of files may look like, wherever it comes from: no path twice, none below a file or a link, no link out of it.
import { checkPath, InvalidKey } from './keys.ts';

const MAX_LINK_BYTES = 1024;

/** Throws InvalidKey naming the first path that is wrong. */
export function checkTree(entries: Iterable<{ path: string; symlink?: string | undefined } | { path: string }>): void {
  const files = new Set<string>();
  for (const entry of entries) {
    const { path } = entry;
    checkPath(path);
    if ('symlink' in entry && entry.symlink !== undefined) checkLink(path, entry.symlink);
    if (files.has(path)) throw new InvalidKey(`The path ${JSON.stringify(path)} is in the tree twice`);
    files.add(path);
  }
  if (files.size === 0) throw new InvalidKey('A tree must have at least one file');
  const folders = new Set<string>();
  for (const path of files) checkFolders(path, files, folders);
}

function checkFolders(path: string, files: ReadonlySet<string>, known: Set<string>): void {
  for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
    const folder = path.slice(0, end);
    if (known.has(folder)) return;
    if (files.has(folder)) throw new InvalidKey(`The path ${JSON.stringify(path)} is below ${JSON.stringify(folder)}, which is a file or a link`);
    known.add(folder);
  }
}

/**
 * A link's target has to be relative, with ".." only at its beginning and no more of them than there are folders above the link.
 * As no path of a tree goes through a link, such a target cannot leave the tree, whatever other links there are.
 */
export function checkLink(path: string, target: string): void {
  const problem = linkProblem(path, target);
  if (problem) throw new InvalidKey(`The link ${JSON.stringify(path)} -> ${JSON.stringify(target.slice(0, 200))} cannot be stored: ${problem}`);
}

function linkProblem(path: string, target: string): string | undefined {
  if (target === '' || !target.isWellFormed() || /[\p{Cc}\\]/u.test(target)) return 'its target is empty or holds a control character or a backslash';
  if (Buffer.byteLength(target) > MAX_LINK_BYTES) return `its target is longer than ${MAX_LINK_BYTES} bytes`;
  if (target.startsWith('/')) return 'its target is absolute';
  const parts = target.split('/');
  let up = 0;
  while (parts[up] === '..') up++;
  if (up > path.split('/').length - 1) return 'it points outside the tree';
  if (parts.slice(up).some((part) => part === '' || part === '.' || part === '..')) return 'its target is not in its shortest form';
  return undefined;
}
