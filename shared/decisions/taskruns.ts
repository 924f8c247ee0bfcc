// The TaskRuns of a stage: one for each step, named by derivation, labelled so that their end finds its execution.
import type { NewObj, Obj, StatusOf } from '../objects/kinds.ts';
import type { Step } from '../objects/pipeline.ts';
import { LABEL } from '../objects/meta.ts';
import { taskRunName } from './names.ts';

/** Annotations that carry a chain through a TaskRun. */
export const CHAIN = { id: 'tidemill.dev/chainid', trace: 'tidemill.dev/traceparent' } as const;

/** How long a step may take when neither it nor its project says. */
const DEFAULT_TIMEOUT = '1h';

/** Throws when the execution has no such stage: its definition is frozen before anything starts. */
export function stageTaskRuns(execution: Obj<'Execution'>, status: StatusOf<'Execution'>, index: number, chain: { chainid: string; traceparent?: string }): NewObj<'TaskRun'>[] {
  const stage = status.definition?.[index];
  if (!stage) throw new Error(`Execution ${execution.metadata.name} has no stage ${index}`);
  return stage.steps.map((step) => taskRunOf(execution, stage.name, step, chain));
}

function taskRunOf(execution: Obj<'Execution'>, stage: string, step: Step, chain: { chainid: string; traceparent?: string }): NewObj<'TaskRun'> {
  const { name, namespace } = execution.metadata;
  return {
    kind: 'TaskRun',
    metadata: {
      name: taskRunName(name, stage, step.name),
      namespace,
      labels: { [LABEL.project]: execution.spec.project, [LABEL.execution]: name, [LABEL.stage]: stage, [LABEL.step]: step.name },
      annotations: { [CHAIN.id]: chain.chainid, ...(chain.traceparent && { [CHAIN.trace]: chain.traceparent }) },
    },
    spec: {
      taskSpec: step.taskSpec,
      ...(step.params && { params: step.params }),
      workspaces: [{ name: 'source', emptyDir: {} }],
      timeout: step.timeout ?? DEFAULT_TIMEOUT,
      ...(step.retries !== undefined && { retries: step.retries }),
    },
  };
}
