// Executions: one that is to end because an annotation says so.
import { isTerminal } from '../../../shared/decisions/execution.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Duties } from '../deps.ts';
import { doubled, type Duty } from '../follow/duty.ts';
import { createRecent } from '../follow/recent.ts';
import { annotation, ASK } from './annotations.ts';

const AGAIN_MS = 30_000;
const REMEMBERED = 1000;

/** `tidemill.dev/cancel: <reason>`. It is answered when the execution has ended, and asked again until then. */
export function cancelled({ ring }: Duties): Duty<'Execution'> {
  const told = createRecent(REMEMBERED);
  return {
    name: 'cancel',
    due: (execution) => {
      const reason = annotation(execution, ASK.cancel);
      const key = keyOf(execution, reason);
      if (!reason || isTerminal(execution.status)) return undefined;
      return told.has(key) ? AGAIN_MS : 0;
    },
    act: async (execution, times) => {
      const reason = annotation(execution, ASK.cancel)!;
      const { namespace, name } = execution.metadata;
      const data = { namespace, project: execution.spec.project, execution: name, reason };
      const key = keyOf(execution, reason);
      await ring({ type: 'dev.tidemill.execution.cancel-requested.v1', subject: name, data }, told.has(key) ? `${key}-again-${times}` : key);
      told.add(key);
      return doubled(AGAIN_MS, times);
    },
  };
}

function keyOf({ metadata }: Obj, reason: string | undefined): string {
  return `cancel-${metadata.uid}-${reason}`;
}
