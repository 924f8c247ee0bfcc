// One TaskRun from its beginning to its end: attempts, retries, timeout, and the status in Tekton's own form.
import type { StepState, TaskRunStatus } from '../../objects/taskrun.ts';
import { InvalidTaskRun, RUNNER_STEP } from '../../ports/runner.ts';
import { applyBinding, applyContainer, applySidecar, applyStep, applyVolume } from '../task/apply.ts';
import { type AttemptEnd, removeFolder, runAttempt } from './attempt.ts';
import { checkIsolation, checkLabel } from '../task/check.ts';
import { parseDuration, printDuration } from '../task/duration.ts';
import type { EngineOptions, EngineRun, Ending } from './engine.ts';
import type { EnvOptions } from './env.ts';
import { type Mask, createMask } from './lines.ts';
import { InvalidValue, checkParams, paramReplacements } from '../task/params.ts';
import { checkResults } from './results.ts';
import { type Task, stepName } from '../task/spec.ts';
import { Unresolved, resolveStepActions } from '../task/step-actions.ts';
import type { Replacements } from '../task/substitute.ts';
import { TEKTON_PLACES, contextReplacements, placeReplacements, stepReplacements } from '../task/variables.ts';

/** Tekton's default-timeout-minutes. */
const DEFAULT_TIMEOUT = '1h';

/**
 * Resolves with the last status; one without a final condition means that the run was stopped and is to be begun anew.
 * What is left in `options.folder` is the caller's to remove: that can take seconds, and the end need not wait for it.
 */
export async function runTaskRun(run: EngineRun, options: EngineOptions): Promise<TaskRunStatus> {
  const mask = createMask();
  const retriesStatus: TaskRunStatus[] = [...(run.retriesStatus ?? [])];
  if (!options.isolation.usesImages) await options.onLine({ step: RUNNER_STEP, stream: 'stderr', time: options.now(), text: options.isolation.description });
  for (;;) {
    const status = await attemptOnce(run, options, mask, retriesStatus);
    const condition = status.conditions![0]!;
    const canRetry = condition.status === 'False' && condition.reason !== 'TaskRunCancelled' && retriesStatus.length < (run.spec.retries ?? 0);
    // What is wrong with the run itself is wrong the next time too.
    const began = status.steps?.some((step) => step.container !== undefined);
    if (!canRetry || !began) return status;
    const { retriesStatus: _earlier, ...failed } = status;
    retriesStatus.push(failed);
    await options.onLine({
      step: RUNNER_STEP,
      stream: 'stderr',
      time: options.now(),
      text: `attempt ${retriesStatus.length} failed (${condition.reason ?? ''}); trying again`,
    });
    options.onStatus(withCondition({ retriesStatus }, 'Unknown', 'ToBeRetried', condition.message ?? '', options.now()));
    await removeFolder(options.folder);
  }
}

async function attemptOnce(run: EngineRun, options: EngineOptions, mask: Mask, retriesStatus: TaskRunStatus[]): Promise<TaskRunStatus> {
  const startTime = options.now();
  const kept = retriesStatus.length ? { retriesStatus: [...retriesStatus] } : {};
  const timeout = run.spec.timeout ?? DEFAULT_TIMEOUT;
  const limit = parseDuration(timeout)!;
  const deadline = new AbortController();
  const timer = limit ? setTimeout(() => deadline.abort(), Math.min(limit, 2 ** 31 - 1)) : undefined;
  let shown: TaskRunStatus = { startTime, ...kept };
  const tell = (steps: StepState[]) =>
    options.onStatus(withCondition({ ...shown, steps }, 'Unknown', 'Running', 'Not all Steps in the Task have finished executing', options.now()));
  try {
    const prepared = await prepare(run, options, retriesStatus.length);
    if ('invalid' in prepared)
      return failed({ ...shown, ...neverBegun(run.task, prepared.invalid) }, prepared.invalid.reason, prepared.invalid.message, options.now());
    shown = { ...shown, taskSpec: prepared.shown };
    tell([]);
    const setup = { ...prepared, mask, deadline: deadline.signal, envOptions: envOptions(run, options, mask) };
    const end = await runAttempt(run, options, setup, tell);
    return conclude(run, options, prepared.task, shown, end, deadline.signal, timeout);
  } finally {
    clearTimeout(timer);
  }
}

/** Its steps by name alone, as Tekton shows those of a run that it found to be wrong. */
function neverBegun(task: Task, { reason }: NonNullable<AttemptEnd['invalid']>): Pick<TaskRunStatus, 'steps'> {
  return reason === 'TaskRunValidationFailed' ? { steps: task.steps.map((step, index) => ({ name: stepName(step, index) })) } : {};
}

function envOptions(run: EngineRun, options: EngineOptions, mask: Mask): EnvOptions {
  const labels = {
    ...run.labels,
    'app.kubernetes.io/managed-by': 'tekton-pipelines',
    'tekton.dev/taskRun': run.name,
    ...(run.taskName && { 'tekton.dev/task': run.taskName }),
  };
  const pod = { name: `${run.name}-pod`, namespace: run.namespace, labels, annotations: run.annotations };
  return { references: options.references, pod, mask: mask.add };
}

type Prepared = {
  task: Task;
  bindings: ReturnType<typeof applyBinding>[];
  params: Replacements;
  context: Parameters<typeof contextReplacements>[0];
  shown: Task;
};

/** Everything that can be known before the first step: params, StepActions, and the Task as status shows it. */
async function prepare(run: EngineRun, options: EngineOptions, retryCount: number): Promise<Prepared | Pick<Required<AttemptEnd>, 'invalid'>> {
  const { task: raw, spec } = run;
  try {
    checkParams(raw.params ?? [], spec.params ?? []);
    const params = paramReplacements(raw.params ?? [], spec.params ?? []);
    const resolved = await resolveStepActions(raw, params, options.references);
    checkIsolation(resolved, options.isolation, 'taskSpec');
    const task = {
      ...resolved,
      ...(resolved.volumes && { volumes: resolved.volumes.map((volume) => applyVolume(volume, params)) }),
      ...workspacesOf(resolved, params),
    };
    for (const [index, volume] of (task.volumes ?? []).entries()) checkLabel(volume.name, `taskSpec.volumes[${index}].name`);
    const bindings = (spec.workspaces ?? []).map((binding) => applyBinding(binding, params));
    const context = { taskRun: run.name, task: run.taskName, namespace: run.namespace, uid: run.uid, retryCount };
    const shown = shownTask(task, bindings, params, context);
    for (const [index, sidecar] of (shown.sidecars ?? []).entries()) checkLabel(sidecar.name, `taskSpec.sidecars[${index}].name`);
    return { task, bindings, params, context, shown };
  } catch (error) {
    if (error instanceof InvalidValue || error instanceof InvalidTaskRun) return { invalid: { reason: 'TaskRunValidationFailed', message: error.message } };
    if (error instanceof Unresolved) return { invalid: { reason: 'TaskRunResolutionFailed', message: error.message } };
    throw error;
  }
}

function workspacesOf(task: Task, params: Replacements): Pick<Task, 'workspaces'> {
  if (!task.workspaces) return {};
  return {
    workspaces: task.workspaces.map((workspace) =>
      workspace.mountPath ? { ...workspace, mountPath: applyContainer({ workingDir: workspace.mountPath }, params).workingDir } : workspace,
    ),
  };
}

/** The Task with all variables replaced as they would be in a pod. */
function shownTask(task: Task, bindings: Prepared['bindings'], params: Replacements, context: Prepared['context']): Task {
  const passes = [params, contextReplacements(context), ...placeReplacements(task, bindings, TEKTON_PLACES)];
  return {
    ...task,
    steps: task.steps.map((step, index) =>
      [...passes.slice(0, 2), stepReplacements(step, index, TEKTON_PLACES), ...passes.slice(2)].reduce((s, by) => applyStep(s, by), step),
    ),
    ...(task.sidecars && { sidecars: task.sidecars.map((sidecar) => passes.reduce((s, by) => applySidecar(s, by), sidecar)) }),
    ...(task.stepTemplate && { stepTemplate: passes.reduce((s, by) => applyContainer(s, by), task.stepTemplate) }),
  };
}

/** The final status; without a final condition when the run was only stopped. */
function conclude(
  run: EngineRun,
  options: EngineOptions,
  task: Task,
  shown: TaskRunStatus,
  end: AttemptEnd,
  deadline: AbortSignal,
  timeout: string,
): TaskRunStatus {
  const at = options.now();
  const status: TaskRunStatus = {
    ...shown,
    ...(end.invalid && !end.steps.length ? neverBegun(task, end.invalid) : { steps: end.steps }),
    ...(end.results.length && { results: end.results }),
    ...(end.sidecars && { sidecars: end.sidecars }),
  };
  const ending = options.signal.aborted ? (options.signal.reason as Ending) : undefined;
  if (ending?.kind === 'stopped') return withCondition(status, 'Unknown', 'Running', 'The runner was stopped; the run begins anew when it comes back', at);
  if (ending)
    return failed(terminated(status, 'TaskRunCancelled', at), 'TaskRunCancelled', `TaskRun "${run.name}" was cancelled. ${ending.message}`.trim(), at);
  if (deadline.aborted)
    return failed(
      terminated(status, 'TaskRunTimeout', at),
      'TaskRunTimeout',
      `TaskRun "${run.name}" failed to finish within "${printDuration(parseDuration(timeout)!)}"`,
      at,
    );
  if (end.invalid) return failed(status, end.invalid.reason, end.invalid.message, at);
  if (end.failed) return failed(status, 'StepFailed', failureMessage(end.failed), at);
  const { kept, problem } = checkResults(task.results ?? [], end.results);
  if (problem !== undefined) return failed({ ...status, results: kept }, 'TaskRunValidationFailed', problem, at);
  return { ...withCondition(status, 'True', 'Succeeded', 'All Steps have completed executing', at), completionTime: at };
}

function failureMessage({ step, exitCode, timedOut }: NonNullable<AttemptEnd['failed']>): string {
  return timedOut ? `"step-${step}" exited because the step exceeded the specified timeout limit` : `"step-${step}" exited with code ${exitCode}: Error`;
}

/** Steps that had not ended by themselves are shown as ended by what ended the run. */
function terminated(status: TaskRunStatus, reason: string, at: string): TaskRunStatus {
  const cut = (status.steps ?? []).findIndex((step) => !step.terminated || step.terminationReason === 'Error');
  const steps = (status.steps ?? []).map((step, index) => {
    if (cut < 0 || index < cut) return step;
    const startedAt = step.terminated?.startedAt ?? step.running?.startedAt;
    return {
      name: step.name,
      container: step.container,
      terminated: { exitCode: 1, reason, ...(startedAt && { startedAt }), finishedAt: at },
      terminationReason: reason,
    };
  });
  return { ...status, steps };
}

function failed(status: TaskRunStatus, reason: string, message: string, at: string): TaskRunStatus {
  return { ...withCondition(status, 'False', reason, message, at), completionTime: at };
}

/** The status with this as its Succeeded condition. `message` is cut to what a status may hold. */
export function withCondition(status: TaskRunStatus, state: 'True' | 'False' | 'Unknown', reason: string, message: string, at: string): TaskRunStatus {
  return { ...status, conditions: [{ type: 'Succeeded', status: state, reason, message: message.slice(0, 4096), lastTransitionTime: at }] };
}
