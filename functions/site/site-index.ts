// One version of a site as it is looked up: paths to files, links followed, clean URLs.
import type { Digest } from '../../shared/ports/storage.ts';
import type { Manifest } from '../../shared/site/manifest.ts';
import type { Encoding } from './negotiate.ts';
import { isCompressible, isHashed, isHtml, mediaType } from './media.ts';

export interface IndexedFile {
  path: string;
  digest: Digest;
  size: number;
  type: string;
  html: boolean;
  /** May be cached for ever: its name changes with its content. */
  immutable: boolean;
  compressible: boolean;
  /** Files of the build's own that hold this one compressed: app.js.br beside app.js. */
  shipped: Partial<Record<Encoding, IndexedFile>>;
}

export interface SiteIndex {
  /** The file of this exact path, links followed. */
  file(path: string): IndexedFile | undefined;
  /** The page or file that a URL's path means, or where it has to go. */
  find(path: string, cleanUrls: boolean): IndexedFile | { redirect: 'add-slash' | 'drop-slash' } | undefined;
}

/** So many links are followed for one path. */
const MAX_LINKS = 20;

export function createIndex(manifest: Manifest): SiteIndex {
  const files = new Map<string, Manifest['files'][number]>();
  const links = new Map<string, string>();
  for (const file of manifest.files) {
    if ('symlink' in file) links.set(file.path, file.symlink);
    else files.set(file.path, file);
  }
  const described = new Map<string, IndexedFile>();

  const describe = (path: string): IndexedFile | undefined => {
    const file = files.get(path);
    if (!file || 'symlink' in file) return undefined;
    const type = mediaType(path);
    const indexed: IndexedFile = {
      path,
      digest: file.digest,
      size: file.size,
      type,
      html: isHtml(type),
      immutable: !isHtml(type) && isHashed(path),
      compressible: isCompressible(type),
      shipped: {},
    };
    described.set(path, indexed);
    const br = described.get(`${path}.br`) ?? describe(`${path}.br`);
    const gzip = described.get(`${path}.gz`) ?? describe(`${path}.gz`);
    if (br) indexed.shipped.br = br;
    if (gzip) indexed.shipped.gzip = gzip;
    return indexed;
  };

  const exact = (path: string): IndexedFile | undefined => described.get(path) ?? describe(path);
  const file = (path: string): IndexedFile | undefined => {
    const found = exact(path);
    if (found || links.size === 0) return found;
    const real = follow(path, links);
    return real === undefined || real === path ? undefined : exact(real);
  };

  const find: SiteIndex['find'] = (path, cleanUrls) => {
    if (path === '' || path.endsWith('/')) {
      const page = file(`${path}index.html`);
      if (page || !cleanUrls || path === '') return page;
      return file(`${path.slice(0, -1)}.html`) && !path.endsWith('//') ? { redirect: 'drop-slash' } : undefined;
    }
    const found = file(path) ?? (cleanUrls ? file(`${path}.html`) : undefined);
    if (found) return found;
    return file(`${path}/index.html`) ? { redirect: 'add-slash' } : undefined;
  };

  return { file, find };
}

/** The path with every link on its way replaced by what it points at. Undefined: it leads nowhere, or round in a circle. */
function follow(path: string, links: ReadonlyMap<string, string>): string | undefined {
  let parts = path.split('/');
  for (let followed = 0; followed <= MAX_LINKS; followed++) {
    const at = parts.findIndex((_, i) => links.has(parts.slice(0, i + 1).join('/')));
    if (at === -1) return parts.join('/');
    const target = (links.get(parts.slice(0, at + 1).join('/')) ?? '').split('/');
    const base = parts.slice(0, at);
    for (; target[0] === '..'; target.shift()) if (base.pop() === undefined) return undefined;
    parts = [...base, ...target, ...parts.slice(at + 1)];
  }
  return undefined;
}
