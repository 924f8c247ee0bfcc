// Execution: one run of a project's pipeline at one commit, with the definition frozen into it.
import { z } from 'zod';
import { trigger } from '../events/types.ts';
import { gitRef, gitSha, name, reason, text, timestamp } from './fields.ts';
import { conditions, outbox } from './meta.ts';
import { stages } from './pipeline.ts';
import { siteSpec } from './project.ts';

export const executionPhase = z.enum(['Pending', 'Queued', 'Running', 'Succeeded', 'Failed', 'Cancelled']);
export const stepPhase = z.enum(['Waiting', 'Running', 'Succeeded', 'Failed', 'Skipped', 'Cancelled']);

export const executionSpec = z.strictObject({
  project: name,
  lane: name,
  /** The lane's number for it: higher is newer. */
  number: z.int().positive(),
  /** What was asked for: a full ref name, a short one, or a SHA. */
  ref: gitRef,
  /** Known at once for a push, else found out when the source is resolved. */
  sha: gitSha.optional(),
  trigger,
  by: text(128).optional(),
  /** Name of the Push that caused it. */
  push: name.optional(),
  rerunOf: name.optional(),
  /** Why this commit was already behind its branch when the execution was opened: it is built, but not released by itself. */
  outdated: reason.optional(),
  /** Name of the source Artifact. */
  source: name,
});

const stepStatus = z.object({
  name: text(63),
  phase: stepPhase,
  taskRun: name.optional(),
  started: timestamp.optional(),
  ended: timestamp.optional(),
  message: reason.optional(),
  /** Artifact that came of it. */
  artifact: name.optional(),
});

const stageStatus = z.object({
  name: text(63),
  phase: stepPhase,
  started: timestamp.optional(),
  ended: timestamp.optional(),
  steps: z.array(stepStatus).max(50),
});

export const executionStatus = z.object({
  outbox,
  phase: executionPhase,
  /** Why it is in this phase, where that is not plain: what failed, and what to do. */
  message: reason.optional(),
  conditions,
  sha: gitSha.optional(),
  /** The commit's first line. */
  subject: z.string().max(512).optional(),
  commitTime: timestamp.optional(),
  /** The pipeline as it was when the source was resolved. */
  definition: stages.optional(),
  /** Where the definition came from, and what that means. */
  definedBy: text(512).optional(),
  /** How what comes of it is to be served. */
  site: siteSpec.optional(),
  stages: z.array(stageStatus).max(50).optional(),
  /** The site that came of it. */
  artifact: name.optional(),
  started: timestamp.optional(),
  ended: timestamp.optional(),
});

export type StepStatus = z.infer<typeof stepStatus>;
export type StageStatus = z.infer<typeof stageStatus>;
