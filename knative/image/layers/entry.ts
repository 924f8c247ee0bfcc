// What a layer is made of, before it is a tar: files, links and folders with their modes. Owner is always root, time always the epoch.

export type Entry =
  | { type: 'file'; path: string; mode: number; body: Buffer }
  | { type: 'symlink'; path: string; target: string }
  | { type: 'folder'; path: string; mode: number };

export const file = (path: string, body: Buffer | string, mode = 0o644): Entry => ({ type: 'file', path, mode, body: Buffer.from(body) });
export const symlink = (path: string, target: string): Entry => ({ type: 'symlink', path, target });
export const folder = (path: string, mode = 0o755): Entry => ({ type: 'folder', path, mode });

/** Sorted by path, with the folders above each entry. Throws when a path comes twice, or leads out of the image. */
export function withFolders(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) {
    if (!/^[^/]/.test(entry.path) || entry.path.split('/').some((part) => part === '' || part === '.' || part === '..'))
      throw new Error(`${JSON.stringify(entry.path)} is no path inside of an image`);
    if (all.has(entry.path)) throw new Error(`${entry.path} comes twice: two packages bring it, or a package brings what is generated`);
    all.set(entry.path, entry);
  }
  for (const path of [...all.keys()]) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const above = path.slice(0, end);
      const there = all.get(above);
      // A folder in a layer over a link of the same name hides what the link leads to.
      if (there && there.type !== 'folder') throw new Error(`${path} lies below ${above}, which is no folder`);
      if (!there) all.set(above, folder(above));
    }
  }
  return [...all.values()].toSorted((a, b) => Number(a.path > b.path) - Number(a.path < b.path));
}
