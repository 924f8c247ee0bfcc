// Lanes whose slots are held by executions that ended, or are gone: their end is told again, so that the next in line begins.
import { isTerminal } from '../../../shared/decisions/execution.ts';
import { finishedEvent } from '../../../shared/host/start-stage.ts';
import type { Output } from '../../../shared/events/event.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { LaneEntry } from '../../../shared/objects/lane.ts';
import { WATCH_LAG_MS } from '../../../shared/ports/objects.ts';
import type { Duties } from '../deps.ts';
import { doubled, type Duty } from '../follow/duty.ts';

type Lane = Obj<'Lane'>;

export function stuckLanes({ objects, ring, log, times: { stuck_ms } }: Duties): Duty<'Lane'> {
  // Heard of late, it has stood so long already.
  const unmoved_ms = Math.max(stuck_ms - WATCH_LAG_MS, stuck_ms / 2);
  return {
    name: 'stuck',
    due: ({ status }) => (status && status.running.length + status.waiting.length > 0 ? unmoved_ms : undefined),
    act: async (lane, times) => {
      const { namespace, name, uid, resourceVersion } = lane.metadata;
      for (const entry of [...lane.status!.running, ...lane.status!.waiting]) {
        const execution = await objects.get('Execution', { namespace, name: entry.execution });
        if (execution && !isTerminal(execution.status)) continue;
        log.info({ namespace, lane: name, execution: entry.execution }, 'an execution that ended still stands in its lane; its end is told again');
        await ring(execution ? finishedEvent(execution, execution.status!) : goneEvent(lane, entry), `lane-${uid}-${resourceVersion}-${times}`);
      }
      return doubled(stuck_ms, times + 1);
    },
  };
}

function goneEvent({ metadata, spec }: Lane, { execution, number }: LaneEntry): Output<'dev.tidemill.execution.finished.v1'> {
  const data = { namespace: metadata.namespace, project: spec.project, execution, lane: metadata.name, number };
  return { type: 'dev.tidemill.execution.finished.v1', subject: execution, data: { ...data, outcome: 'Cancelled', reason: 'the execution was deleted' } };
}
