// The Task that a TaskRun runs here: the one in its own spec, for a server holds no Tasks by name.
import type { TaskRunSpec, TaskSpec } from '../../objects/taskrun.ts';
import { InvalidTaskRun } from '../../ports/runner.ts';

/** Throws InvalidTaskRun. */
export function taskOf(spec: TaskRunSpec): TaskSpec {
  if (spec.taskSpec) return spec.taskSpec;
  if (spec.taskRef) throw new InvalidTaskRun('spec.taskRef: the local runner holds no Tasks by name; put the Task itself in spec.taskSpec');
  throw new InvalidTaskRun('spec.taskSpec: is missing');
}
