// An Execution as the API shows it: spec and status on one level.
import { z } from 'zod';
import { executionSpec, executionStatus } from '../../../shared/objects/execution.ts';
import { name, namespace, timestamp } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';

const fields = { name, namespace, createdAt: timestamp, ...executionSpec.shape, ...executionStatus.omit({ conditions: true, outbox: true }).shape };

export const executionView = z.object(fields);
/** In lists: without the frozen definition, which can be large. */
export const executionSummary = executionView.omit({ definition: true, definedBy: true });

export type ExecutionView = z.infer<typeof executionView>;
export type ExecutionSummary = z.infer<typeof executionSummary>;

export function viewExecution(execution: Obj<'Execution'>): z.input<typeof executionView> {
  const { metadata, spec, status } = execution;
  return { phase: 'Pending', ...spec, ...status, name: metadata.name, namespace: metadata.namespace, createdAt: metadata.creationTimestamp };
}

export function isTerminal(phase: ExecutionView['phase'] | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Cancelled';
}
