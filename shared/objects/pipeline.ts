// Pipeline: stages in order; the steps of a stage run side by side, each as one Tekton TaskRun.
import { z } from 'zod';
import { duration, label, text } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { conditions, outbox, VALID } from './meta.ts';
import { paramValue, taskSpec } from './taskrun.ts';

export const step = strictObject(() => ({
  name: label.max(40).describe('Name of the step, unique within its stage.'),
  taskSpec: taskSpec.describe(
    "spec of the Tekton Task (v1) that does the work. Its workspace `source` holds the commit's files. What tidemill does not know is Tekton's to check.",
  ),
  params: z
    .array(
      z.strictObject({
        name: text(128).describe('Name of the parameter.'),
        value: paramValue.describe('Its value: a string, a list of strings, or an object of strings.'),
      }),
    )
    .max(100)
    .optional()
    .describe('Values for the parameters of the Task.'),
  timeout: duration.optional().describe('How long it may take, such as 10m.'),
  retries: z.int().min(0).max(10).optional().describe('How often a failed TaskRun is tried again. Default 0.'),
  output: z
    .union([text(1024), z.literal(true)])
    .optional()
    .describe("Folder that becomes the site of this execution, relative to the repository's root; true: the Task says in its results where it is."),
}));

export const stage = strictObject(() => ({
  name: label.max(40).describe('Name of the stage, unique within the definition.'),
  steps: z
    .array(step)
    .min(1)
    .max(50)
    .refine((steps) => new Set(steps.map((s) => s.name)).size === steps.length, 'step names must be unique within a stage')
    .describe('Steps of the stage, which run side by side, each as one TaskRun.'),
}));

export const stages = z
  .array(stage)
  .min(1)
  .max(50)
  .refine((all) => new Set(all.map((s) => s.name)).size === all.length, 'stage names must be unique')
  .describe('Stages, which run one after another: each when all steps of the one before it succeeded.');

export const pipelineSpec = strictObject(() => ({ stages })).describe('What a Project that takes this pipeline runs.');
export const pipelineStatus = object(() => ({
  conditions: conditions.describe(VALID),
  outbox,
})).describe('Whether it can be run.');

export type Stage = z.infer<typeof stage>;
export type Step = z.infer<typeof step>;
