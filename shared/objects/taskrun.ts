// Tekton's Task and TaskRun v1, as far as tidemill looks into them; Tekton itself, and the local runner, check the rest.
// https://tekton.dev/docs/pipelines/tasks/ and https://tekton.dev/docs/pipelines/taskruns/
import { z } from 'zod';
import { text, timestamp } from './fields.ts';
import { looseObject } from './lazily.ts';

export const TEKTON_API_VERSION = 'tekton.dev/v1';

/** A TaskRun whose downloads may be kept from one time to the next names the cache that it shares. */
export const CACHE_ANNOTATION = 'tidemill.dev/cache';

export const paramValue = z.union([z.string().max(65_536), z.array(z.string().max(65_536)).max(1000), z.record(z.string().max(256), z.string().max(65_536))]);

const called = looseObject(() => ({ name: text(128).describe('Its name.') }));

const tektonStep = looseObject(() => ({
  name: text(63).optional().describe('Name of the step, unique within the Task.'),
  image: z.string().max(1024).optional().describe('Image that it runs in.'),
  script: z.string().max(262_144).optional().describe('Script that it runs, by the interpreter of its first line, else by sh. In place of command.'),
  command: z.array(z.string()).max(1000).optional().describe('Program that it runs, with its first arguments.'),
  args: z.array(z.string()).max(1000).optional().describe('Arguments of command or script.'),
  env: z
    .array(z.looseObject({ name: text(256).describe('Name of the variable.') }))
    .max(1000)
    .optional()
    .describe('Environment variables, in the form that a container of a Pod has them.'),
  workingDir: z.string().max(4096).optional().describe('Folder that it runs in. Default: that of the image.'),
}));

/** spec of a Task, loose: what tidemill does not know is Tekton's to accept or refuse. */
export const taskSpec = looseObject(() => ({
  params: z.array(called).max(200).optional().describe('Parameters that it takes: name, type, description, default.'),
  steps: z.array(tektonStep).min(1).max(100).describe('Steps, which run one after another as containers of one Pod.'),
  results: z.array(called).max(200).optional().describe('Results that it leaves: name, type, description.'),
  workspaces: z.array(called).max(50).optional().describe('Workspaces that it uses. The one named "source" holds the files of the commit.'),
  volumes: z.array(called).max(50).optional().describe('Volumes that its steps mount, in the form that a Pod has them.'),
}));

export const taskRunSpec = looseObject(() => ({
  taskSpec: taskSpec.optional(),
  taskRef: z.looseObject({ name: text(253).optional() }).optional(),
  params: z
    .array(z.looseObject({ name: text(128), value: paramValue }))
    .max(500)
    .optional(),
  workspaces: z
    .array(z.looseObject({ name: text(128) }))
    .max(50)
    .optional(),
  timeout: z.string().max(32).optional(),
  retries: z.int().min(0).max(100).optional(),
  /** "TaskRunCancelled" asks for its end. */
  status: z.string().max(64).optional(),
  statusMessage: z.string().max(4096).optional(),
}));

const stepState = looseObject(() => ({
  name: z.string().max(63).optional(),
  container: z.string().max(128).optional(),
  imageID: z.string().max(1024).optional(),
  terminationReason: z.string().max(128).optional(),
  running: z.looseObject({ startedAt: timestamp.optional() }).optional(),
  waiting: z.looseObject({ reason: z.string().optional() }).optional(),
  terminated: z.looseObject({ exitCode: z.int(), reason: z.string().optional(), startedAt: timestamp.optional(), finishedAt: timestamp.optional() }).optional(),
}));

const taskRunResult = looseObject(() => ({ name: text(128), type: z.string().max(16).optional(), value: paramValue }));

export const taskRunStatus = looseObject(() => ({
  conditions: z
    .array(
      z.looseObject({
        /** Always "Succeeded": Unknown while it goes on, True or False when it ended. */
        type: text(64),
        status: z.enum(['True', 'False', 'Unknown']),
        reason: z.string().max(256).optional(),
        message: z.string().max(32_768).optional(),
        lastTransitionTime: timestamp.optional(),
      }),
    )
    .optional(),
  startTime: timestamp.optional(),
  completionTime: timestamp.optional(),
  podName: z.string().max(253).optional(),
  steps: z.array(stepState).optional(),
  results: z.array(taskRunResult).optional(),
  retriesStatus: z.array(z.looseObject({})).optional(),
}));

export type ParamValue = z.infer<typeof paramValue>;
export type TaskSpec = z.infer<typeof taskSpec>;
export type TaskRunSpec = z.infer<typeof taskRunSpec>;
export type TaskRunStatus = z.infer<typeof taskRunStatus>;
export type StepState = z.infer<typeof stepState>;
export type TaskRunResult = z.infer<typeof taskRunResult>;

/** The "Succeeded" condition of a TaskRun: undefined before the runner has looked at it. */
export function succeeded(status: TaskRunStatus | undefined) {
  return status?.conditions?.find((c) => c.type === 'Succeeded');
}

/** Whether the TaskRun ended, well or badly. */
export function isDone(status: TaskRunStatus | undefined): boolean {
  const state = succeeded(status)?.status;
  return state === 'True' || state === 'False';
}
