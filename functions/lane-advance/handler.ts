// An execution finished: it leaves its lane, and whoever has a slot now is told so.
import { leaveLane } from '../../shared/decisions/lane.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { modifyStatus } from '../../shared/host/modify.ts';
import type { functions } from '../graph.ts';

export const handle: Handler<(typeof functions)['lane-advance']> = async (event, { objects }) => {
  const { namespace, project, execution, lane: name } = event.data;
  if (!(await objects.get('Lane', { namespace, name }))) return {};
  const lane = await modifyStatus(objects, 'Lane', { namespace, name }, ({ status }) => status && leaveLane(status, execution));
  // All that hold a slot are told, not only the one that got it now: a redelivery cannot know which that was,
  // and whoever has started already does nothing.
  const holders = lane.status?.running ?? [];
  return {
    outputs: holders.map((entry) => ({
      type: 'dev.tidemill.execution.admitted.v1',
      subject: entry.execution,
      data: { namespace, project, execution: entry.execution },
    })),
  };
};
