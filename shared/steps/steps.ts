// tidemill's own steps by name, as a runner starts them: `source` brings a commit's files, `output` stores what a build left.
import type { Git } from '../ports/git.ts';
import type { Builtins } from '../runner/builtin.ts';
import { outputStep, type StepStorage } from './output.ts';
import { sourceStep } from './source.ts';

export function createSteps(ports: { git: Git; storage: StepStorage }): Builtins {
  return { source: sourceStep(ports.git), output: outputStep(ports.storage) };
}
