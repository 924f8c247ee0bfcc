// What the engine is given and what it tells: one TaskRun in, its status out. It knows no database and no events.
import type { LogLine } from '../../ports/runner.ts';
import type { Builtins } from '../builtin.ts';
import type { Isolation } from '../isolation/isolation.ts';
import type { ProcessRecord } from './process.ts';
import type { References, RunSpec, Task } from '../task/spec.ts';
import type { TaskRunStatus } from '../../objects/taskrun.ts';

export interface EngineRun {
  name: string;
  namespace: string;
  uid: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Name of the Task, or '' when it stands in the TaskRun itself. */
  taskName: string;
  /** Checked by check.ts, with taskRef resolved. */
  task: Task;
  spec: RunSpec;
  /** Attempts that failed before, where the run is begun anew. */
  retriesStatus?: TaskRunStatus[];
}

/** Why a run is ended from outside. "stopped": the runner goes, and the run is begun anew when it comes back. */
export type Ending = { kind: 'cancelled'; message: string } | { kind: 'stopped' };

export interface EngineOptions {
  isolation: Isolation;
  references: References;
  builtins: Builtins;
  /** Made, used and removed by the run. */
  folder: string;
  /** Folders of this machine that stand for workspaces, whatever their binding says. */
  given: ReadonlyMap<string, string>;
  /** The environment of this process: PATH and the like are taken from it. */
  env: NodeJS.ProcessEnv;
  /** Set in every process of the run, so that all it started can be found. */
  marker: { name: string; value: string };
  /** Folders that outlive the run and are mounted below HOME, by their name there. For isolations that have no home folder of their own. */
  caches: ReadonlyMap<string, string>;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  grace_ms: number;
  now: () => string;
  /** Its reason is an Ending. */
  signal: AbortSignal;
  /** A new status; the last one is also what the run resolves with. */
  onStatus(status: TaskRunStatus): void;
  onLine(line: Omit<LogLine, 'seq'>): Promise<void> | void;
  /** Called before a process does anything: it must have been written down on return. */
  record(process: ProcessRecord): void;
}
