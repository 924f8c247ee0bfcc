// Makes whole Tasks of a pipeline's steps: each begins with the commit's files and, where it has an output, ends with storing that. Pure.
// TaskRuns share no files with one another, so that they may run on different machines: each fetches the source for itself.
import { relativePath } from '../../objects/fields.ts';
import type { Stage, Step } from '../../objects/pipeline.ts';
import type { SpecOf } from '../../objects/kinds.ts';
import type { TaskSpec } from '../../objects/taskrun.ts';
import { STEP_IMAGE } from '../../runner/builtin.ts';

export const SOURCE_PATH = '$(workspaces.source.path)';

type TektonStep = TaskSpec['steps'][number];

/** What the step `output` tells of the site that it stored. */
const OUTPUT_RESULTS = {
  manifest: 'Digest of the list of its files',
  archive: 'Digest of its tar.gz',
  files: 'Number of its files',
  size: 'Bytes, all files together',
  packageVersion: 'Version in package.json, or nothing',
};

export interface Source {
  project: SpecOf<'Project'>;
  sha: string;
}

/** The stages with source and output steps, or a sentence on what is wrong with them. */
export function completeStages(stages: readonly Stage[], source: Source): { stages: Stage[] } | { error: string } {
  const complete: Stage[] = [];
  const withOutput = stages.flatMap((stage) => stage.steps.filter((step) => step.output !== undefined).map((step) => `${stage.name}/${step.name}`));
  if (withOutput.length > 1)
    return { error: `The steps ${withOutput.join(' and ')} both have an output, but an execution leaves one site; take "output" from all but one` };
  for (const stage of stages) {
    const steps: Step[] = [];
    for (const step of stage.steps) {
      const completed = completeStep(step, source);
      if ('error' in completed) return { error: `Step ${stage.name}/${step.name}: ${completed.error}` };
      steps.push(completed.step);
    }
    complete.push({ ...stage, steps });
  }
  return { stages: complete };
}

function completeStep(step: Step, source: Source): { step: Step } | { error: string } {
  const { taskSpec, output } = step;
  const unbound = taskSpec.workspaces?.find((workspace) => workspace.name !== 'source' && workspace['optional'] !== true);
  if (unbound) return { error: `the workspace "${unbound.name}" is bound to nothing; the only one here is "source", or declare it optional` };
  const taken = taskSpec.results?.find((result) => output !== undefined && Object.hasOwn(OUTPUT_RESULTS, result.name));
  if (taken) return { error: `the result "${taken.name}" is declared by the output; name yours otherwise` };
  if (typeof output === 'string' && (!relativePath.safeParse(output).success || output.includes('$(')))
    return { error: `output ${JSON.stringify(output)} must be a relative path without ".." and "$("` };
  const names = new Set(taskSpec.steps.map((one) => one.name));
  const steps = [sourceStep(source, freeName('source', names)), ...taskSpec.steps.map((one) => inSource(one, taskSpec))];
  if (output !== undefined) steps.push(outputStep(typeof output === 'string' ? { output } : {}, freeName('output', names)));
  return {
    step: {
      ...step,
      taskSpec: withWorkspace({ ...taskSpec, steps, ...(output !== undefined && { results: [...(taskSpec.results ?? []), ...outputResults()] }) }),
    },
  };
}

/** A step that names no working folder of its own works in the commit's files. One that refers to a StepAction may not name any. */
function inSource(step: TektonStep, taskSpec: TaskSpec): TektonStep {
  const template = taskSpec['stepTemplate'] as { workingDir?: unknown } | undefined;
  if (step.workingDir !== undefined || template?.workingDir !== undefined || step['ref'] !== undefined) return step;
  return { ...step, workingDir: SOURCE_PATH };
}

function withWorkspace(taskSpec: TaskSpec): TaskSpec {
  if (taskSpec.workspaces?.some((workspace) => workspace.name === 'source')) return taskSpec;
  return { ...taskSpec, workspaces: [...(taskSpec.workspaces ?? []), { name: 'source' }] };
}

function freeName(name: string, taken: ReadonlySet<string | undefined>): string {
  return taken.has(name) ? freeName(`tidemill-${name}`, taken) : name;
}

/** Puts the commit's files into the workspace `source`. */
export function sourceStep({ project, sha }: Source, name = 'source'): TektonStep {
  const { url, credential, submodules } = project.source;
  return { name, image: STEP_IMAGE, args: ['source', json({ url, sha, ...(credential && { credential }), ...(submodules && { submodules }) })] };
}

/** Stores what the build left as a site. `output` is below `directory`; absent, it is looked for. */
export function outputStep(input: { directory?: string; output?: string }, name = 'output'): TektonStep {
  return { name, image: STEP_IMAGE, args: ['output', json(input)] };
}

export function outputResults(): NonNullable<TaskSpec['results']> {
  return Object.entries(OUTPUT_RESULTS).map(([name, description]) => ({ name, type: 'string', description }));
}

/** JSON in which no "$" stands, so that nothing in it is taken for a variable of Tekton's, nor "$$" for one "$" by Kubernetes. */
function json(value: object): string {
  return JSON.stringify(value).replaceAll('$', String.raw`\u0024`);
}
