// A Runner port that runs nothing: its TaskRuns are real objects, and the test says how each ends. Records what it was asked.
import type { Kind, Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { isDone } from '../../shared/objects/taskrun.ts';
import { AlreadyExists, type Objects } from '../../shared/ports/objects.ts';
import type { Runner } from '../../shared/ports/runner.ts';

export interface Ending {
  reason?: string;
  message?: string;
  results?: Record<string, string>;
  at?: string;
}

export interface FakeRunner extends Runner {
  /** Every call as "start NAME" or "cancel NAME". */
  calls: string[];
  /** Runs at the beginning of the next starts: may throw, or do what somebody else does at that moment. */
  onStart: ((name: string) => Promise<void> | void) | undefined;
  /** Ends a TaskRun, well unless a reason is given. Gives it back as it is then. */
  finish(name: string, ending?: Ending): Promise<Obj<'TaskRun'>>;
  running(): Promise<string[]>;
}

const NAMESPACE = 'default';

export function createFakeRunner(objects: Objects): FakeRunner {
  const calls: string[] = [];
  const get = (name: string) => objects.get('TaskRun', { namespace: NAMESPACE, name });

  const end = async (name: string, { reason, message, results = {}, at = '2026-11-03T10:30:00Z' }: Ending = {}): Promise<Obj<'TaskRun'>> => {
    const taskRun = await get(name);
    if (!taskRun) throw new Error(`The TaskRun ${name} was never started`);
    const status: StatusOf<'TaskRun'> = {
      conditions: [{ type: 'Succeeded', status: reason ? 'False' : 'True', reason: reason ?? 'Succeeded', ...(message && { message }) }],
      startTime: '2026-11-03T10:00:00Z',
      completionTime: at,
      results: Object.entries(results).map(([key, value]) => ({ name: key, type: 'string', value })),
    };
    return objects.updateStatus({ ...taskRun, status });
  };

  const runner: FakeRunner = {
    calls,
    onStart: undefined,
    start: async (taskRun) => {
      calls.push(`start ${taskRun.metadata.name}`);
      await runner.onStart?.(taskRun.metadata.name);
      try {
        await objects.create(taskRun);
      } catch (error) {
        if (!(error instanceof AlreadyExists)) throw error;
      }
    },
    get: (ref) => objects.get('TaskRun', ref),
    cancel: async (ref, reason) => {
      calls.push(`cancel ${ref.name}`);
      const there = await get(ref.name);
      if (there && !isDone(there.status)) await end(ref.name, { reason: 'TaskRunCancelled', message: reason });
    },
    logs: async function* () {},
    stop: () => Promise.resolve(),
    finish: end,
    running: async () => {
      const kind: Kind = 'TaskRun';
      const { items } = await objects.list(kind, { namespace: NAMESPACE });
      return items.filter((item) => !isDone((item as Obj<'TaskRun'>).status)).map((item) => item.metadata.name);
    },
  };
  return runner;
}
