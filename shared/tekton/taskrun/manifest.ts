// A TaskRun as it is sent to the API server: our own images replaced, and what every build of ours is run with.
import { randomBytes } from 'node:crypto';
import type { NewObj, OwnerReference } from '../../objects/kinds.ts';
import { LABEL } from '../../objects/meta.ts';
import { TEKTON_API_VERSION } from '../../objects/taskrun.ts';
import { NODE_IMAGE } from '../../runner/builtin.ts';
import { type TaskRunDefaults, withDefaults } from './defaults.ts';
import { withBuildImage } from './images.ts';
import { type OwnSteps, withOwnSteps } from './own-steps.ts';

export interface ManifestOptions {
  /** For steps with the image tidemill.dev/step:v1. Absent: such steps are refused. */
  own?: OwnSteps;
  /** What tidemill.dev/node:24 stands for. Default docker.io/library/node:24. */
  buildImage?: string;
  /** For TaskRuns of executions; those by hand are sent as they are. */
  defaults?: TaskRunDefaults;
}

export const BUILD_IMAGE = `docker.io/library/${NODE_IMAGE.slice(NODE_IMAGE.lastIndexOf('/') + 1)}`;

/** Throws InvalidTaskRun for what Tekton would take, and we do not. */
export function manifestOf({ metadata, spec }: NewObj<'TaskRun'>, owner: OwnerReference | undefined, options: ManifestOptions): object {
  const { name, namespace, labels, annotations } = metadata;
  const { own, buildImage = BUILD_IMAGE, defaults } = options;
  const isOfExecution = labels?.[LABEL.execution] !== undefined;
  const taskSpec = spec.taskSpec && withOwnSteps(withBuildImage(spec.taskSpec, buildImage), spec.workspaces ?? [], own, randomBytes(8).toString('hex'));
  const ready = { ...spec, ...(taskSpec && { taskSpec }) };
  return {
    apiVersion: TEKTON_API_VERSION,
    kind: 'TaskRun',
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }), ...(owner && { ownerReferences: [owner] }) },
    spec: isOfExecution && defaults ? withDefaults(ready, defaults) : ready,
  };
}
