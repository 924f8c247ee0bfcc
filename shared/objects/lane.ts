// Lane: one branch of one project; who runs, who waits, and the numbers that say which is newer.
import { z } from 'zod';
import { gitRef, gitSha, name, text, timestamp } from './fields.ts';
import { laneMode } from './project.ts';
import { outbox } from './meta.ts';

export const laneSpec = z.strictObject({
  project: name,
  ref: gitRef,
});

const laneEntry = z.object({
  execution: name,
  number: z.int().positive(),
  /** Why its commit was behind the branch already when it came in. */
  outdated: text(256).optional(),
});

export const laneStatus = z.object({
  outbox,
  /** As it stood in the project when the last execution was opened. */
  mode: laneMode,
  slots: z.int().min(1).max(100),
  /** Number of the newest execution. */
  last: z.int().nonnegative(),
  running: z.array(laneEntry).max(100),
  waiting: z.array(laneEntry).max(1000),
  /** SHA that the ref is at, as the newest push told; all zeros when it was deleted. */
  head: gitSha.optional(),
  headPushedAt: timestamp.optional(),
  /** The newest moves of the ref, oldest first. */
  recent: z.array(z.object({ before: gitSha, after: gitSha })).max(50),
});

export type LaneEntry = z.infer<typeof laneEntry>;
