// Lane: one branch of one project; who runs, who waits, and the numbers that say which is newer.
import { z } from 'zod';
import { gitRef, gitSha, name, text, timestamp } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { outbox } from './meta.ts';
import { laneMode } from './project.ts';

export const laneSpec = strictObject(() => ({
  project: name.describe('Name of the Project that it belongs to.'),
  ref: gitRef.describe('Ref that the first execution in it ran at. Branches have a lane each, the tags of a project share one, as do its commits.'),
})).describe('Whose lane it is. It cannot change.');

const laneEntry = object(() => ({
  execution: name.describe('Name of the Execution.'),
  number: z.int().positive().describe('Its number in the lane.'),
  outdated: text(256).optional().describe('Why its commit was behind the branch already when it came in.'),
}));

export const laneStatus = object(() => ({
  outbox,
  mode: laneMode.describe(
    'What happens to a push while an earlier one is being built, as the project had it when the last execution was opened. queue: it waits. ' +
      'supersede: it replaces the earlier one. parallel: both run.',
  ),
  slots: z.int().min(1).max(100).describe('How many executions may run side by side.'),
  last: z.int().nonnegative().describe('Number of the newest execution. It only goes up.'),
  running: z.array(laneEntry).max(100).describe('Executions that have a slot.'),
  waiting: z.array(laneEntry).max(1000).describe('Executions that wait for a slot, the next one first.'),
  head: gitSha.optional().describe('Commit that the ref is at, as the newest push told; all zeros when it was deleted.'),
  headPushedAt: timestamp.optional().describe('When that was pushed, where it is known.'),
  recent: z
    .array(z.object({ before: gitSha.describe('Commit that the ref was at.'), after: gitSha.describe('Commit that it was moved to.') }))
    .max(50)
    .describe('The newest moves of the ref, oldest first: a push that is told late is known by them.'),
})).describe('Who runs and who waits.');

export type LaneEntry = z.infer<typeof laneEntry>;
