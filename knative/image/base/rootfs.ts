// The base of the image: the locked files of Debian's packages, and the few files that installing them would have made.
import type { Cache } from '../cache.ts';
import { type Entry, file, folder, symlink } from '../layers/entry.ts';
import { type Deb, readDeb } from './deb.ts';
import type { LockedPackage } from './lock.ts';
import { fetchPackages } from './packages.ts';

/** Who everything runs as. */
export const USER = 65_532;

const CERTIFICATES = 'usr/share/ca-certificates/mozilla/';

export async function baseEntries(packages: readonly LockedPackage[], cache: Cache): Promise<Entry[]> {
  const bodies = await fetchPackages(packages, cache);
  const entries = await Promise.all(packages.map(async (locked, i) => picked(await readDeb(bodies[i]!, locked.name), locked)));
  return [...system(), ...entries.flat()];
}

function picked(deb: Deb, { name, files, version }: LockedPackage): Entry[] {
  const notice = deb.entries.get(`usr/share/doc/${name}/copyright`);
  const taken = files.flatMap((path) => {
    if (path === CERTIFICATES) return [bundle(deb)];
    const entry = deb.entries.get(path);
    if (!entry) throw new Error(`${name} ${version} has no ${path}, which base.lock.json names: npm run image -- --update-base`);
    return [entry];
  });
  return [
    ...taken,
    // Where scanners of images look for what is installed.
    file(`var/lib/dpkg/status.d/${name}`, deb.control),
    ...(notice?.type === 'file' ? [notice] : []),
  ];
}

/** All authorities in one file, in the order of their names, as update-ca-certificates makes it. */
function bundle(deb: Deb): Entry {
  const certificates = [...deb.entries.values()].filter((entry) => entry.path.startsWith(CERTIFICATES) && entry.path.endsWith('.crt'));
  if (certificates.length === 0) throw new Error(`ca-certificates has no ${CERTIFICATES}*.crt`);
  const bodies = certificates.toSorted((a, b) => (a.path < b.path ? -1 : 1)).map((entry) => (entry.type === 'file' ? entry.body.toString('utf8') : ''));
  return file('etc/ssl/certs/ca-certificates.crt', bodies.map((text) => (text.endsWith('\n') ? text : `${text}\n`)).join(''));
}

function system(): Entry[] {
  const home = folder(`home/tidemill`, 0o755);
  return [
    ...['bin', 'sbin', 'lib', 'lib64'].map((name) => symlink(name, `usr/${name}`)),
    folder('usr/sbin'),
    symlink('usr/bin/sh', 'dash'),
    symlink('usr/lib/git-core/git', '../../bin/git'),
    symlink('etc/os-release', '../usr/lib/os-release'),
    file('etc/passwd', `root:x:0:0:root:/root:/usr/sbin/nologin\ntidemill:x:${USER}:${USER}:tidemill:/home/tidemill:/usr/sbin/nologin\n`),
    file('etc/group', `root:x:0:\ntidemill:x:${USER}:\n`),
    file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    home,
    folder('proc'),
    folder('sys'),
    folder('dev'),
    folder('run'),
    folder('root', 0o700),
    folder('var/tmp', 0o1777),
    folder('tmp', 0o1777),
  ];
}
