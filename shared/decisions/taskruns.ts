// The TaskRuns of a stage: one for each step, named by derivation, labelled so that their end finds its execution.
import { shortHash } from '../events/ids.ts';
import type { NewObj, Obj, StatusOf } from '../objects/kinds.ts';
import type { Step } from '../objects/pipeline.ts';
import { LABEL } from '../objects/meta.ts';
import { CACHE_ANNOTATION } from '../objects/taskrun.ts';
import { taskRunName } from './names.ts';

/** Annotations that carry a chain through a TaskRun. */
export const CHAIN = { id: 'tidemill.dev/chainid', trace: 'tidemill.dev/traceparent' } as const;

/** Annotation that tells which definition a TaskRun was started from. */
const DEFINITION = 'tidemill.dev/definition';

/** How long a step may take when neither it nor its project says. */
const DEFAULT_TIMEOUT = '1h';

/** Throws when the execution has no such stage: its definition is frozen before anything starts. */
export function stageTaskRuns(
  execution: Obj<'Execution'>,
  status: StatusOf<'Execution'>,
  index: number,
  chain: { chainid: string; traceparent?: string },
): NewObj<'TaskRun'>[] {
  const stage = status.definition?.[index];
  if (!stage) throw new Error(`Execution ${execution.metadata.name} has no stage ${index}`);
  const definition = shortHash(inOrder(status.definition));
  return stage.steps.map((step) => taskRunOf(execution, stage.name, step, { chain, definition }));
}

/** As JSON with its keys sorted: a store may give them back in another order. */
function inOrder(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

/** Why a TaskRun that is there already is not the one wanted, though it has its name; undefined: it is. */
export function whyOtherDefinition(there: Pick<Obj<'TaskRun'>, 'metadata'>, wanted: Pick<NewObj<'TaskRun'>, 'metadata'>): string | undefined {
  const [before, now] = [there, wanted].map(({ metadata }) => metadata.annotations?.[DEFINITION]);
  if (before === undefined || now === undefined || before === now) return undefined;
  return `TaskRun ${wanted.metadata.name} was started from another definition: the pipeline was changed while the execution was being started. Run it again`;
}

/** Where in the definition a TaskRun of this name belongs; undefined: nowhere. */
export function stageOf(execution: string, status: StatusOf<'Execution'>, taskRun: string): number | undefined {
  const at = status.definition?.findIndex((stage) => stage.steps.some((step) => taskRunName(execution, stage.name, step.name) === taskRun)) ?? -1;
  return at < 0 ? undefined : at;
}

/** Names of the TaskRuns of a stage, whether they were started or not; none where there is no such stage. */
export function taskRunNames(execution: string, status: StatusOf<'Execution'> | undefined, index: number): string[] {
  const stage = status?.definition?.[index];
  return stage ? stage.steps.map((step) => taskRunName(execution, stage.name, step.name)) : [];
}

interface Origin {
  chain: { chainid: string; traceparent?: string };
  definition: string;
}

function taskRunOf(execution: Obj<'Execution'>, stage: string, step: Step, { chain, definition }: Origin): NewObj<'TaskRun'> {
  const { name, namespace } = execution.metadata;
  return {
    kind: 'TaskRun',
    metadata: {
      name: taskRunName(name, stage, step.name),
      namespace,
      labels: { [LABEL.project]: execution.spec.project, [LABEL.execution]: name, [LABEL.stage]: stage, [LABEL.step]: step.name },
      // Deleted with its execution, where objects have owners.
      ownerReferences: [{ apiVersion: execution.apiVersion, kind: execution.kind, name, uid: execution.metadata.uid }],
      // Downloads of a project are its own: what one build brought in, no other project's build finds.
      annotations: {
        [CACHE_ANNOTATION]: execution.spec.project,
        [DEFINITION]: definition,
        [CHAIN.id]: chain.chainid,
        ...(chain.traceparent && { [CHAIN.trace]: chain.traceparent }),
      },
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
