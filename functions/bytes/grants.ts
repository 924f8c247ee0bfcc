// What a TaskRun may have: what the steps of our own ask for that its execution was frozen with, while they run. Nothing that the request says counts. Pure.
import type { SpecOf } from '../../shared/objects/kinds.ts';
import type { TaskSpec } from '../../shared/objects/taskrun.ts';
import { STEP_IMAGE } from '../../shared/runner/builtin.ts';
import { type SourceInput, sourceInput } from '../../shared/steps/source.ts';
import type { Asker } from './identity.ts';
import { Refusal } from './refusal.ts';

export interface Grants {
  source?: SourceInput;
  output?: true;
}

/** Throws Refusal where somebody else in the pod could show the token. */
export function grantsOf({ taskSpec, holders, ended }: Pick<Asker, 'taskSpec' | 'holders' | 'ended'>): Grants {
  const own = ownSteps(taskSpec);
  for (const holder of holders)
    if (!own.some(({ container }) => container === holder)) throw new Refusal(403, `the container ${holder} has a token that is for tidemill's own steps`);
  const running = own.filter(({ container }) => holders.has(container) && !ended.has(container));
  const source = running.map(({ args }) => (args[0] === 'source' ? sourceOf(args[1]) : undefined)).find((input) => input !== undefined);
  const output = running.some(({ args }) => args[0] === 'output');
  return { ...(source && { source }), ...(output && { output }) };
}

/** A credential is given for the repository that the project names it for, and for no other that a Task may name. */
export function checkCredential(source: SourceInput, known: readonly (Pick<SpecOf<'Project'>['source'], 'url' | 'credential'> | undefined)[]): void {
  if (known.some((each) => each?.url === source.url && each.credential === source.credential)) return;
  throw new Refusal(403, 'the project does not name this credential for this repository; was its source changed meanwhile? Run the execution again');
}

/** Tekton's names for their containers. */
function ownSteps({ steps }: TaskSpec): { container: string; args: string[] }[] {
  return steps.flatMap(({ name, image, args = [] }, index) => (image === STEP_IMAGE ? [{ container: `step-${name ?? `unnamed-${index}`}`, args }] : []));
}

/** Of one that a Task wrote itself, with variables in it, nothing is known here. */
function sourceOf(json: string | undefined): SourceInput | undefined {
  try {
    const checked = sourceInput.safeParse(JSON.parse(json ?? ''));
    return checked.success ? checked.data : undefined;
  } catch {
    return undefined; // no JSON: the step itself says so
  }
}
