// What a TaskRun that ended came to, in words for people. Pure.
import type { TaskRunStatus } from '../../shared/objects/taskrun.ts';
import { succeeded } from '../../shared/objects/taskrun.ts';

/** What Tekton says when the pod told it nothing. */
const UNSPECIFIED = 'build failed for unspecified reasons';
const POD_WAS_ENDED = 'its pod was ended from outside, as when it is evicted or its node goes away; with retries it would have been tried again';
const MAX_MESSAGE = 4096;

/** Why it failed: what Tekton says, and what that means where it does not say so. Undefined: it did not fail, or nothing is said. */
export function failureMessage(status: TaskRunStatus | undefined): string | undefined {
  const condition = succeeded(status);
  if (condition?.status !== 'False' || !condition.message) return undefined;
  const { message } = condition;
  return (podWasEnded(status) ? `${message.replace(/\.$/, '')}: ${POD_WAS_ENDED}` : message).slice(0, MAX_MESSAGE);
}

/** Steps that waited for their turn ended too, though nobody skipped them. */
function podWasEnded(status: TaskRunStatus | undefined): boolean {
  const { reason = '', message = '' } = succeeded(status) ?? {};
  if (message.startsWith(UNSPECIFIED)) return true;
  const ends = (status?.steps ?? []).flatMap(({ terminated, terminationReason }) => (terminated ? [{ ...terminated, terminationReason }] : []));
  return reason === 'StepFailed' && ends.some(({ exitCode, terminationReason }) => exitCode !== 0 && terminationReason === undefined);
}
