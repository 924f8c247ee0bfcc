// The event that tells of a TaskRun's end, as Tekton would, made from the object: with a derived id, so that telling it again is telling the same.
import type { TidemillEvent } from '../../events/event.ts';
import type { Obj } from '../../objects/kinds.ts';
import { isDone } from '../../objects/taskrun.ts';
import { endState, taskRunEvent } from '../../runner/events.ts';

/**
 * dev.tekton.event.taskrun.successful|failed.v1; undefined while it goes on. It holds metadata and how it ended, and neither the Task nor what the
 * steps left: whoever handles it looks at the object, and an event has to fit into a broker's message.
 */
export function taskRunEnd(
  taskRun: Obj<'TaskRun'>,
): TidemillEvent<'dev.tekton.event.taskrun.successful.v1' | 'dev.tekton.event.taskrun.failed.v1'> | undefined {
  const { status } = taskRun;
  if (!isDone(status)) return undefined;
  const { conditions, startTime, completionTime } = status!;
  const event = taskRunEvent(taskRun, endState(taskRun));
  const { apiVersion, kind, metadata } = taskRun;
  const end = { conditions, ...(startTime && { startTime }), ...(completionTime && { completionTime }) };
  return { ...event, data: { taskRun: { apiVersion, kind, metadata, status: end } } } as ReturnType<typeof taskRunEnd>;
}
