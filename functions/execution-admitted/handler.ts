// The lane has a slot for an execution: start its first stage, if its source is known by now.
import type { Handler } from '../../shared/host/contract.ts';
import { beginExecution } from '../../shared/host/start-stage.ts';
import type { functions } from '../graph.ts';

export const handle: Handler<(typeof functions)['execution-admitted']> = async (event, deps) => {
  const { namespace, execution: name } = event.data;
  const execution = await deps.objects.get('Execution', { namespace, name });
  // Not resolved yet: artifact-resolved looks at the lane after it has written, and starts it then.
  if (execution?.status?.phase !== 'Queued') return {};
  return beginExecution(execution, execution.status, deps, event);
};
