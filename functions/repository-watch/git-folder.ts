// Where the refs of a local repository stand: in its .git, in the folder itself where it is bare, or elsewhere for a work tree.
import { readFile, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Folders whose files are looked at, and the folders of refs below which there may be more. */
export interface GitFolder {
  /** With HEAD; for a further work tree its own, beside the common one. */
  heads: string[];
  /** With packed-refs and refs/. */
  common: string;
}

const MAX_POINTER = 4096;
/** Folders of refs that are looked at; branches with more levels than that are found by their parents' times alone. */
const MAX_FOLDERS = 2000;

/** Undefined: there is no git repository at this path now. */
export async function findGitFolder(path: string): Promise<GitFolder | undefined> {
  const own = (await pointedTo(join(path, '.git'))) ?? path;
  if (!(await isFile(join(own, 'HEAD')))) return undefined;
  const pointer = await readPointer(join(own, 'commondir'));
  const common = pointer === undefined ? own : resolve(own, pointer);
  return { heads: [...new Set([own, common])], common };
}

/** A .git that is a folder, or a file that says where the folder is. */
async function pointedTo(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined); // A bare repository has none.
  if (!info) return undefined;
  if (info.isDirectory()) return path;
  const target = /^gitdir: (.+)$/m.exec((await readPointer(path)) ?? '')?.[1];
  return target === undefined ? undefined : resolve(dirname(path), target);
}

async function readPointer(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined); // Most have none.
  if (!info?.isFile() || info.size > MAX_POINTER) return undefined;
  return (await readFile(path, 'utf8')).trim();
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isFile(),
    () => false,
  );
}

/** The folders that hold refs, refs/ itself first. */
export async function refFolders({ common }: GitFolder): Promise<string[]> {
  const folders = [join(common, 'refs'), join(common, 'reftable')];
  for (let i = 0; i < folders.length && folders.length < MAX_FOLDERS; i++) {
    const entries = await readdir(folders[i]!, { withFileTypes: true }).catch(() => []); // Gone, or never there.
    for (const entry of entries) if (entry.isDirectory() && folders.length < MAX_FOLDERS) folders.push(join(folders[i]!, entry.name));
  }
  return folders;
}

/**
 * A text that changes whenever a ref of the repository may have: the times of its folders and files, since git replaces
 * files and so touches their folder. Costs a handful of stat calls. Undefined: there is no repository.
 */
export async function fingerprint(path: string): Promise<string | undefined> {
  const folder = await findGitFolder(path);
  if (!folder) return undefined;
  const paths = [...folder.heads.map((head) => join(head, 'HEAD')), join(folder.common, 'packed-refs'), ...(await refFolders(folder))];
  const marks = await Promise.all(paths.map(mark));
  return marks.join('\n');
}

async function mark(path: string): Promise<string> {
  const info = await stat(path, { bigint: true }).catch(() => undefined); // Absent is a state like others.
  return info ? `${path} ${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs}` : `${path} -`;
}
