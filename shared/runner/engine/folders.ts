// The folders of one attempt, and the volumes in them: emptyDir, secret, configMap, claims and given folders.
import { chmod, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { InvalidValue } from '../task/params.ts';
import type { References, Task, Volume, WorkspaceBinding } from '../task/spec.ts';
import { stepName } from '../task/spec.ts';
import { declared, volumeName } from '../task/variables.ts';

export interface Folders {
  root: string;
  /** /workspace in a container: where a step begins that names no workingDir. */
  workspace: string;
  /** /tekton in a container. */
  tekton: string;
  tmp: string;
}

export async function makeFolders(wanted: string, task: Task): Promise<Folders> {
  await mkdir(wanted, { recursive: true, mode: 0o700 });
  const root = await realpath(wanted);
  const folders = { root, workspace: join(root, 'workspace'), tekton: join(root, 'tekton'), tmp: join(root, 'tmp') };
  const steps = task.steps.map((step, index) => join(folders.tekton, 'steps', `step-${stepName(step, index)}`, 'results'));
  const all = [
    folders.workspace,
    folders.tmp,
    join(root, 'volumes'),
    ...['results', 'home', 'creds', 'scripts', 'run'].map((name) => join(folders.tekton, name)),
    ...steps,
  ];
  await Promise.all(all.map((path) => mkdir(path, { recursive: true })));
  return folders;
}

/** A place on this machine that a workspace or a volume stands for. */
export interface Source {
  path: string;
  readOnly: boolean;
}

export interface Volumes {
  workspaces: Map<string, Source>;
  volumes: Map<string, Source>;
}

/** `given`: folders that stand for workspaces whatever the binding says. `mask` learns the secrets. */
export interface VolumeOptions {
  /** Whether steps see /workspace itself; else links in its stand-in serve relative paths. */
  ownPaths: boolean;
  references: References;
  given: ReadonlyMap<string, string>;
  mask: (secret: string) => void;
}

/** Throws InvalidValue when a secret, config map or claim is not there, or a subPath leads outside. */
export async function makeVolumes(folders: Folders, task: Task, bindings: readonly WorkspaceBinding[], options: VolumeOptions): Promise<Volumes> {
  const workspaces = new Map<string, Source>();
  for (const workspace of declared(task, bindings)) {
    const binding = bindings.find((each) => each.name === workspace.name);
    if (!binding) continue;
    const given = options.given.get(workspace.name);
    const source = given
      ? { path: given, readOnly: false }
      : await makeVolume(folders, `ws-${workspace.name}`, binding, `workspace "${workspace.name}"`, options);
    const path = await inside(source.path, binding.subPath ?? '', `workspace "${workspace.name}"`);
    workspaces.set(workspace.name, { path, readOnly: source.readOnly || workspace.readOnly });
    if (!options.ownPaths) await symlink(path, join(folders.workspace, workspace.name)).catch(ignoreTaken);
  }
  const volumes = new Map([...workspaces].map(([name, source]) => [volumeName(name), source]));
  for (const volume of task.volumes ?? []) volumes.set(volume.name, await makeVolume(folders, `v-${volume.name}`, volume, `volume "${volume.name}"`, options));
  return { workspaces, volumes };
}

function ignoreTaken(error: NodeJS.ErrnoException): void {
  // The link only serves relative paths; a workspace whose name is taken or no file name has its variable all the same.
  if (error.code !== 'EEXIST' && error.code !== 'ENOENT') throw error;
}

async function makeVolume(folders: Folders, name: string, source: Volume | WorkspaceBinding, what: string, options: VolumeOptions): Promise<Source> {
  const path = join(folders.root, 'volumes', name);
  if (source.persistentVolumeClaim) {
    const { claimName, readOnly } = source.persistentVolumeClaim;
    const claim = await options.references.claim(claimName);
    if (!claim) throw new InvalidValue(`${what} is bound to the persistent volume claim "${claimName}", which this runner does not know`);
    await mkdir(claim, { recursive: true });
    return { path: claim, readOnly: readOnly ?? false };
  }
  await mkdir(path, { recursive: true });
  if (source.secret) {
    const { secretName, optional } = source.secret;
    const data = await options.references.secret(secretName);
    for (const value of Object.values(data ?? {})) options.mask(value.toString('utf8'));
    await writeKeys(path, data ?? missing(`${what} needs the secret "${secretName}", which does not exist`, optional), source.secret, what);
    return { path, readOnly: true };
  }
  if (source.configMap) {
    const { name: configMap, optional } = source.configMap;
    const data = (await options.references.configMap(configMap)) ?? missing(`${what} needs the config map "${configMap}", which does not exist`, optional);
    await writeKeys(path, data, source.configMap, what);
    return { path, readOnly: true };
  }
  await chmod(path, 0o777);
  return { path, readOnly: false };
}

function missing(message: string, optional: boolean | undefined): Record<string, Buffer> {
  if (optional) return {};
  throw new InvalidValue(message);
}

type Keys = { items?: { key: string; path: string; mode?: number }[]; defaultMode?: number; optional?: boolean };

async function writeKeys(folder: string, data: Record<string, Buffer>, { items, defaultMode, optional }: Keys, what: string): Promise<void> {
  const wanted: { key: string; path: string; mode?: number }[] = items ?? Object.keys(data).map((key) => ({ key, path: key }));
  for (const { key, path, mode } of wanted) {
    const value = Object.hasOwn(data, key) ? data[key] : undefined;
    if (value === undefined && optional) continue;
    if (value === undefined) throw new InvalidValue(`${what} needs the key "${key}", which does not exist`);
    const target = below(folder, path, what);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, value, { mode: mode ?? defaultMode ?? 0o644 });
  }
}

/** `path` below `folder`. Throws InvalidValue when it leads outside. */
function below(folder: string, path: string, what: string): string {
  const target = normalize(join(folder, path));
  if (isAbsolute(path) || path.includes('\0') || path.split('/').includes('..') || (target !== folder && !target.startsWith(folder + sep))) {
    throw new InvalidValue(`${what} has the path ${JSON.stringify(path)}, which must be relative and without ".."`);
  }
  return target;
}

/** A subPath, made where it is not there. Throws InvalidValue when it leads outside, by ".." or through a symbolic link. */
export async function inside(folder: string, subPath: string, what: string): Promise<string> {
  if (!subPath) return folder;
  const target = below(folder, subPath, what);
  await mkdir(target, { recursive: true });
  const [base, real] = await Promise.all([realpath(folder), realpath(target)]);
  if (relative(base, real).startsWith('..'))
    throw new InvalidValue(`${what} has the subPath ${JSON.stringify(subPath)}, which leads outside through a symbolic link`);
  return target;
}
