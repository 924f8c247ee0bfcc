// Steps in containers of their own images, by podman or docker.
// https://docs.podman.io/en/latest/markdown/podman-run.1.html, https://docs.docker.com/reference/cli/docker/container/run/
import { execFile } from 'node:child_process';
import { NODE_IMAGE } from '../builtin.ts';
import type { Contained, Isolation, Mount } from './isolation.ts';

/** What stands for tidemill's own image of Node where containers were asked for. */
const PUBLIC_NODE_IMAGE = 'docker.io/library/node:24';

/** Names that would change what the client itself does: their values stand in the argument list, as they are no secrets. */
const CLIENT_NAME =
  /^(?:PATH|HOME|TMPDIR|PWD|LD_.*|DYLD_.*|DOCKER_.*|CONTAINER.*|PODMAN_.*|BUILDAH_.*|XDG_.*|REGISTRY_AUTH_FILE|GODEBUG|(?:https?|all|no)_proxy|(?:HTTPS?|ALL|NO)_PROXY)$/;

export function containers(kind: 'podman' | 'docker', file: string, env: NodeJS.ProcessEnv): Isolation {
  const own = clientEnv(env);
  return {
    kind,
    usesImages: true,
    ownPaths: true,
    description: `Steps run in containers of their own images, by ${kind}: they see only their workspaces, but share this machine's kernel and its network as ${kind} lets them.`,
    launch: (contained) => ({ file, args: runArguments(contained), env: { ...passed(contained.env), ...own }, cwd: '/', container: contained.name }),
    discard: (container) =>
      new Promise((resolve, reject) => {
        execFile(file, ['rm', '--force', '--volumes', container], { env: own, timeout: 30_000 }, (error, _stdout, stderr) => {
          if (!error || /no such container|no container with/i.test(stderr)) return resolve();
          reject(new Error(`${kind} could not remove the container ${container}: ${stderr.trim() || error.message}`));
        });
      }),
  };
}

/** What the client needs to find its engine; nothing of tidemill's. */
function clientEnv(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && CLIENT_NAME.test(entry[0])));
}

/** Values that the client reads from its own environment, so that no secret stands in an argument list. */
function passed(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !CLIENT_NAME.test(name)));
}

export function runArguments(contained: Contained): string[] {
  const [entrypoint, ...command] = contained.command ?? [];
  return [
    'run',
    '--rm',
    '--name',
    contained.name,
    '--pull',
    pullPolicy(contained.pullPolicy),
    ...(contained.network ? ['--network', `container:${contained.network}`] : []),
    ...contained.mounts.flatMap((mount) => ['--mount', mountArgument(mount)]),
    ...Object.entries(contained.env).flatMap(([name, value]) => ['--env', CLIENT_NAME.test(name) ? `${name}=${value}` : name]),
    ...(contained.workingDir ? ['--workdir', contained.workingDir] : []),
    ...securityArguments(contained.securityContext ?? {}),
    ...limitArguments(contained.limits ?? {}),
    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
    '--',
    contained.image === NODE_IMAGE ? PUBLIC_NODE_IMAGE : contained.image,
    ...command,
    ...contained.args,
  ];
}

function mountArgument({ source, target, readOnly }: Mount): string {
  return [`type=bind`, field('source', source), field('target', target), ...(readOnly ? ['readonly'] : [])].join(',');
}

/** The argument is one record of comma-separated values. */
function field(name: string, value: string): string {
  const text = `${name}=${value}`;
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function pullPolicy(policy: string | undefined): string {
  if (policy === 'Always') return 'always';
  return policy === 'Never' ? 'never' : 'missing';
}

function securityArguments(context: Record<string, unknown>): string[] {
  const args: string[] = [];
  if (context['runAsUser'] !== undefined)
    args.push('--user', [context['runAsUser'], context['runAsGroup']].flatMap((id) => (typeof id === 'number' ? [String(id)] : [])).join(':'));
  if (context['privileged'] === true) args.push('--privileged');
  if (context['allowPrivilegeEscalation'] === false) args.push('--security-opt', 'no-new-privileges');
  if (context['readOnlyRootFilesystem'] === true) args.push('--read-only');
  const { add = [], drop = [] } = (context['capabilities'] ?? {}) as { add?: string[]; drop?: string[] };
  return [...args, ...drop.flatMap((name) => ['--cap-drop', name]), ...add.flatMap((name) => ['--cap-add', name])];
}

const FACTORS: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

function limitArguments(limits: Record<string, unknown>): string[] {
  const args: string[] = [];
  const cpu = /^(\d+(?:\.\d+)?)(m?)$/.exec(quantity(limits['cpu']));
  if (cpu) args.push('--cpus', String(Number(cpu[1]) / (cpu[2] ? 1000 : 1)));
  const memory = /^(\d+(?:\.\d+)?)(|k|M|G|T|Ki|Mi|Gi|Ti)$/.exec(quantity(limits['memory']));
  if (memory) args.push('--memory', `${Math.floor(Number(memory[1]) * FACTORS[memory[2]!]!)}b`);
  return args;
}

/** Kubernetes takes quantities as text or as numbers. */
function quantity(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
