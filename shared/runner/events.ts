// Tekton's own TaskRun events, told by the local runner: the same data, with ids that are derived, so that telling again is telling the same.
import { rootId } from '../events/ids.ts';
import type { TidemillEvent } from '../events/event.ts';
import type { Obj } from '../objects/kinds.ts';
import { succeeded } from '../objects/taskrun.ts';

export const CHAIN_ANNOTATION = 'tidemill.dev/chainid';
export const TRACE_ANNOTATION = 'tidemill.dev/traceparent';

export type TaskRunState = 'queued' | 'running' | 'successful' | 'failed';

/** "successful" or "failed" for a TaskRun that ended. */
export function endState(taskRun: Obj<'TaskRun'>): 'successful' | 'failed' {
  return succeeded(taskRun.status)?.status === 'True' ? 'successful' : 'failed';
}

export function taskRunEvent(taskRun: Obj<'TaskRun'>, state: TaskRunState): TidemillEvent {
  const { name, namespace, uid, creationTimestamp, annotations } = taskRun.metadata;
  const { apiVersion, kind, metadata, spec, status } = taskRun;
  const traceparent = annotations?.[TRACE_ANNOTATION];
  const time = (state === 'queued' ? undefined : state === 'running' ? status?.startTime : status?.completionTime) ?? creationTimestamp;
  return {
    specversion: '1.0',
    id: rootId(Date.parse(creationTimestamp), 'taskrun', uid, state),
    source: `/apis///namespaces/${namespace}//${name}`,
    type: `dev.tekton.event.taskrun.${state}.v1`,
    subject: name,
    time,
    datacontenttype: 'application/json',
    chainid: annotations?.[CHAIN_ANNOTATION] ?? uid,
    ...(traceparent && { traceparent }),
    data: { taskRun: { apiVersion, kind, metadata, spec, ...(status && { status }) } },
  };
}
