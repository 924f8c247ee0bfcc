// Variables that can never be replaced are refused before anything runs, as Tekton's admission does.
import { InvalidTaskRun } from '../../ports/runner.ts';
import { textsOf } from './apply.ts';
import { paramType } from './params.ts';
import type { Step, Task } from './spec.ts';
import { wholeReference } from './substitute.ts';

const CONTEXT = /\$\(context\.(taskRun|task)(?:\.([^)[\]]*)|\["([^"\]]*)"\]|\['([^'\]]*)'\])\)/g;
const KNOWN: Record<string, readonly string[]> = { taskRun: ['name', 'namespace', 'uid'], task: ['name', 'retry-count'] };
const RESULT = /\$\((step\.)?results(?:\.([^)[\]]*?)|\["([^"\]]*)"\]|\['([^'\]]*)'\])(?:\.path)?\)/g;
const STEP_RESULT = /\$\(steps\.[^)]*\.results\.[^)]*\)/;

/** Throws InvalidTaskRun. */
export function checkVariables(task: Task, where: string): void {
  const arrays = (task.params ?? []).filter((param) => paramType(param) === 'array').map((param) => param.name);
  const names = new Set((task.results ?? []).map((result) => result.name));
  task.steps.forEach((step, index) => {
    const at = `${where}.steps[${index}]`;
    for (const text of textsOf(step)) checkContext(text, at);
    checkArrays(step, arrays, at);
    for (const [whole, own, ...spelled] of (step.script ?? '').matchAll(RESULT)) {
      const name = spelled.find((each) => each !== undefined)!;
      const known = own ? (step.results ?? []).some((result) => result.name === name) : names.has(name);
      if (!known) throw new InvalidTaskRun(`${at}.script: ${whole} names a result that is not declared`);
    }
    for (const [field, text] of [['script', step.script], ['image', step.image], ['workingDir', step.workingDir]] as const) {
      if (text && STEP_RESULT.test(text)) throw new InvalidTaskRun(`${at}.${field}: results of other steps can only be used in env, command, args and when`);
    }
  });
}

function checkContext(text: string, at: string): void {
  for (const [whole, family, ...spelled] of text.matchAll(CONTEXT)) {
    const name = spelled.find((each) => each !== undefined)!;
    if (!KNOWN[family!]!.includes(name)) throw new InvalidTaskRun(`${at}: ${whole} is no variable of Tekton's; there are ${KNOWN[family!]!.map((each) => `$(context.${family}.${each})`).join(', ')}`);
  }
}

/** A whole array has a place only where it is an argument by itself. */
function checkArrays(step: Step, arrays: readonly string[], at: string): void {
  for (const name of arrays) {
    const forms = [`$(params.${name})`, `$(params.${name}[*])`, `$(params["${name}"])`, `$(params["${name}"][*])`, `$(params['${name}'])`, `$(params['${name}'][*])`];
    const uses = (text: string | undefined) => text !== undefined && forms.some((form) => text.includes(form));
    for (const [list, parts] of [['command', step.command], ['args', step.args]] as const) {
      const mixed = parts?.find((part) => uses(part) && wholeReference(part) === undefined);
      if (mixed !== undefined) throw new InvalidTaskRun(`${at}.${list}: the array "${name}" must stand alone in its argument, not in ${JSON.stringify(mixed)}`);
    }
    const { command: _command, args: _args, ...rest } = step;
    const elsewhere = textsOf(rest).find(uses);
    if (elsewhere !== undefined) throw new InvalidTaskRun(`${at}: the array "${name}" can only be used whole in command and args; elsewhere name an element, such as $(params.${name}[0])`);
  }
}
