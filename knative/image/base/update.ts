// Makes base.lock.json anew: asks apt, on a Debian machine, for the newest versions, and reads off their files which libraries they want.
// apt gets folders of its own, so that nothing which this machine has installed or subscribed to is looked at, or changed.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { promisify } from 'node:util';
import type { Entry } from '../layers/entry.ts';
import { type Deb, readDeb } from './deb.ts';
import { isElf, needs } from './elf.ts';
import type { LockedPackage } from './lock.ts';
import { LOADED_BY_NAME, type Platform, PLATFORMS, SUITE, WANTED } from './wanted.ts';

const run = promisify(execFile);
const MIRROR = 'http://deb.debian.org';
/** What Node is linked to beside the C library. */
const FOR_NODE = ['libstdc++6', 'libc6', 'libgcc-s1'];
/** Run at installation or by parts of git that are not taken: never read, however much depends on them. */
const NOT_READ =
  /^(adduser|debconf|debianutils|dpkg|git-man|libaudit-common|libdb5|libgdbm|liberror-perl|libpam|libperl|libsemanage|openssl$|passwd|perl|tar$)/;

interface Candidate extends Omit<LockedPackage, 'files'> {
  deb: Deb;
}

export async function lockPlatform(platform: Platform, node: Buffer, note: (text: string) => void): Promise<LockedPackage[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-apt-'));
  try {
    const candidates = await download(platform, folder, note);
    return pick(candidates, platform, node);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function download(platform: Platform, folder: string, note: (text: string) => void): Promise<Candidate[]> {
  await Promise.all(['lists/partial', 'cache/archives/partial', 'debs'].map((path) => mkdir(join(folder, path), { recursive: true })));
  await writeFile(join(folder, 'status'), '');
  const suites = [['debian', SUITE], ['debian', `${SUITE}-updates`], ['debian-security', `${SUITE}-security`]]; // prettier-ignore
  await writeFile(join(folder, 'sources.list'), suites.map(([archive, suite]) => `deb ${MIRROR}/${archive} ${suite} main\n`).join(''));
  const settings: Record<string, string> = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Architecture': PLATFORMS[platform].debian,
    'APT::Architectures': PLATFORMS[platform].debian,
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const apt = async (...args: string[]) => {
    const { stdout } = await run('apt-get', [...options, ...args], { cwd: join(folder, 'debs'), env: { ...env, LC_ALL: 'C' }, maxBuffer: 16 << 20 });
    return stdout;
  };
  note(`asking ${MIRROR} for ${SUITE}, ${platform}`);
  await apt('update', '-q').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('apt-get is not there: --update-base runs on Debian or Ubuntu', { cause: error });
    throw error;
  });
  const planned = uris(await apt('install', '--print-uris', '-y', '-qq', ...Object.keys(WANTED), ...FOR_NODE)).filter(({ name }) => !NOT_READ.test(name));
  note(`fetching ${planned.length} packages`);
  await apt('download', '-q', ...planned.map(({ name, version }) => `${name}=${version}`));
  return await Promise.all(
    planned.map(async ({ file, ...rest }) => {
      const body = await readFile(join(folder, 'debs', file));
      return { ...rest, sha256: createHash('sha256').update(body).digest('hex'), size: body.length, deb: await readDeb(body, rest.name) };
    }),
  );
}

/** Lines such as `'http://…/git_2.39_amd64.deb' git_1%3a2.39_amd64.deb 7264380 MD5Sum:…`. */
function uris(printed: string): { name: string; version: string; path: string; file: string }[] {
  return [...printed.matchAll(/^'([^']+)' (\S+\.deb) \d+/gm)].map(([, uri, file]) => {
    const [name, version] = file!.split('_') as [string, string];
    return { name, version: decodeURIComponent(version), path: decodeURIComponent(new URL(uri!).pathname.slice(1)), file: file! };
  });
}

/** Of each package the files that are wanted, or that something wanted is linked to. */
function pick(candidates: readonly Candidate[], platform: Platform, node: Buffer): LockedPackage[] {
  const taken = new Map<string, Set<string>>(candidates.map(({ name }) => [name, new Set()]));
  const owners = new Map<string, { owner: string; entry: Entry }>();
  for (const { name, deb } of candidates) for (const [path, entry] of deb.entries) owners.set(path, { owner: name, entry });

  const take = (path: string): void => {
    const found = owners.get(path);
    if (!found) throw new Error(`No package brings ${path}: is it in WANTED, and is its package not left out by NOT_READ?`);
    const files = taken.get(found.owner)!;
    if (files.has(path)) return;
    files.add(path);
    if (found.entry.type === 'symlink') take(followed(path, found.entry.target));
    else if (found.entry.type === 'file' && isElf(found.entry.body)) link(found.entry.body);
  };
  const link = (body: Buffer): void => {
    const { libraries, loader } = needs(body);
    if (loader) take(`usr${loader}`);
    for (const library of libraries) takeLibrary(library);
  };
  const takeLibrary = (library: string): void => {
    // The loader is a library as well, and stands where programs name it.
    if (!library.startsWith('ld-linux')) take(`${PLATFORMS[platform].libraries}/${library}`);
  };

  for (const [name, paths] of Object.entries(WANTED)) {
    for (const path of paths) {
      if (path.endsWith('/')) taken.get(name)!.add(path);
      else take(path);
    }
  }
  link(node);
  LOADED_BY_NAME.forEach(takeLibrary);
  return candidates
    .map(({ deb: _, ...candidate }) => ({ ...candidate, files: [...taken.get(candidate.name)!].toSorted() }))
    .filter(({ files }) => files.length > 0)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function followed(path: string, target: string): string {
  const absolute = new URL(target, `file:///${path}`).pathname.slice(1);
  return absolute.replace(/^(lib|lib64)\//, 'usr/$1/');
}
