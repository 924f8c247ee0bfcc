// TaskRuns of ours that ended: told in Tekton's own events, once each, whether Tekton itself tells of them or not.
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { isDone } from '../../../shared/objects/taskrun.ts';
import type { Duties } from '../deps.ts';
import type { Duty } from '../follow/duty.ts';
import { createRecent } from '../follow/recent.ts';

const REMEMBERED = 10_000;
/** What ended so long ago was told, unless its execution is still open. */
const OLD_MS = 600_000;

/** `isOpen`: whether an execution, by namespace/name, has not ended. What ended before the watch began is told for those alone. */
export function endedTaskRuns({ broker, taskRunEnd, now }: Duties, isOpen: (execution: string) => boolean): Duty<'TaskRun'> {
  const told = createRecent(REMEMBERED);
  return {
    name: 'ended',
    due: ({ metadata, status }, { first }) => {
      const execution = metadata.labels?.[LABEL.execution];
      if (!execution || !isDone(status) || told.has(metadata.uid)) return undefined;
      const isOld = Date.parse(status?.completionTime ?? '') < Date.parse(now()) - OLD_MS;
      return (first || isOld) && !isOpen(`${metadata.namespace}/${execution}`) ? undefined : 0;
    },
    act: async (taskRun: Obj<'TaskRun'>) => {
      const event = taskRunEnd(taskRun);
      if (event) await broker.publish([event]);
      told.add(taskRun.metadata.uid);
    },
  };
}
