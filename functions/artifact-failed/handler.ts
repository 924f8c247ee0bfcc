// A source could not be resolved: the execution that waited for it fails with that reason.
import { closed, isTerminal } from '../../shared/decisions/execution.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { finishedEvent } from '../../shared/host/start-stage.ts';
import type { functions } from '../graph.ts';

export const handle: Handler<(typeof functions)['artifact-failed']> = async (event, { objects, now }) => {
  const { namespace, execution: name, reason } = event.data;
  // Nothing waited for it.
  if (!name) return {};
  const execution = await objects.get('Execution', { namespace, name });
  if (!execution || isTerminal(execution.status)) return {};
  const status = closed(execution.status ?? { phase: 'Pending' }, 'Failed', now(), `The source could not be resolved: ${reason}`.slice(0, 4096));
  return { status: { ...execution, status }, outputs: [finishedEvent(execution, status)] };
};
