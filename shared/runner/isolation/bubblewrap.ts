// Steps in a bubblewrap sandbox: this machine's programs, but neither its files nor its processes. https://github.com/containers/bubblewrap
import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Contained, Isolation, Mount } from './isolation.ts';

/** Folders at the root that hold programs, libraries and settings; nothing else of the machine is seen. */
const SYSTEM = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'etc', 'opt', 'nix', 'gnu', 'snap'];

export interface BubblewrapOptions {
  file: string;
  /** The PATH that steps get: its folders are seen as well. */
  path: string;
  home: string;
}

export function bubblewrap(options: BubblewrapOptions): Isolation {
  let system: string[] | undefined;
  return {
    kind: 'bubblewrap',
    usesImages: false,
    ownPaths: true,
    description:
      "Steps run in bubblewrap: they see this machine's programs read-only, and none of its other files or processes, but they share its network, its kernel and its resources. " +
      "Images are not used: the programs are this machine's.",
    launch(contained: Contained) {
      system ??= systemArguments(options);
      const [command = '', ...rest] = [...(contained.command ?? []), ...contained.args];
      const workingDir = contained.workingDir ?? '/workspace';
      // As with a container, a folder to begin in that is not there is made.
      const begin = ['--dir', workingDir, '--chdir', workingDir];
      const args = [...system, ...contained.mounts.toSorted(byDepth).flatMap(bind), ...environment(contained.env), ...begin];
      // Arguments go through a descriptor: the environment holds secrets, and a process list is no place for them.
      return { file: options.file, args: ['--args', '3', '--', command, ...rest], env: {}, cwd: '/', descriptor: args.map((arg) => `${arg}\0`).join('') };
    },
    discard: async () => undefined,
  };
}

/** A mount below another comes after it. */
function byDepth(a: Mount, b: Mount): number {
  return a.target.split('/').length - b.target.split('/').length;
}

function bind({ source, target, readOnly }: Mount): string[] {
  return [readOnly ? '--ro-bind' : '--bind', source, target];
}

function environment(env: Record<string, string>): string[] {
  return ['--clearenv', ...Object.entries(env).flatMap(([name, value]) => ['--setenv', name, value])];
}

function systemArguments({ path, home }: BubblewrapOptions): string[] {
  const args = [
    '--die-with-parent',
    '--unshare-user-try',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--hostname',
    'step',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
  ];
  for (const name of SYSTEM) args.push(...systemFolder(`/${name}`));
  args.push(...resolver());
  for (const folder of programFolders(path, home)) args.push('--ro-bind', folder, folder);
  return args;
}

function systemFolder(path: string): string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return [];
  return found.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
}

/** /etc/resolv.conf often points into /run, which is not seen. */
function resolver(): string[] {
  const link = lstatSync('/etc/resolv.conf', { throwIfNoEntry: false });
  if (!link?.isSymbolicLink()) return [];
  try {
    const target = realpathSync('/etc/resolv.conf');
    return target.startsWith('/etc/') ? [] : ['--ro-bind', target, target];
  } catch {
    return []; // points nowhere: there is no name service to keep
  }
}

/** Folders of PATH outside the system, with what belongs to them: a version manager keeps bin beside lib. Never the home folder as a whole. */
export function programFolders(path: string, home: string): string[] {
  const folders = new Set<string>();
  for (const entry of path.split(delimiter)) {
    if (!isAbsolute(entry) || SYSTEM.includes(entry.split('/')[1]!)) continue;
    for (const folder of [entry, real(entry)]) if (folder && !SYSTEM.includes(folder.split('/')[1]!)) folders.add(installation(folder, home));
  }
  return [...folders].filter((folder) => lstatSync(folder, { throwIfNoEntry: false })).toSorted();
}

/** What stands beside the folder of programs where these need it: libraries, or the versions that a manager's shims choose from. */
const BESIDE = { bin: ['lib', 'tools'], shims: ['versions', 'installs', 'libexec'] };

function installation(folder: string, home: string): string {
  const parent = dirname(folder);
  if (['/', home, join(home, '.local')].includes(parent)) return folder;
  const beside = BESIDE[basename(folder) as keyof typeof BESIDE] ?? [];
  return beside.some((name) => lstatSync(join(parent, name), { throwIfNoEntry: false })?.isDirectory()) ? parent : folder;
}

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // a PATH entry that does not exist
  }
}
