// One step: its variables, its environment, its process or builtin, and what is known of it afterwards.
import { mkdir, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { STEP_IMAGE } from '../builtin.ts';
import { hostPath } from '../isolation/plain.ts';
import { applyStep } from '../task/apply.ts';
import type { Attempt } from './attempt.ts';
import { declaredEnv, expand, inheritedEnv } from './env.ts';
import { linkVolumes, mountsOf, onHost, placesOf, workingDirectory, workspaceMounts } from './layout.ts';
import { createLineSplitter } from './lines.ts';
import { mergeTemplate } from '../task/merge.ts';
import { CannotStart, type Launch, type Output, findCommand, start } from './process.ts';
import { interpreterCommand, writeScript } from './script.ts';
import { type Container, type Sidecar, type Step, stepName } from '../task/spec.ts';
import { NoSuchResult, allows, applyStepResults } from './step-results.ts';
import { contextReplacements, placeReplacements, stepReplacements } from '../task/variables.ts';
import type { Replacements } from '../task/substitute.ts';

/** How a step's own process ended. */
export type StepEnd = { kind: 'exited'; code: number } | { kind: 'failed-to-start' } | { kind: 'skipped' } | { kind: 'timed-out' } | { kind: 'interrupted' };

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
  const { isolation } = attempt.options;
  const peek = preparedStep(attempt, index, isolation.ownPaths);
  const builtin = isBuiltin(peek);
  const step = builtin ? preparedStep(attempt, index, false) : peek;
  const name = stepName(step, index);
  if (!isolation.ownPaths && !builtin) await linkVolumes(attempt.layout, step);
  const env = await declaredEnv(step, attempt.envOptions);
  const expanded = (parts: readonly string[] | undefined) => (parts ?? []).map((part) => expand(part, env));
  const stepsFolder = join(attempt.layout.folders.tekton, 'steps');
  const scripted = step.script ? await scriptCommand(attempt, step, `script-${index}`, builtin) : undefined;
  const command = scripted ?? step.command;
  const prefix = scripted ?? expanded(step.command);
  const launching = await applyStepResults({ argv: [...prefix, ...expanded(step.args)], env, when: step.when ?? [] }, stepsFolder).catch((error: unknown) => {
    if (!(error instanceof NoSuchResult)) throw error;
    attempt.say(name, `${error.message}; the text is left as it is`);
    return { argv: [...prefix, ...expanded(step.args)], env, when: step.when ?? [] };
  });
  if (!allows(launching.when)) return { kind: 'skipped' };
  begun();
  if (builtin) return runBuiltin(attempt, step, name, launching.argv);
  const limit = attempt.limitFor(step.timeout);
  try {
    return await runProcess(attempt, step, name, launching.argv, command !== undefined, launching.env, limit);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    attempt.say(name, error.message);
    return { kind: 'failed-to-start' };
  } finally {
    limit.clear();
  }
}

/** The script written to a file, and the command that begins it. */
export async function scriptCommand(attempt: Attempt, container: Step | Sidecar, file: string, onMachine: boolean): Promise<string[]> {
  const { isolation } = attempt.options;
  const host = join(attempt.layout.folders.tekton, 'scripts', file);
  const text = await writeScript(host, container.script!);
  const seen = isolation.ownPaths && !onMachine ? `/tekton/scripts/${file}` : host;
  return isolation.usesImages ? [seen] : interpreterCommand(text, seen);
}

async function runProcess(
  attempt: Attempt,
  step: Step,
  name: string,
  argv: string[],
  hasCommand: boolean,
  env: Record<string, string>,
  limit: Limit,
): Promise<StepEnd> {
  const launch = await launchOf(attempt, step, `step-${name}`, argv, hasCommand, env);
  const sink = await outputOf(attempt, step, name);
  const running = await start(launch, attempt.options.record, sink.output);
  const ended = await attempt.untilEnd(running, limit);
  await sink.end();
  return ended;
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
  if (!isolation.usesImages) {
    if (!argv.length) throw new CannotStart('it has neither script nor command, and without its image there is no entrypoint to run');
    if (!isolation.ownPaths && !(await findCommand(argv[0]!, whole['PATH'] ?? '', cwd!)))
      throw new CannotStart(`there is no command ${JSON.stringify(argv[0])} on this machine`);
  }
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
  const path = wanted && onHost(attempt.layout, step, wanted);
  if (path) await mkdir(dirname(path), { recursive: true });
  const file = path ? createWriteStream(path) : undefined;
  let failure: Error | undefined;
  file?.on('error', (error) => (failure = error));
  const tell = async (lines: string[]) => {
    for (const text of lines) await attempt.options.onLine({ step: name, stream, time: attempt.options.now(), text });
  };
  return {
    take: async (chunk: Buffer) => {
      if (file && !failure && !file.write(chunk)) await new Promise<void>((resolve) => file.once('drain', resolve).once('error', () => resolve()));
      await tell(splitter.push(chunk));
    },
    end: async () => {
      await tell(splitter.end());
      if (file) await new Promise<void>((resolve) => file.end(() => resolve()));
      if (failure) attempt.say(name, `${wanted ?? ''} could not be written: ${failure.message}`);
    },
  };
}

async function runBuiltin(attempt: Attempt, step: Step, name: string, argv: string[]): Promise<StepEnd> {
  const [which = '', ...args] = argv;
  const { builtins } = attempt.options;
  const builtin = Object.hasOwn(builtins, which) ? builtins[which] : undefined;
  if (!builtin) {
    attempt.say(name, `there is no step of tidemill's own named ${JSON.stringify(which)}`);
    return { kind: 'failed-to-start' };
  }
  const limit = attempt.limitFor(step.timeout);
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
    limit.clear();
    await Promise.all(lines);
  }
}

async function writeResult(attempt: Attempt, name: string, value: string): Promise<void> {
  if (!attempt.layout.task.results?.some((result) => result.name === name)) throw new Error(`the Task declares no result "${name}"`);
  await writeFile(join(attempt.layout.folders.tekton, 'results', name), value);
}
