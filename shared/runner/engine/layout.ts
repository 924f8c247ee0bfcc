// Where a step finds its files: Tekton's own paths where the isolation has them, folders of this machine where not.
import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Mount } from '../isolation/isolation.ts';
import type { Folders, Volumes } from './folders.ts';
import { inside } from './folders.ts';
import { CannotStart } from './process.ts';
import { InvalidValue } from '../task/params.ts';
import { type Container, type Step, type Task, type WorkspaceBinding, type WorkspaceUsage, stepName } from '../task/spec.ts';
import { type Places, TEKTON_PLACES, declared } from '../task/variables.ts';

/** Exit code of a container that could not be made. */
export const NO_CONTAINER = 128;

export interface Layout {
  folders: Folders;
  volumes: Volumes;
  task: Task;
  bindings: readonly WorkspaceBinding[];
}

type User = Container & { workspaces?: WorkspaceUsage[] };

/** Tekton's own places, or their stand-ins on this machine. */
export function placesOf({ folders, volumes }: Layout, ownPaths: boolean): Places {
  if (ownPaths) return TEKTON_PLACES;
  return {
    results: join(folders.tekton, 'results'),
    steps: join(folders.tekton, 'steps'),
    credentials: join(folders.tekton, 'creds'),
    workspace: (name, mountPath) => volumes.workspaces.get(name)?.path ?? mountPath,
  };
}

/** The workspaces that this step or sidecar sees: all, but those that some step asked for by name only where they were asked for. */
export function workspaceMounts({ task, bindings, volumes }: Layout, user: User): (Mount & { name: string })[] {
  const asked = new Set(
    [...task.steps, ...(task.sidecars ?? [])].flatMap((each: Pick<Step, 'workspaces'>) => each.workspaces ?? []).map((usage) => usage.name),
  );
  return declared(task, bindings).flatMap((workspace) => {
    const source = volumes.workspaces.get(workspace.name);
    const usage = user.workspaces?.find((each) => each.name === workspace.name);
    if (!source || (asked.has(workspace.name) && !usage)) return [];
    return [{ name: workspace.name, source: source.path, target: usage?.mountPath || workspace.mountPath, readOnly: source.readOnly }];
  });
}

/** Everything a step sees at Tekton's own paths. */
export async function mountsOf(layout: Layout, user: User): Promise<Mount[]> {
  const { folders } = layout;
  // Folders that the runner itself reads and writes are mounts of their own, so that no step can put a link in their place.
  const held = ['results', ...layout.task.steps.map((step, index) => `steps/step-${stepName(step, index)}`)];
  const base = [
    { source: folders.workspace, target: '/workspace', readOnly: false },
    { source: folders.tekton, target: '/tekton', readOnly: false },
    ...held.map((name) => ({ source: join(folders.tekton, name), target: `/tekton/${name}`, readOnly: false })),
    { source: join(folders.tekton, 'scripts'), target: '/tekton/scripts', readOnly: true },
  ];
  const own = workspaceMounts(layout, user).map(({ source, target, readOnly }) => ({ source, target, readOnly }));
  return [...base, ...own, ...(await volumeMounts(layout, user))];
}

async function volumeMounts({ volumes }: Layout, user: User): Promise<Mount[]> {
  return Promise.all(
    (user.volumeMounts ?? []).map(async (mount) => {
      const volume = volumes.volumes.get(mount.name);
      if (!volume) throw new InvalidValue(`volumeMounts: there is no volume "${mount.name}"`);
      const source = await inside(volume.path, mount.subPath ?? '', `volumeMount "${mount.name}"`);
      return { source, target: mount.mountPath, readOnly: volume.readOnly || (mount.readOnly ?? false) };
    }),
  );
}

/** What a path of Tekton's stands for on this machine; undefined: it is a path of the machine's, or the image's, own. */
export function onHost(layout: Layout, user: User, path: string): string | undefined {
  const wanted = normalize(path.startsWith('/') ? path : `/workspace/${path}`);
  const mounts = [
    { source: layout.folders.workspace, target: '/workspace' },
    { source: layout.folders.tekton, target: '/tekton' },
    ...workspaceMounts(layout, user),
  ].toSorted((a, b) => b.target.length - a.target.length);
  for (const { source, target } of mounts) {
    if (wanted === normalize(target) || wanted.startsWith(`${normalize(target)}/`)) return join(source, wanted.slice(normalize(target).length));
    if (wanted === source || wanted.startsWith(`${source}/`)) return wanted;
  }
  return undefined;
}

/** The folder a step begins in. Undefined: the image's own. Throws CannotStart for one that is relative, which no container can begin in. */
export async function workingDirectory(layout: Layout, user: User, ownPaths: boolean, usesImages: boolean): Promise<string | undefined> {
  if (!user.workingDir && usesImages) return undefined;
  const wanted = user.workingDir || '/workspace';
  if (!wanted.startsWith('/'))
    throw new CannotStart(`workingDir ${JSON.stringify(wanted)} is relative; begin it with $(workspaces.<name>.path) or "/"`, NO_CONTAINER);
  if (ownPaths) return normalize(wanted);
  const host = onHost(layout, user, wanted);
  if (!host) return wanted;
  await mkdir(host, { recursive: true });
  return host;
}

/** Without mounts of its own, a step gets its volumes as links, where their place is one of the run's own folders. Throws InvalidValue where it is not. */
export async function linkVolumes(layout: Layout, user: User): Promise<void> {
  for (const mount of await volumeMounts(layout, user)) {
    const host = onHost(layout, user, mount.target);
    if (!host)
      throw new InvalidValue(
        `volumeMounts: ${mount.target} cannot be mounted with plain processes, which see this machine's own files there; use bubblewrap, podman or docker`,
      );
    await mkdir(dirname(host), { recursive: true });
    await symlink(mount.source, host).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another step of the run linked it already
    });
  }
}
