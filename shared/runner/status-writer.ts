// Writes a TaskRun's status: few writes while it runs, and none lost at the end.
import type { Obj } from '../objects/kinds.ts';
import { LABEL } from '../objects/meta.ts';
import type { TaskRunStatus } from '../objects/taskrun.ts';
import { Conflict, NotFound, type Objects, type Ref } from '../ports/objects.ts';

/** Between two writes of a run that goes on. Milliseconds. */
const PACE = 300;

/** Changes the newest version, again when somebody wrote in between. Undefined: the TaskRun is gone. */
export async function changeTaskRun(
  objects: Objects,
  ref: Ref,
  change: (taskRun: Obj<'TaskRun'>) => Obj<'TaskRun'> | undefined,
  write: 'update' | 'updateStatus',
): Promise<Obj<'TaskRun'> | undefined> {
  for (;;) {
    const current = await objects.get('TaskRun', ref);
    const wanted = current && change(current);
    if (!wanted) return current;
    try {
      return await objects[write](wanted);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      if (!(error instanceof Conflict)) throw error;
    }
  }
}

export function writeStatus(objects: Objects, ref: Ref, status: TaskRunStatus): Promise<Obj<'TaskRun'> | undefined> {
  return changeTaskRun(objects, ref, (taskRun) => ({ ...taskRun, status }), 'updateStatus');
}

/** From then on a restart does not look at it any more. */
export async function removeActiveLabel(objects: Objects, ref: Ref): Promise<void> {
  const without = (taskRun: Obj<'TaskRun'>) => {
    const { [LABEL.active]: active, ...labels } = taskRun.metadata.labels ?? {};
    return active === undefined ? undefined : { ...taskRun, metadata: { ...taskRun.metadata, labels } };
  };
  await changeTaskRun(objects, ref, without, 'updateStatus');
}

export interface StatusWriter {
  /** Written soon, or not at all when a newer one comes first. */
  tell(status: TaskRunStatus): void;
  /** Nothing more is written when it resolves. */
  stop(): Promise<void>;
}

/** `failed` hears of a write that did not work: the next one, or the last, makes it good. */
export function createStatusWriter(write: (status: TaskRunStatus) => Promise<unknown>, failed: (error: Error) => void): StatusWriter {
  let latest: TaskRunStatus | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<unknown> = Promise.resolve();
  let written = 0;
  const flush = () => {
    timer = undefined;
    const status = latest;
    latest = undefined;
    written = Date.now();
    if (status) writing = writing.then(() => write(status)).catch(failed);
  };
  return {
    tell(status) {
      latest = status;
      timer ??= setTimeout(flush, Math.max(0, written + PACE - Date.now()));
    },
    async stop() {
      clearTimeout(timer);
      latest = undefined;
      await writing;
    },
  };
}
