// The port that runs work: the same Tekton TaskRun in, the same events, results and logs out.
// Adapters: shared/runner (local). Contract: test/contracts/runner.ts
import type { TidemillEvent } from '../events/event.ts';
import type { NewObj, Obj } from '../objects/kinds.ts';
import type { Ref } from './objects.ts';

/** Step name of lines that the runner itself writes. */
export const RUNNER_STEP = 'runner';

export interface LogLine {
  /** Counts the lines of one TaskRun from 1; ask for those after the last that you have. */
  seq: number;
  step: string;
  stream: 'stdout' | 'stderr';
  /** RFC 3339. */
  time: string;
  /** Without the line's end. Secrets of the run are masked as ***. */
  text: string;
}

export interface Runner {
  /** Durable when it resolves. A TaskRun of this name is there already: that is success. Throws InvalidTaskRun. */
  start(taskRun: NewObj<'TaskRun'>): Promise<void>;
  get(ref: Ref): Promise<Obj<'TaskRun'> | undefined>;
  /** Asks for its end and resolves when that is recorded; the whole process group ends. Nothing there, or ended already: success. */
  cancel(ref: Ref, reason: string): Promise<void>;
  /** Lines in order; with `follow` until the TaskRun has ended. */
  logs(ref: Ref, options?: { after?: number; step?: string; follow?: boolean; signal?: AbortSignal }): AsyncIterable<LogLine>;
  /** Starts nothing more; what runs is ended and goes on, or is started anew, at the next start. */
  stop(grace_ms: number): Promise<void>;
}

/** Where a runner tells what happened, in Tekton's own events (dev.tekton.event.taskrun.*.v1). */
export type TaskRunSink = (event: TidemillEvent) => Promise<void>;

/** Not a TaskRun that can be run here: says which field, and why. */
export class InvalidTaskRun extends Error {
  override name = 'InvalidTaskRun';
}

/** TaskRuns in that namespace are none of this installation's: says what changes that, which somebody may be about to do. */
export class NotPrepared extends InvalidTaskRun {
  override name = 'NotPrepared';
}
