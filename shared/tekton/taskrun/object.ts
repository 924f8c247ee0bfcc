// A TaskRun as the API server gives it, and as the Runner port does.
import type { Obj, OwnerReference } from '../../objects/kinds.ts';
import type { Metadata } from '../../objects/meta.ts';
import type { TaskRunSpec, TaskRunStatus } from '../../objects/taskrun.ts';
import { TEKTON_API_VERSION } from '../../objects/taskrun.ts';
import type { Ref } from '../../ports/objects.ts';

export interface RawTaskRun {
  metadata: Metadata & { ownerReferences?: OwnerReference[]; deletionTimestamp?: string };
  spec: TaskRunSpec;
  status?: TaskRunStatus;
}

export function taskRunPath(namespace?: string, name?: string): string {
  const inNamespace = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `/apis/${TEKTON_API_VERSION}${inNamespace}/taskruns${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

export function pathOf({ namespace, name }: Ref): string {
  return taskRunPath(namespace, name);
}

/** Without what only the API server keeps in metadata. */
export function taskRunOf({ metadata, spec, status }: RawTaskRun): Obj<'TaskRun'> {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, labels, annotations } = metadata;
  return {
    apiVersion: TEKTON_API_VERSION,
    kind: 'TaskRun',
    metadata: { name, namespace, uid, resourceVersion, generation, creationTimestamp, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec,
    ...(status && { status }),
  };
}
