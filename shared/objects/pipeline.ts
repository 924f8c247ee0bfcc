// Pipeline: stages in order; the steps of a stage run side by side, each as one Tekton TaskRun.
import { z } from 'zod';
import { duration, label, text } from './fields.ts';
import { conditions, outbox } from './meta.ts';
import { paramValue, taskSpec } from './taskrun.ts';

export const step = z.strictObject({
  name: label.max(40),
  /** The Tekton Task that does the work. Its workspace `source` holds the commit's files. */
  taskSpec,
  params: z
    .array(z.strictObject({ name: text(128), value: paramValue }))
    .max(100)
    .optional(),
  timeout: duration.optional(),
  /** So often a failed TaskRun is tried again. */
  retries: z.int().min(0).max(10).optional(),
  /** Folder in the workspace `source` that becomes the site of this execution, relative to the repository's root. */
  output: z.union([text(1024), z.literal(true)]).optional(),
});

export const stage = z.strictObject({
  name: label.max(40),
  steps: z
    .array(step)
    .min(1)
    .max(50)
    .refine((steps) => new Set(steps.map((s) => s.name)).size === steps.length, 'step names must be unique within a stage'),
});

export const stages = z
  .array(stage)
  .min(1)
  .max(50)
  .refine((all) => new Set(all.map((s) => s.name)).size === all.length, 'stage names must be unique');

export const pipelineSpec = z.strictObject({ stages });
export const pipelineStatus = z.object({ conditions, outbox });

export type Stage = z.infer<typeof stage>;
export type Step = z.infer<typeof step>;
