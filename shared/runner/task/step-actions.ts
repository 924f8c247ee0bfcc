// A step that refers to a StepAction becomes the StepAction's own fields, with the params that the step passes to it.
import { applyStep } from './apply.ts';
import { checkStepAction } from './check.ts';
import { InvalidValue, paramReplacements, paramType, replaceInValue } from './params.ts';
import type { Param, ParamSpec, References, Step, StepAction, Task } from './spec.ts';
import { type Replacements, spellings, wholeReference } from './substitute.ts';

/** A reference that leads nowhere; ends the run as TaskRunResolutionFailed. */
export class Unresolved extends Error {
  override name = 'Unresolved';
}

/** The Task with every `ref` resolved. Throws Unresolved, InvalidValue. */
export async function resolveStepActions(task: Task, params: Replacements, references: References): Promise<Task> {
  if (!task.steps.some((step) => step.ref)) return task;
  const steps = await Promise.all(
    task.steps.map(async (step) => {
      if (!step.ref) return step;
      const action = await references.stepAction(step.ref.name);
      if (!action) throw new Unresolved(`there is no StepAction named "${step.ref.name}", which step "${step.name ?? ''}" refers to`);
      return resolveStep(step, action, params);
    }),
  );
  return { ...task, steps };
}

function resolveStep(step: Step, action: StepAction, taskParams: Replacements): Step {
  checkStepAction(action, `StepAction "${step.ref?.name ?? ''}"`);
  const specs = action.params ?? [];
  const given = (step.params ?? []).map((param) => ({ ...param, value: replaceInValue(param.value, taskParams) }));
  checkGiven(step, specs, given);
  const later = given.filter((param) => refersToStepResult(param));
  const known = paramReplacements(
    specs,
    given.filter((param) => !later.includes(param)),
  );
  const by = { ...known, strings: new Map([...known.strings, ...later.flatMap((param) => stepResultNames(param, specs))]) };
  const { description: _description, params: _params, ...fields } = action;
  const own = applyStep(fields, by);
  const { ref: _ref, params: _given, ...rest } = step;
  return { ...rest, ...own };
}

function checkGiven(step: Step, specs: readonly ParamSpec[], given: readonly Param[]): void {
  const declared = new Set(specs.map((spec) => spec.name));
  const extra = given.filter((param) => !declared.has(param.name));
  if (extra.length)
    throw new InvalidValue(`step "${step.name ?? ''}" passes params that its StepAction does not declare: ${extra.map((p) => p.name).join(', ')}`);
  const missing = specs.filter((spec) => spec.default === undefined && !given.some((param) => param.name === spec.name));
  if (missing.length) throw new InvalidValue(`step "${step.name ?? ''}" passes no value for its StepAction's params ${missing.map((p) => p.name).join(', ')}`);
}

/** Known only when the earlier step has run. */
function refersToStepResult(param: Param): boolean {
  return typeof param.value === 'string' && param.value.startsWith('$(steps.') && wholeReference(param.value) !== undefined;
}

/** Variables of such a param stand for the same parts of the step result, which are replaced when the step begins. */
function stepResultNames(param: Param, specs: readonly ParamSpec[]): [string, string][] {
  const reference = wholeReference(param.value as string)!;
  const spec = specs.find((each) => each.name === param.name)!;
  const type = paramType(spec);
  if (type === 'object') return Object.keys(spec.properties ?? {}).map((key) => [`params.${param.name}.${key}`, `$(${reference}.${key})`]);
  if (type === 'string') return spellings('params', param.name).map((name) => [name, param.value as string]);
  const indexes = Array.from({ length: 64 }, (_, index) => `[${index}]`);
  return spellings('params', param.name).flatMap((name) => ['[*]', ...indexes].map((part): [string, string] => [`${name}${part}`, `$(${reference}${part})`]));
}
