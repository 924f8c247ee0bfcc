// The lane has a slot for an execution: start its first stage, if its source is known by now.
import { isTerminal } from '../../shared/decisions/execution.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { beginExecution, endLeftovers } from '../../shared/host/start-stage.ts';
import type { functions } from '../graph.ts';

export const handle: Handler<(typeof functions)['execution-admitted']> = async (event, deps) => {
  const { namespace, execution: name } = event.data;
  const execution = await deps.objects.get('Execution', { namespace, name });
  if (!execution) return {};
  if (isTerminal(execution.status)) await endLeftovers(execution, 0, deps.runner);
  // Not resolved yet: artifact-resolved looks at the lane after it has written, and starts it then.
  if (execution.status?.phase !== 'Queued') return {};
  return beginExecution(execution, execution.status, deps, event);
};
