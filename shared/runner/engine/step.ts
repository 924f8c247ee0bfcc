// One step: its variables, its environment, its process or builtin, and what is known of it afterwards.
import type { FileHandle } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { STEP_IMAGE } from '../builtin.ts';
import { hostPath } from '../isolation/plain.ts';
import { applyStep } from '../task/apply.ts';
import type { Attempt } from './attempt.ts';
import { declaredEnv, expand, inheritedEnv } from './env.ts';
import { linkVolumes, mountsOf, onHost, placesOf, workingDirectory, workspaceMounts } from './layout.ts';
import { createLineSplitter } from './lines.ts';
import { mergeTemplate } from '../task/merge.ts';
import { NotAFile, openBelow, writeFresh } from './files.ts';
import { CannotStart, type Launch, type Output, firstExecutable, start } from './process.ts';
import { interpreterCommand, writeScript } from './script.ts';
import { type Container, type Sidecar, type Step, stepName } from '../task/spec.ts';
import { type Launching, NoSuchResult, allows, applyStepResults } from './step-results.ts';
import { contextReplacements, placeReplacements, stepReplacements } from '../task/variables.ts';
import type { Replacements } from '../task/substitute.ts';

/** How a step's own process ended. */
export type StepEnd =
  | { kind: 'exited'; code: number }
  | { kind: 'failed-to-start'; code: number }
  | { kind: 'skipped' }
  | { kind: 'timed-out' }
  | { kind: 'interrupted' };

/** The passes of substitution for a step or sidecar at this index. */
export function passesFor(
  attempt: Attempt,
  user: { name?: string; results?: Step['results']; workspaces?: Step['workspaces'] },
  index: number,
  ownPaths: boolean,
): Replacements[] {
  const places = placesOf(attempt.layout, ownPaths);
  const { task, bindings } = attempt.layout;
  return [attempt.params, contextReplacements(attempt.context), stepReplacements(user, index, places), ...placeReplacements(task, bindings, places)];
}

/** The step as it will run, with every variable known by now replaced. */
export function preparedStep(attempt: Attempt, index: number, ownPaths: boolean): Step {
  const raw = attempt.layout.task.steps[index]!;
  const passes = passesFor(attempt, raw, index, ownPaths);
  const apply = (step: Step) => passes.reduce((applied, by) => applyStep(applied, by), step);
  const template = attempt.layout.task.stepTemplate;
  return mergeTemplate(template && apply(template), apply(raw));
}

export function isBuiltin(container: Container): boolean {
  return container.image === STEP_IMAGE;
}

/** Runs the step at this index to its end. Throws what is wrong with the Task (InvalidValue). */
export async function runStep(attempt: Attempt, index: number, begun: () => void): Promise<StepEnd> {
  const { ownPaths } = attempt.options.isolation;
  const seen = preparedStep(attempt, index, ownPaths);
  const builtin = isBuiltin(seen);
  const step = builtin ? preparedStep(attempt, index, false) : seen;
  const name = stepName(step, index);
  const limit = attempt.limitFor(step.timeout);
  try {
    if (!ownPaths && !builtin) await linkVolumes(attempt.layout, step);
    const launching = await launchingOf(attempt, step, index, builtin);
    if (!allows(launching.when)) return { kind: 'skipped' };
    begun();
    if (builtin) return await runBuiltin(attempt, step, name, launching.argv, limit);
    return await runProcess(attempt, step, name, launching, limit);
  } catch (error) {
    if (!(error instanceof CannotStart || error instanceof NotAFile)) throw error;
    attempt.say(name, error.message);
    return { kind: 'failed-to-start', code: error instanceof CannotStart ? error.exitCode : 1 };
  } finally {
    limit.clear();
  }
}

/** What is known of a step only when it begins: its environment, and what earlier steps left. */
async function launchingOf(attempt: Attempt, step: Step, index: number, builtin: boolean): Promise<Launching> {
  const env = await declaredEnv(step, attempt.envOptions);
  const expanded = (parts: readonly string[] | undefined) => (parts ?? []).map((part) => expand(part, env));
  const command = step.script ? await scriptCommand(attempt, step, `script-${index}`, builtin) : expanded(step.command);
  const launching = { argv: [...command, ...expanded(step.args)], env, when: step.when ?? [] };
  return applyStepResults(launching, join(attempt.layout.folders.tekton, 'steps')).catch((error: unknown) => {
    if (!(error instanceof NoSuchResult)) throw error;
    attempt.say(stepName(step, index), `${error.message}; the text is left as it is`);
    return launching;
  });
}

/** The script written to a file, and the command that begins it. */
export async function scriptCommand(attempt: Attempt, container: Step | Sidecar, file: string, onMachine: boolean): Promise<string[]> {
  const { isolation } = attempt.options;
  const folder = join(attempt.layout.folders.tekton, 'scripts');
  const host = join(folder, file);
  const text = await writeScript(folder, file, container.script!);
  const seen = isolation.ownPaths && !onMachine ? `/tekton/scripts/${file}` : host;
  return isolation.usesImages ? [seen] : interpreterCommand(text, seen);
}

async function runProcess(attempt: Attempt, step: Step, name: string, { argv, env }: Launching, limit: Limit): Promise<StepEnd> {
  const launch = await launchOf(attempt, step, `step-${name}`, argv, Boolean(step.script || step.command?.length), env);
  const sink = await outputOf(attempt, step, name);
  try {
    return await attempt.untilEnd(await start(launch, attempt.options.record, sink.output), limit);
  } finally {
    await sink.end();
  }
}

export interface Limit {
  signal: AbortSignal;
  clear(): void;
}

/** What to start: the step's own terms turned into this isolation's. Throws CannotStart. */
export async function launchOf(
  attempt: Attempt,
  container: Step | Sidecar,
  name: string,
  argv: string[],
  hasCommand: boolean,
  env: Record<string, string>,
): Promise<Launch> {
  const { isolation, marker } = attempt.options;
  const base = baseEnv(attempt);
  const whole = { ...base, ...env, [marker.name]: marker.value };
  const cwd = await workingDirectory(attempt.layout, container, isolation.ownPaths, isolation.usesImages);
  if (!isolation.usesImages) await checkCommand(attempt, container, argv[0], whole['PATH'] ?? '', cwd!);
  const containerName = `tidemill-${attempt.run.uid}-${attempt.context.retryCount}-${name}`.toLowerCase();
  const tmp = isolation.kind === 'bubblewrap' ? [{ source: attempt.layout.folders.tmp, target: '/tmp', readOnly: false }] : [];
  const caches = [...attempt.options.caches].map(([target, source]) => ({ source, target: `/tekton/home/${target}`, readOnly: false }));
  return isolation.launch({
    name: containerName,
    image: container.image ?? '',
    ...(container.imagePullPolicy && { pullPolicy: container.imagePullPolicy }),
    ...(hasCommand ? { command: argv, args: [] } : { args: argv }),
    env: whole,
    ...(cwd !== undefined && { workingDir: cwd }),
    mounts: isolation.ownPaths ? [...tmp, ...(await mountsOf(attempt.layout, container)), ...caches] : [],
    ...(attempt.network && { network: attempt.network }),
    ...(container.securityContext && { securityContext: container.securityContext }),
    ...(container.computeResources?.limits && { limits: container.computeResources.limits }),
  });
}

/** Without images a step runs this machine's programs, so whether there is such a command is known before. Throws CannotStart. */
async function checkCommand(attempt: Attempt, container: Step | Sidecar, command: string | undefined, path: string, cwd: string): Promise<void> {
  if (command === undefined) throw new CannotStart('it has neither script nor command, and without its image there is no entrypoint to run');
  const { isolation } = attempt.options;
  const { tmp } = attempt.layout.folders;
  const here = (place: string) => {
    if (!isolation.ownPaths) return place;
    return onHost(attempt.layout, container, place) ?? (place.startsWith('/tmp/') ? join(tmp, place.slice(4)) : place);
  };
  const places = command.includes('/')
    ? [command.startsWith('/') ? command : join(cwd, command)]
    : path.split(delimiter).map((folder) => join(folder || cwd, command));
  if (!(await firstExecutable(places.map(here)))) throw new CannotStart(`there is no command ${JSON.stringify(command)} on this machine`);
}

/** A container has its image's environment; elsewhere it is this machine's PATH, a home folder, and nothing of the server's. */
function baseEnv({ options: { isolation, env }, layout }: Attempt): Record<string, string> {
  if (isolation.usesImages) return {};
  const own = { ...inheritedEnv(env), PATH: hostPath(env['PATH']) };
  if (isolation.ownPaths) return { ...own, HOME: '/tekton/home', TMPDIR: '/tmp' };
  // The user's own home: package managers keep their caches and settings there.
  return { ...own, HOME: env['HOME'] ?? join(layout.folders.tekton, 'home'), TMPDIR: layout.folders.tmp };
}

interface Sink {
  output: Output;
  end(): Promise<void>;
}

/** Lines go to the log, and the bytes to a file where the step asks for it. */
async function outputOf(attempt: Attempt, step: Step, name: string): Promise<Sink> {
  const streams = await Promise.all((['stdout', 'stderr'] as const).map((stream) => streamOf(attempt, step, name, stream)));
  return { output: { stdout: streams[0]!.take, stderr: streams[1]!.take }, end: async () => void (await Promise.all(streams.map((stream) => stream.end()))) };
}

async function streamOf(attempt: Attempt, step: Step, name: string, stream: 'stdout' | 'stderr') {
  const splitter = createLineSplitter(attempt.mask);
  const wanted = (stream === 'stdout' ? step.stdoutConfig : step.stderrConfig)?.path;
  const file = wanted === undefined ? undefined : await streamFile(attempt, step, wanted);
  const tell = async (lines: string[]) => {
    for (const text of lines) await attempt.options.onLine({ step: name, stream, time: attempt.options.now(), text });
  };
  return {
    take: async (chunk: Buffer) => {
      await file?.writeFile(chunk);
      await tell(splitter.push(chunk));
    },
    end: async () => {
      await tell(splitter.end());
      await file?.close();
    },
  };
}

/** The file that a stream is copied to. Throws CannotStart for one that is not the run's own, NotAFile for what is none. */
async function streamFile(attempt: Attempt, step: Step, wanted: string): Promise<FileHandle> {
  const path = onHost(attempt.layout, step, wanted);
  if (!path) throw new CannotStart(`${wanted} is in none of the folders of the run, so no output can be copied to it`);
  const root = [attempt.layout.folders.root, ...[...attempt.layout.volumes.workspaces.values()].map((source) => source.path)].find((each) =>
    path.startsWith(`${each}/`),
  )!;
  return openBelow(root, dirname(path), basename(path));
}

async function runBuiltin(attempt: Attempt, step: Step, name: string, argv: string[], limit: Limit): Promise<StepEnd> {
  const [which = '', ...args] = argv;
  const { builtins } = attempt.options;
  const builtin = Object.hasOwn(builtins, which) ? builtins[which] : undefined;
  if (!builtin) {
    attempt.say(name, `there is no step of tidemill's own named ${JSON.stringify(which)}`);
    return { kind: 'failed-to-start', code: 1 };
  }
  const workspaces = Object.fromEntries(workspaceMounts(attempt.layout, step).map((mount) => [mount.name, mount.source]));
  const workingDir = (await workingDirectory(attempt.layout, step, false, false))!;
  const lines: Promise<void>[] = [];
  try {
    const signal = AbortSignal.any([attempt.options.signal, attempt.deadline, limit.signal]);
    const code = await builtin({
      args,
      workspaces,
      workingDir,
      result: (result, value) => writeResult(attempt, result, value),
      log: (text) =>
        void lines.push(Promise.resolve(attempt.options.onLine({ step: name, stream: 'stdout', time: attempt.options.now(), text: attempt.mask.apply(text) }))),
      signal,
    });
    return attempt.interruption(limit) ?? { kind: 'exited', code };
  } catch (error) {
    const interrupted = attempt.interruption(limit);
    if (interrupted) return interrupted;
    attempt.say(name, (error as Error).message);
    return { kind: 'exited', code: 1 };
  } finally {
    await Promise.all(lines);
  }
}

async function writeResult(attempt: Attempt, name: string, value: string): Promise<void> {
  if (!attempt.layout.task.results?.some((result) => result.name === name)) throw new Error(`the Task declares no result "${name}"`);
  await writeFresh(join(attempt.layout.folders.tekton, 'results'), name, value);
}
