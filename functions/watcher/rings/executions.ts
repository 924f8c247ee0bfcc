// Executions that do not move: what would move them is rung again, under another id each time. What is true is read first; the functions decide.
import { isTerminal, runningTaskRuns } from '../../../shared/decisions/execution.ts';
import { isAdmitted } from '../../../shared/decisions/lane.ts';
import { commitResolved } from '../../../shared/decisions/source/resolved.ts';
import type { Output } from '../../../shared/events/event.ts';
import { outputId } from '../../../shared/events/ids.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Duties } from '../deps.ts';
import { doubled, type Duty } from '../follow/duty.ts';

type Execution = Obj<'Execution'>;

export function stuckExecutions(duties: Duties): Duty<'Execution'> {
  const { stuck_ms } = duties.times;
  return {
    name: 'stuck',
    due: ({ status }) => (isTerminal(status) ? undefined : stuck_ms),
    act: async (execution, times) => {
      const { uid, resourceVersion } = execution.metadata;
      const key = `stuck-${uid}-${resourceVersion}-${times}`;
      const phase = execution.status?.phase ?? 'Pending';
      if (phase === 'Running') await ringRunning(execution, key, duties);
      else {
        const bell = phase === 'Queued' ? await admission(execution, duties) : await source(execution, duties);
        if (bell) await ringAgain(execution, bell, key, duties);
      }
      return doubled(stuck_ms, times + 1);
    },
  };
}

async function ringAgain({ metadata, status }: Execution, bell: Output, key: string, { ring, log }: Duties): Promise<void> {
  const { namespace, name } = metadata;
  log.info({ namespace, execution: name, phase: status?.phase ?? 'Pending', type: bell.type }, 'an execution does not move; what would move it is told again');
  await ring(bell, key);
}

/** What became of its source. Undefined: nothing yet, and that is rung for the Artifact. */
async function source({ metadata, spec }: Execution, { objects }: Duties): Promise<Output | undefined> {
  const { namespace, name } = metadata;
  const artifact = await objects.get('Artifact', { namespace, name: spec.source });
  const data = { namespace, project: spec.project, execution: name, artifact: spec.source };
  if (artifact?.status?.phase === 'Resolved') return commitResolved(data, artifact.status);
  const { phase, reason = 'its source could not be resolved' } = artifact?.status ?? {};
  if (phase === 'Invalid' || phase === 'Failed') return { type: 'dev.tidemill.artifact.failed.v1', subject: spec.source, data: { ...data, reason } };
  return undefined;
}

/** Undefined: it has no slot, and waits as it should. */
async function admission({ metadata, spec }: Execution, { objects }: Duties): Promise<Output | undefined> {
  const { namespace, name } = metadata;
  const lane = await objects.get('Lane', { namespace, name: spec.lane });
  if (!isAdmitted(lane?.status, name)) return undefined;
  return { type: 'dev.tidemill.execution.admitted.v1', subject: name, data: { namespace, project: spec.project, execution: name } };
}

/** TaskRuns that ended are told again; of one that somebody deleted nothing will ever be told, so the execution is asked to end. */
async function ringRunning(execution: Execution, key: string, duties: Duties): Promise<void> {
  const { namespace, name } = execution.metadata;
  for (const taskRun of runningTaskRuns(execution.status)) {
    const found = await duties.objects.get('TaskRun', { namespace, name: taskRun });
    const event = found && duties.taskRunEnd(found);
    if (event) {
      duties.log.info({ namespace, execution: name, taskRun }, 'the end of a TaskRun is not recorded; it is told again');
      await duties.broker.publish([{ ...event, id: outputId(event, event.type, key) }]);
    } else if (!found) {
      const data = { namespace, project: execution.spec.project, execution: name, reason: `its TaskRun ${taskRun} is gone: somebody deleted it` };
      await ringAgain(execution, { type: 'dev.tidemill.execution.cancel-requested.v1', subject: name, data }, key, duties);
      return;
    }
  }
}
