// Execution: one run of a project's pipeline at one commit, with the definition frozen into it.
import { z } from 'zod';
import { trigger } from '../events/types.ts';
import { gitRef, gitSha, name, reason, text, timestamp } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { conditions, outbox, VALID } from './meta.ts';
import { stages } from './pipeline.ts';
import { siteSpec } from './project.ts';

export const executionPhase = z.enum(['Pending', 'Queued', 'Running', 'Succeeded', 'Failed', 'Cancelled']);
export const stepPhase = z.enum(['Waiting', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Cancelled']);

export const executionSpec = strictObject(() => ({
  project: name.describe('Name of the Project that it runs for.'),
  lane: name.describe('Name of the Lane that it counts in.'),
  number: z.int().positive().describe("The lane's number for it: higher is newer."),
  ref: gitRef.describe('What was asked for: a full ref name, a short one, or a SHA.'),
  sha: gitSha.optional().describe('Commit, where it was known when the run was asked for, as it is for a push. Else see status.sha.'),
  trigger: trigger.describe('What asked for it: a person, a webhook, a look at the repository, a clock, or tidemill itself by rule.'),
  by: text(128).optional().describe('Who asked for it, where that is known.'),
  push: name.optional().describe('Name of the Push that caused it.'),
  rerunOf: name.optional().describe('Name of the Execution whose commit and definition are run again.'),
  outdated: reason
    .optional()
    .describe('Why its commit was already behind its branch when it was opened. It is built all the same, but not released by itself.'),
  source: name.describe('Name of the git Artifact that it runs at.'),
})).describe('What runs, and why. It cannot change.');

const started = timestamp.optional().describe('When it started.');
const ended = timestamp.optional().describe('When it ended.');

const stepStatus = object(() => ({
  name: text(63).describe('Name of the step in the definition.'),
  phase: stepPhase.describe('How far it is. Skipped: a stage before it failed.'),
  taskRun: name.optional().describe('Name of the TaskRun that does its work.'),
  started,
  ended,
  message: reason.optional().describe('Why it failed, and what to do.'),
  artifact: name.optional().describe('Name of the Artifact that came of it.'),
}));

const stageStatus = object(() => ({
  name: text(63).describe('Name of the stage in the definition.'),
  phase: stepPhase.describe('How far it is: what its steps come to together.'),
  started,
  ended,
  steps: z.array(stepStatus).max(50).describe('Its steps, which run side by side.'),
}));

export const executionStatus = object(() => ({
  outbox,
  phase: executionPhase.describe(
    'Pending: the commit is being found out. Queued: waits for its lane. Running. Succeeded, Failed or Cancelled: it ended, and stays as it ended.',
  ),
  message: reason.optional().describe('Why it is in this phase, where that is not plain: what failed, and what to do.'),
  conditions: conditions.describe(`Succeeded: present once it has ended; True is good, and stays. ${VALID}`),
  sha: gitSha.optional().describe('Commit that it runs at.'),
  subject: z.string().max(512).optional().describe('First line of the commit message.'),
  commitTime: timestamp.optional().describe("The committer's time."),
  definition: stages.optional().describe('The stages as they were when the commit was found out. What is changed afterwards concerns later runs.'),
  definedBy: text(512).optional().describe('Where the stages came from: the project, the repository, or what was found in it.'),
  site: siteSpec.optional().describe('How the site that comes of it is to be served.'),
  stages: z.array(stageStatus).max(50).optional().describe('How far each stage is, in order.'),
  artifact: name.optional().describe('Name of the site Artifact that came of it.'),
  started,
  ended,
})).describe('How far it is, and what came of it.');

export type StepStatus = z.infer<typeof stepStatus>;
export type StageStatus = z.infer<typeof stageStatus>;
