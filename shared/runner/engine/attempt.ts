// One attempt of a TaskRun: folders, sidecars, the steps in order, and how they ended.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepState, TaskRunResult } from '../../objects/taskrun.ts';
import { textsOf } from '../task/apply.ts';
import { parseDuration } from '../task/duration.ts';
import { RUNNER_STEP } from '../../ports/runner.ts';
import type { EngineOptions, EngineRun } from './engine.ts';
import type { EnvOptions } from './env.ts';
import { makeFolders, makeVolumes } from './folders.ts';
import { type Layout, NO_CONTAINER } from './layout.ts';
import type { Mask } from './lines.ts';
import { InvalidValue, checkIndexes } from '../task/params.ts';
import type { Running } from './process.ts';
import { NotAFile, writeFresh } from './files.ts';
import { RESULTS_LIMIT, type Written, messageSize, readWritten, stepResults, taskResults } from './results.ts';
import { startSidecars } from './sidecars.ts';
import { type Step, type Task, type WorkspaceBinding, stepName } from '../task/spec.ts';
import { type Limit, type StepEnd, preparedStep, runStep } from './step.ts';
import { Unresolved } from '../task/step-actions.ts';
import type { Replacements } from '../task/substitute.ts';
import { type RunContext, declared } from '../task/variables.ts';

export interface Attempt {
  run: EngineRun;
  options: EngineOptions;
  layout: Layout;
  params: Replacements;
  context: RunContext;
  mask: Mask;
  envOptions: EnvOptions;
  /** Ends when the TaskRun's time is up. */
  deadline: AbortSignal;
  /** Container whose network the steps share with their sidecars. */
  network?: string;
  /** A line of the runner's own about a step. */
  say(step: string, text: string): void;
  limitFor(timeout: string | undefined): Limit;
  /** Waits for the process, or ends it when it may run no longer. */
  untilEnd(running: Running, limit: Limit): Promise<StepEnd>;
  interruption(limit: Limit): StepEnd | undefined;
}

export interface AttemptSetup {
  task: Task;
  bindings: readonly WorkspaceBinding[];
  params: Replacements;
  context: RunContext;
  mask: Mask;
  envOptions: EnvOptions;
  deadline: AbortSignal;
}

export interface AttemptEnd {
  steps: StepState[];
  sidecars?: object[];
  results: TaskRunResult[];
  /** Index of the step that failed the attempt. */
  failed?: { step: string; exitCode: number; timedOut: boolean };
  /** What is wrong with the Task or what it refers to. */
  invalid?: { reason: 'TaskRunValidationFailed' | 'TaskRunResolutionFailed' | 'CreateContainerConfigError'; message: string };
}

/** `changed` hears of each change of the steps. */
export async function runAttempt(run: EngineRun, options: EngineOptions, setup: AttemptSetup, changed: (steps: StepState[]) => void): Promise<AttemptEnd> {
  const steps: StepState[] = setup.task.steps.map((step, index) => initialState(stepName(step, index)));
  const root = join(options.folder, `attempt-${setup.context.retryCount}`);
  try {
    checkWorkspaces(setup);
    checkIndexes([...setup.task.steps, ...(setup.task.sidecars ?? []), setup.task.stepTemplate ?? {}].flatMap(textsOf), setup.params);
    const folders = await makeFolders(root, setup.task);
    const volumes = await makeVolumes(folders, setup.task, setup.bindings, {
      ownPaths: options.isolation.ownPaths,
      references: options.references,
      given: options.given,
      mask: setup.mask.add,
    });
    const attempt = makeAttempt(run, options, setup, { folders, volumes, task: setup.task, bindings: setup.bindings });
    const sidecars = await startSidecars(attempt);
    let end: AttemptEnd;
    try {
      end = await runSteps(attempt, steps, changed);
    } finally {
      await sidecars.stop();
    }
    return { ...end, ...(sidecars.states().length && { sidecars: sidecars.states() }) };
  } catch (error) {
    if (error instanceof InvalidValue) return { steps: [], results: [], invalid: { reason: 'TaskRunValidationFailed', message: error.message } };
    if (error instanceof Unresolved) return { steps: [], results: [], invalid: { reason: 'TaskRunResolutionFailed', message: error.message } };
    throw error;
  }
}

/** Processes that are just ending may still be writing. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 40 });
}

function checkWorkspaces({ task, bindings }: AttemptSetup): void {
  const missing = declared(task, bindings).filter((workspace) => !workspace.bound && !workspace.optional);
  if (missing.length) throw new InvalidValue(`no binding was given for the workspace ${missing.map(({ name }) => `"${name}"`).join(', ')}`);
}

function makeAttempt(run: EngineRun, options: EngineOptions, setup: AttemptSetup, layout: Layout): Attempt {
  const { signal } = options;
  const attempt: Attempt = {
    run,
    options,
    layout,
    params: setup.params,
    context: setup.context,
    mask: setup.mask,
    envOptions: setup.envOptions,
    deadline: setup.deadline,
    say: (step, text) => void options.onLine({ step: step || RUNNER_STEP, stream: 'stderr', time: options.now(), text: setup.mask.apply(text) }),
    limitFor: (timeout) => limitFor(timeout),
    interruption(limit) {
      if (signal.aborted || setup.deadline.aborted) return { kind: 'interrupted' };
      return limit.signal.aborted ? { kind: 'timed-out' } : undefined;
    },
    async untilEnd(running, limit) {
      const outer = AbortSignal.any([signal, setup.deadline]);
      let kill: NodeJS.Timeout | undefined;
      const end = () => {
        running.signal('SIGTERM');
        kill = setTimeout(() => running.signal('SIGKILL'), options.grace_ms);
      };
      // A step's own timeout is not negotiable: Tekton kills it at once as well.
      const kick = () => running.signal('SIGKILL');
      onAbort(outer, end);
      onAbort(limit.signal, kick);
      const code = await running.exited;
      outer.removeEventListener('abort', end);
      limit.signal.removeEventListener('abort', kick);
      clearTimeout(kill);
      return attempt.interruption(limit) ?? { kind: 'exited', code };
    },
  };
  return attempt;
}

function onAbort(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then();
  else signal.addEventListener('abort', then, { once: true });
}

function limitFor(timeout: string | undefined): Limit {
  const controller = new AbortController();
  const ms = timeout ? parseDuration(timeout) : undefined;
  const timer = ms ? setTimeout(() => controller.abort(), ms) : undefined;
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

function initialState(name: string): StepState {
  return { name, container: `step-${name}`, waiting: { reason: 'PodInitializing' } };
}

async function runSteps(attempt: Attempt, steps: StepState[], changed: (steps: StepState[]) => void): Promise<AttemptEnd> {
  const { now } = attempt.options;
  const ofSteps = new Map<string, TaskRunResult[]>();
  let written: TaskRunResult[] = [];
  let failed: AttemptEnd['failed'];
  let halted = false;
  for (let index = 0; index < steps.length; index++) {
    const name = steps[index]!.name!;
    const startedAt = now();
    const end = halted
      ? undefined
      : await guarded(attempt, index, () => {
          steps[index] = { name, container: `step-${name}`, running: { startedAt: now() } };
          changed([...steps]);
        });
    if (end && 'invalid' in end) return { steps, results: written, ...end };
    if (end?.kind === 'interrupted') {
      steps[index] = state(name, startedAt, now(), { exitCode: 1, reason: 'Error' });
      return { steps, results: written };
    }
    const outcome = await settle(attempt, index, end, ofSteps);
    written = outcome.results;
    steps[index] = { ...state(name, startedAt, now(), outcome), ...(outcome.stepResults.length && { results: outcome.stepResults }) };
    changed([...steps]);
    halted ||= outcome.halts;
    if (outcome.fails && !failed)
      failed = {
        step: name,
        exitCode: outcome.reason === 'Error' && outcome.termination === 'Continued' ? 1 : outcome.exitCode,
        timedOut: end?.kind === 'timed-out',
      };
  }
  return { steps, results: written, ...(failed && { failed }) };
}

function state(
  name: string,
  startedAt: string,
  finishedAt: string,
  { exitCode, reason, termination }: { exitCode: number; reason: string; termination?: string },
): StepState {
  const terminated = { exitCode, reason, startedAt, finishedAt };
  // Tekton's entrypoint, which gives the reason, did not run there.
  if (reason === 'StartError') return { name, container: `step-${name}`, terminated };
  return { name, container: `step-${name}`, terminated, terminationReason: termination ?? reason };
}

type Invalid = { invalid: NonNullable<AttemptEnd['invalid']> };

/** A secret or config map that is not there is found out when the step is to begin, as on a cluster. */
async function guarded(attempt: Attempt, index: number, begun: () => void): Promise<StepEnd | Invalid> {
  try {
    return await runStep(attempt, index, begun);
  } catch (error) {
    if (error instanceof InvalidValue) return { invalid: { reason: 'CreateContainerConfigError', message: error.message } };
    throw error;
  }
}

interface Outcome {
  exitCode: number;
  reason: string;
  termination?: string;
  /** The steps after it are skipped. */
  halts: boolean;
  /** The attempt has failed. */
  fails: boolean;
  results: TaskRunResult[];
  stepResults: TaskRunResult[];
}

/** What the end of a step means; `end` is absent for a step that came after a failed one. */
async function settle(attempt: Attempt, index: number, end: StepEnd | undefined, ofSteps: Map<string, TaskRunResult[]>): Promise<Outcome> {
  const { task } = attempt.layout;
  const step = preparedStep(attempt, index, attempt.options.isolation.ownPaths);
  const name = stepName(step, index);
  const folder = join(attempt.layout.folders.tekton, 'steps', `step-${name}`);
  const verdict = judge(end, step.onError === 'continue');
  const read = await resultsAfter(attempt, step, folder, end !== undefined && end.kind !== 'skipped');
  ofSteps.set(name, read.ofStep);
  if (verdict.exitFile !== undefined) await writeFresh(folder, 'exitCode', verdict.exitFile);
  const known = { results: taskResults(task, read.ofTask, ofSteps), stepResults: read.ofStep };
  if (read.problem === undefined) return { ...known, ...verdict };
  attempt.say(name, read.problem);
  return { ...known, ...verdict, exitCode: verdict.exitCode || 1, reason: 'Error', fails: true };
}

/** Results that a step left, or why Tekton could not take them over. */
async function resultsAfter(
  attempt: Attempt,
  step: Step,
  folder: string,
  ran: boolean,
): Promise<{ ofTask: Written[]; ofStep: TaskRunResult[]; problem?: string }> {
  const { task, folders } = attempt.layout;
  try {
    const [ofTask, ofStep] = await Promise.all([
      readWritten(join(folders.tekton, 'results'), task.results ?? []),
      readWritten(join(folder, 'results'), step.results ?? []),
    ]);
    if (!ran || messageSize([...ofTask, ...ofStep]) <= RESULTS_LIMIT) return { ofTask, ofStep: stepResults(step.results ?? [], ofStep) };
    return {
      ofTask: [],
      ofStep: [],
      problem: `the results of this step take more than ${RESULTS_LIMIT} bytes, which is all that Tekton can hold: write them to a workspace instead`,
    };
  } catch (error) {
    if (!(error instanceof NotAFile)) throw error;
    return { ofTask: [], ofStep: [], ...(ran && { problem: `the result ${error.message}` }) };
  }
}

interface Verdict extends Pick<Outcome, 'exitCode' | 'reason' | 'termination' | 'halts' | 'fails'> {
  exitFile?: string;
}

/** Exit codes and reasons as Tekton's entrypoint gives them. */
function judge(end: StepEnd | undefined, goOn: boolean): Verdict {
  if (!end) return { exitCode: 1, reason: 'Error', termination: 'Skipped', halts: true, fails: false };
  if (end.kind === 'skipped') return { exitCode: 0, reason: 'Completed', termination: 'Skipped', halts: false, fails: false, exitFile: '0' };
  if (end.kind === 'timed-out') return { exitCode: 1, reason: 'Error', termination: 'TimeoutExceeded', halts: true, fails: true };
  if (end.kind === 'interrupted') return { exitCode: 1, reason: 'Error', halts: true, fails: true };
  if (end.kind === 'failed-to-start') return { exitCode: end.code, reason: end.code === NO_CONTAINER ? 'StartError' : 'Error', halts: true, fails: true };
  if (end.code === 0) return { exitCode: 0, reason: 'Completed', halts: false, fails: false, exitFile: '0' };
  if (goOn) return { exitCode: end.code, reason: 'Completed', termination: 'Continued', halts: false, fails: false, exitFile: String(end.code) };
  return { exitCode: end.code < 0 ? 255 : end.code, reason: 'Error', halts: true, fails: true };
}
