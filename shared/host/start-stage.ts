// Starts a stage of an execution, or closes the execution with the reason why it cannot be started.
import { closed, failureOf, stageStarted } from '../decisions/execution.ts';
import { stageTaskRuns, taskRunNames } from '../decisions/taskruns.ts';
import type { Output } from '../events/event.ts';
import type { Obj, StatusOf } from '../objects/kinds.ts';
import { InvalidTaskRun, NotPrepared, type Runner } from '../ports/runner.ts';
import { type Common, NotYet } from './contract.ts';

type Status = StatusOf<'Execution'>;
type Chain = { chainid: string; traceparent?: string };

type Starting = Pick<Common, 'now' | 'attempt'> & { runner: Runner };

/** A namespace that is not prepared is looked at so often, for a quarter of a minute in all. */
const PREPARED_BY = 7;
const FIRST_LOOK_MS = 200;

/** The status after every TaskRun of the stage was started. Starting again what was started is success. */
export async function startStage(execution: Obj<'Execution'>, status: Status, index: number, deps: Starting, chain: Chain): Promise<Status> {
  const taskRuns = stageTaskRuns(execution, status, index, chain);
  try {
    for (const taskRun of taskRuns) await deps.runner.start(taskRun);
  } catch (error) {
    if (!(error instanceof InvalidTaskRun)) throw error;
    // Whoever prepares the namespace may be at it; and where the namespace is another installation's, that one starts it meanwhile.
    if (error instanceof NotPrepared && deps.attempt < PREPARED_BY) throw new NotYet(error.message, FIRST_LOOK_MS * 2 ** (deps.attempt - 1));
    if (error instanceof NotPrepared) return closed(status, 'Failed', deps.now(), error.message);
    await cancelAll(
      execution,
      taskRuns.map((taskRun) => taskRun.metadata.name),
      deps.runner,
      'another step of the stage cannot be run',
    );
    return closed(status, 'Failed', deps.now(), error.message);
  }
  return stageStarted(
    status,
    index,
    taskRuns.map((taskRun) => taskRun.metadata.name),
    deps.now(),
  );
}

export async function cancelAll(execution: Obj<'Execution'>, taskRuns: string[], runner: Runner, reason: string): Promise<void> {
  const { namespace } = execution.metadata;
  await Promise.all(taskRuns.map((name) => runner.cancel({ namespace, name }, reason)));
}

/**
 * Whoever starts a stage starts its TaskRuns before it writes so, and may find then that the execution was closed in between:
 * what it started runs for nobody, and is ended. A stage that was not started is left alone.
 */
export async function endLeftovers(execution: Obj<'Execution'>, index: number, runner: Runner): Promise<void> {
  if (execution.status?.phase !== 'Cancelled' && execution.status?.phase !== 'Failed') return;
  try {
    await cancelAll(execution, taskRunNames(execution.metadata.name, execution.status, index), runner, 'the execution was closed while this was being started');
  } catch (error) {
    // Where we may start nothing, there is nothing of ours to end.
    if (!(error instanceof NotPrepared)) throw error;
  }
}

/** What is told when an execution has become terminal. */
export function finishedEvent(execution: Obj<'Execution'>, status: Status): Output<'dev.tidemill.execution.finished.v1'> {
  const reason = status.message ?? failureOf(status);
  return {
    type: 'dev.tidemill.execution.finished.v1',
    subject: execution.metadata.name,
    data: {
      namespace: execution.metadata.namespace,
      project: execution.spec.project,
      execution: execution.metadata.name,
      lane: execution.spec.lane,
      number: execution.spec.number,
      outcome: status.phase as 'Succeeded' | 'Failed' | 'Cancelled',
      ...(reason && { reason: reason.slice(0, 4096) }),
    },
  };
}

function startedEvent(execution: Obj<'Execution'>, status: Status): Output<'dev.tidemill.execution.started.v1'> {
  const { namespace, name } = execution.metadata;
  const { project, number, ref } = execution.spec;
  return { type: 'dev.tidemill.execution.started.v1', subject: name, data: { namespace, project, execution: name, number, sha: status.sha!, ref } };
}

/** The first stage of an execution that has its definition and its slot: its new status, and what is told. */
export async function beginExecution(
  execution: Obj<'Execution'>,
  queued: Status,
  deps: Starting,
  chain: Chain,
): Promise<{ status: Obj; outputs: Output<'dev.tidemill.execution.started.v1' | 'dev.tidemill.execution.finished.v1'>[] }> {
  const status = await startStage(execution, queued, 0, deps, chain);
  const told = status.phase === 'Running' ? startedEvent(execution, status) : finishedEvent(execution, status);
  return { status: { ...execution, status }, outputs: [told] };
}
