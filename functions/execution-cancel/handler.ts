// Somebody, or a newer push, wants an execution to end: its TaskRuns are cancelled and it is closed.
import { closed, isTerminal, runningTaskRuns } from '../../shared/decisions/execution.ts';
import { taskRunNames } from '../../shared/decisions/taskruns.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { cancelAll, finishedEvent } from '../../shared/host/start-stage.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import type { functions } from '../graph.ts';

export const handle: Handler<(typeof functions)['execution-cancel']> = async (event, { objects, runner, now }) => {
  const { namespace, execution: name, by, reason } = event.data;
  const execution = await objects.get('Execution', { namespace, name });
  if (!execution || isTerminal(execution.status)) return {};
  const status = closed(execution.status ?? { phase: 'Pending' }, 'Cancelled', now(), `Cancelled${by ? ` by ${by}` : ''}: ${reason}`.slice(0, 4096));
  await cancelAll(execution, startedOrStarting(execution), runner, reason);
  return { status: { ...execution, status }, outputs: [finishedEvent(execution, status)] };
};

/** Those that run, and those of a first stage that another handler may be starting at this moment. */
function startedOrStarting(execution: Obj<'Execution'>): string[] {
  const { status, metadata } = execution;
  return status?.phase === 'Queued' ? taskRunNames(metadata.name, status, 0) : runningTaskRuns(status);
}
