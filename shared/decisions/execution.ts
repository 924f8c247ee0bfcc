// How an execution moves from stage to stage. Pure: states in, states out.
import { withCondition } from './conditions.ts';
import type { SpecOf, StatusOf } from '../objects/kinds.ts';
import type { StageStatus, StepStatus } from '../objects/execution.ts';
import type { Condition } from '../objects/meta.ts';
import type { Stage } from '../objects/pipeline.ts';

type Status = StatusOf<'Execution'>;
/** As the schema has it; a longer sentence would make the whole status invalid. */
const MAX_MESSAGE = 4096;

export type Finished = 'Succeeded' | 'Failed' | 'Cancelled';

export function isTerminal(status: Status | undefined): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed' || status?.phase === 'Cancelled';
}

export interface Definition {
  stages: Stage[];
  /** Where it came from, for people. */
  definedBy: string;
  site?: Status['site'];
}

/** The definition is known and frozen: all its steps wait. */
export function defined(status: Status, { stages, definedBy, site }: Definition): Status {
  return {
    ...status,
    phase: 'Queued',
    definition: stages,
    definedBy,
    ...(site && { site }),
    stages: stages.map((stage) => ({ name: stage.name, phase: 'Waiting', steps: stage.steps.map((step) => ({ name: step.name, phase: 'Waiting' })) })),
  };
}

/** The stage at `index` was started: one TaskRun for each of its steps, in order. */
export function stageStarted(status: Status, index: number, taskRuns: string[], now: string): Status {
  const started = editStage(status, index, (stage) => ({
    ...stage,
    phase: 'Running',
    started: now,
    steps: stage.steps.map((step, i) => ({ ...step, phase: 'Running', started: now, taskRun: taskRuns[i]! })),
  }));
  return { ...started, phase: 'Running', started: status.started ?? now };
}

export interface StepEnd {
  taskRun: string;
  phase: 'Succeeded' | 'Failed' | 'Cancelled';
  message?: string;
  artifact?: string;
  started?: string;
  ended: string;
}

/** One step's TaskRun ended. Telling it again, or when the execution is closed already, changes nothing. */
export function stepEnded(status: Status, end: StepEnd): Status {
  const { taskRun, ...state } = end;
  const isIt = (step: StepStatus) => step.taskRun === taskRun && step.phase === 'Running';
  const at = status.stages?.findIndex((stage) => stage.steps.some(isIt)) ?? -1;
  if (at < 0) return status;
  return editStage(status, at, (stage) => {
    const steps = stage.steps.map((step) => (isIt(step) ? { ...step, ...state } : step));
    const phase = stagePhase(steps);
    return { ...stage, steps, phase, ...(phase !== 'Running' && { ended: lastEnd(steps, end.ended) }) };
  });
}

/** The latest end of all: the same in whatever order they were told. */
function lastEnd(steps: StepStatus[], known: string): string {
  return steps.reduce((last, { ended }) => (ended && Date.parse(ended) > Date.parse(last) ? ended : last), known);
}

/** What has to be done next: a stage to start, the whole to close, or nothing but to wait. */
export function next(status: Status): { start: number } | { close: Finished } | 'wait' {
  const stages = status.stages ?? [];
  const failed = stages.find((stage) => stage.phase === 'Failed' || stage.phase === 'Cancelled');
  if (failed) return { close: failed.phase as Finished };
  if (stages.some((stage) => stage.phase === 'Running')) return 'wait';
  const waiting = stages.findIndex((stage) => stage.phase === 'Waiting');
  return waiting < 0 ? { close: 'Succeeded' } : { start: waiting };
}

/** Terminal: what had not begun is skipped, what still ran is cancelled. */
export function closed(status: Status, phase: Finished, now: string, message?: string): Status {
  const stages = status.stages?.map((stage): StageStatus => {
    const steps = stage.steps.map((step): StepStatus => {
      if (step.phase === 'Waiting') return { ...step, phase: 'Skipped' };
      return step.phase === 'Running' ? { ...step, phase: 'Cancelled', ended: now } : step;
    });
    if (stage.phase === 'Waiting') return { ...stage, steps, phase: 'Skipped' };
    return stage.phase === 'Running' ? { ...stage, steps, phase: 'Cancelled', ended: now } : { ...stage, steps };
  });
  const said = message?.slice(0, MAX_MESSAGE);
  const succeeded: Condition = { type: 'Succeeded', status: phase === 'Succeeded' ? 'True' : 'False', reason: phase, lastTransitionTime: now };
  return {
    ...status,
    ...(stages && { stages }),
    phase,
    ended: now,
    ...(said && { message: said }),
    conditions: withCondition(status.conditions, { ...succeeded, ...(said && { message: said }) }) ?? status.conditions,
  };
}

/** The last site that a step left, which is what is released. */
export function siteOf(status: Status): string | undefined {
  return status.stages?.flatMap((stage) => stage.steps).findLast((step) => step.artifact)?.artifact;
}

/** The sentence for the execution: the first step that failed, and why. */
export function failureOf(status: Status): string | undefined {
  for (const stage of status.stages ?? []) {
    const step = stage.steps.find((s) => s.phase === 'Failed' || s.phase === 'Cancelled');
    if (step) return `Step ${stage.name}/${step.name} ${step.phase === 'Failed' ? 'failed' : 'was cancelled'}${step.message ? `: ${step.message}` : ''}`;
  }
  return undefined;
}

/** TaskRuns that this execution started and that have not ended. */
export function runningTaskRuns(status: Status | undefined): string[] {
  return (status?.stages ?? []).flatMap((stage) => stage.steps.flatMap((step) => (step.phase === 'Running' && step.taskRun ? [step.taskRun] : [])));
}

/** Whether what it builds is released by itself, and if not, why. */
export function autoRelease(project: SpecOf<'Project'>, ref: string, environment: string): { release: boolean; reason?: string } {
  if (project.release?.auto === false) return { release: false, reason: 'the project does not release by itself (release.auto)' };
  if (!ref.startsWith('refs/heads/')) return { release: false, reason: 'only branches are released by themselves; deploy a tag or a commit by its version' };
  if (environment !== 'production' && project.release?.previews === false)
    return { release: false, reason: 'the project makes no previews (release.previews)' };
  return { release: true };
}

function stagePhase(steps: StepStatus[]): StageStatus['phase'] {
  if (steps.some((step) => step.phase === 'Running' || step.phase === 'Waiting')) return 'Running';
  if (steps.some((step) => step.phase === 'Failed')) return 'Failed';
  return steps.some((step) => step.phase === 'Cancelled') ? 'Cancelled' : 'Succeeded';
}

function editStage(status: Status, index: number, edit: (stage: StageStatus) => StageStatus): Status {
  return { ...status, stages: (status.stages ?? []).map((stage, i) => (i === index ? edit(stage) : stage)) };
}
