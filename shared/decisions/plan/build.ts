// The pipeline of a repository that brings none: found out from what lies in it. Pure.
import { z } from 'zod';
import type { Stage } from '../../objects/pipeline.ts';
import type { SpecOf } from '../../objects/kinds.ts';
import type { TaskSpec } from '../../objects/taskrun.ts';
import { NODE_IMAGE } from '../../runner/builtin.ts';
import { hasLock, type PackageManager, packageManager } from './install.ts';
import { outputResults, outputStep, SOURCE_PATH, type Source, sourceStep } from './steps.ts';

type Build = NonNullable<SpecOf<'Project'>['build']>;
type TektonStep = TaskSpec['steps'][number];

/** A folder of the repository: "" is its root. */
export interface Folder {
  path: string;
  names: string[];
}

export interface BuildFiles {
  /** The front end's folder first, then each above it, the root last. */
  folders: Folder[];
  /** The front end's package.json, as text. */
  packageJson?: string;
  /** "packageManager" may stand in the root's package.json instead. */
  rootPackageJson?: string;
}

const packageJson = z.looseObject({ scripts: z.record(z.string(), z.unknown()).optional(), packageManager: z.string().optional() });

interface Commands {
  install: string;
  build: string;
  prelude: string;
  /** Folder that the dependencies are installed in: where the lock file is. */
  installIn: string;
  because: string;
}

/** One stage with one step, or a sentence that says what was looked for and what to do. */
export function planBuild(build: Build, files: BuildFiles, source: Source): { stages: Stage[]; definedBy: string } | { error: string } {
  const directory = trimSlashes(build.directory ?? '');
  if (directory.includes('$('))
    return { error: `build.directory ${JSON.stringify(directory)} holds "$(", which Tekton takes for a variable; rename the folder` };
  if (build.output?.includes('$('))
    return { error: `build.output ${JSON.stringify(build.output)} holds "$(", which Tekton takes for a variable; rename the folder` };
  const folder = files.folders[0];
  if (!folder) return { error: `There is no folder "${directory}" in the repository at this commit; set build.directory to the folder of the front end` };
  const commands = findCommands(build, files, folder);
  if ('error' in commands) return commands;
  const hasIndex = folder.names.includes('index.html');
  const built = commands.install !== '' || commands.build !== '';
  if (!built && !hasIndex && build.output === undefined) return { error: nothingFound(folder, files.packageJson !== undefined) };
  const output = build.output ?? (commands.build === '' && hasIndex ? '.' : undefined);
  const task = buildTask(build, commands, directory, output, source);
  const step = {
    name: 'site',
    taskSpec: task,
    output: output === undefined ? (true as const) : joined(directory, output),
    ...(build.timeout && { timeout: build.timeout }),
  };
  return { stages: [{ name: 'build', steps: [step] }], definedBy: built ? commands.because : `Found index.html${inFolder(folder.path)}: released as it is` };
}

function findCommands(build: Build, { folders, packageJson: own, rootPackageJson }: BuildFiles, folder: Folder): Commands | { error: string } {
  const parsed = own === undefined ? undefined : parsePackage(own, joined(folder.path, 'package.json'));
  if (parsed && 'error' in parsed) return parsed;
  const script = parsed?.value.scripts?.['build'];
  const hasScript = typeof script === 'string' && script.trim() !== '';
  const builds = build.build === undefined ? hasScript : build.build.trim() !== '';
  const manager = managerOf(folders, parsed?.value.packageManager ?? declaredAtRoot(rootPackageJson));
  const installs = build.install === undefined ? builds && parsed !== undefined : build.install.trim() !== '';
  const install = installs ? (build.install ?? manager.install) : '';
  const command = builds ? (build.build ?? manager.run('build')) : '';
  const because = [
    install && `${install.replace(' $options', '')} (${build.install === undefined ? manager.because : 'as configured'})`,
    command && `${command}${build.build === undefined ? '' : ' (as configured)'}`,
  ];
  return {
    install,
    build: command,
    prelude: parsed ? manager.prelude : '',
    installIn: build.install === undefined ? manager.folder : folder.path,
    because: `Found ${parsed ? 'package.json' : 'no package.json'}${inFolder(folder.path)}: ${because.filter(Boolean).join(', then ')}`.slice(0, 512),
  };
}

/** The nearest lock file counts: in a monorepo it is at the root, above the front end. */
function managerOf(folders: readonly Folder[], declared: string | undefined): PackageManager & { folder: string } {
  const locked = folders.find(({ names }) => hasLock(new Set(names))) ?? folders[0]!;
  return { ...packageManager(new Set(locked.names), declared), folder: locked.path };
}

function parsePackage(text: string, path: string): { value: z.infer<typeof packageJson> } | { error: string } {
  try {
    const checked = packageJson.safeParse(JSON.parse(text.replace(/^\uFEFF/, '')));
    if (checked.success) return { value: checked.data };
    const issue = checked.error.issues[0]!;
    return { error: `${path} is not what npm expects: ${issue.path.join('.') || 'the whole'}: ${issue.message}` };
  } catch (error) {
    return { error: `${path} is not JSON: ${(error as Error).message}`.slice(0, 500) };
  }
}

function declaredAtRoot(text: string | undefined): string | undefined {
  const parsed = text === undefined ? undefined : parsePackage(text, 'package.json');
  return parsed && 'value' in parsed ? parsed.value.packageManager : undefined; // A root that is no package has nothing to say here.
}

/** What npm does for people beside its work, each by a request to its registry: a build waits for none of it. */
const QUIET_NPM = { npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };

function buildTask(build: Build, commands: Commands, directory: string, output: string | undefined, source: Source): TaskSpec {
  const env = Object.entries({ CI: 'true', TIDEMILL_COMMIT: source.sha, ...QUIET_NPM, ...build.env }).map(([name, value]) => ({ name, value }));
  const script = (name: string, folder: string, command: string): TektonStep => ({
    name,
    image: build.image ?? NODE_IMAGE,
    env,
    workingDir: folder === '' ? SOURCE_PATH : `${SOURCE_PATH}/${folder}`,
    script: `#!/bin/sh\nset -e\n${commands.prelude}${command}\n`,
  });
  const steps = [sourceStep(source)];
  if (commands.install) steps.push(script('install', commands.installIn, commands.install));
  if (commands.build) steps.push(script('build', directory, commands.build));
  steps.push(outputStep({ ...(directory && { directory }), ...(output !== undefined && { output }) }));
  return { workspaces: [{ name: 'source', description: "The commit's files" }], steps, results: outputResults() };
}

function nothingFound(folder: Folder, hasPackage: boolean): string {
  const here = folder.path === '' ? 'the root of the repository' : `the folder "${folder.path}"`;
  const what = hasPackage
    ? `package.json in ${here} has no "build" script, and there is no index.html beside it`
    : `Neither package.json nor index.html is in ${here}`;
  return `${what}. Add one, set build.directory to the folder of the front end, or say how it is built in .tidemill.yaml`;
}

function inFolder(path: string): string {
  return path === '' ? '' : ` in ${path}`;
}

function joined(directory: string, name: string): string {
  if (directory === '') return name;
  return name === '.' ? directory : `${directory}/${name}`;
}

function trimSlashes(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}
