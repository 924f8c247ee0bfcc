// Variables that can never be replaced are refused before anything runs, as Tekton's admission does.
import { InvalidTaskRun } from '../../ports/runner.ts';
import { textsOf } from './apply.ts';
import { paramType } from './params.ts';
import type { Param, ParamSpec, Step, Task } from './spec.ts';
import { wholeReference } from './substitute.ts';

const CONTEXT = /\$\(context\.(taskRun|task)(?:\.([^)[\]]*)|\["([^"\]]*)"\]|\['([^'\]]*)'\])\)/g;
const KNOWN: Record<string, readonly string[]> = { taskRun: ['name', 'namespace', 'uid'], task: ['name', 'retry-count'] };
const RESULT = /\$\((step\.)?results(?:\.([^)[\]]*?)|\["([^"\]]*)"\]|\['([^'\]]*)'\])(?:\.path)?\)/g;
const STEP_RESULT = /\$\(steps\.[^)]*\.results\.[^)]*\)/;

const PARAM = /\$\(params(?:\.([^)[\]]+)|\["([^"\]]+)"\]|\['([^'\]]+)'\])(\[(?:\d+|\*)\])?\)/g;

/** Throws InvalidTaskRun. `given`: what the run gives, which a Task within it may name without declaring it; undefined where a Task stands alone. */
export function checkVariables(task: Task, where: string, given: readonly Param[]): void {
  const params = new Map(given.map(({ name, value }): [string, ParamSpec] => [name, { name, default: value }]));
  for (const spec of task.params ?? []) params.set(spec.name, { ...params.get(spec.name), ...spec });
  const arrays = (task.params ?? []).filter((param) => paramType(param) === 'array').map((param) => param.name);
  const names = new Set((task.results ?? []).map((result) => result.name));
  task.steps.forEach((step, index) => {
    const at = `${where}.steps[${index}]`;
    for (const text of [...textsOf(step), step.onError ?? '']) {
      checkContext(text, at);
      checkParamNames(text, params, at);
    }
    checkArrays(step, arrays, at);
    for (const [whole = '', own, ...spelled] of (step.script ?? '').matchAll(RESULT)) {
      const name = spelled.find((each) => each !== undefined)!;
      const known = own ? (step.results ?? []).some((result) => result.name === name) : names.has(name);
      if (!known) throw new InvalidTaskRun(`${at}.script: ${whole} names a result that is not declared`);
    }
    for (const [field, text] of [
      ['script', step.script],
      ['image', step.image],
      ['workingDir', step.workingDir],
    ] as const) {
      if (text && STEP_RESULT.test(text)) throw new InvalidTaskRun(`${at}.${field}: results of other steps can only be used in env, command, args and when`);
    }
  });
}

function checkContext(text: string, at: string): void {
  for (const [whole, family = '', ...spelled] of text.matchAll(CONTEXT)) {
    const name = spelled.find((each) => each !== undefined)!;
    if (!KNOWN[family]!.includes(name))
      throw new InvalidTaskRun(
        `${at}: ${whole} is no variable of Tekton's; there are ${KNOWN[family]!.map((each) => `$(context.${family}.${each})`).join(', ')}`,
      );
  }
}

function checkParamNames(text: string, params: ReadonlyMap<string, ParamSpec>, at: string): void {
  for (const [whole, dotted, double, single] of text.matchAll(PARAM)) {
    const [name = '', key, ...more] = dotted === undefined ? [double ?? single] : dotted.split('.');
    const spec = params.get(name);
    if (!spec || more.length) {
      const hint = dotted?.includes('.') && params.has(dotted) ? `; a name with dots is written $(params["${dotted}"])` : '';
      throw new InvalidTaskRun(`${at}: ${whole} names a param that is not declared${hint}`);
    }
    if (paramType(spec) !== 'object') continue;
    const known = [...Object.keys(spec.properties ?? {}), ...Object.keys(typeof spec.default === 'object' ? spec.default : {})];
    if (key === undefined) throw new InvalidTaskRun(`${at}: ${whole} is a whole object; name one of its keys, such as $(params.${name}.${known[0] ?? 'key'})`);
    if (!known.includes(key)) throw new InvalidTaskRun(`${at}: ${whole} names a key that is not declared`);
  }
}

/** A whole array has a place only where it is an argument by itself. */
function checkArrays(step: Step, arrays: readonly string[], at: string): void {
  for (const name of arrays) {
    const forms = [
      `$(params.${name})`,
      `$(params.${name}[*])`,
      `$(params["${name}"])`,
      `$(params["${name}"][*])`,
      `$(params['${name}'])`,
      `$(params['${name}'][*])`,
    ];
    const uses = (text: string | undefined) => text !== undefined && forms.some((form) => text.includes(form));
    for (const [list, parts] of [
      ['command', step.command],
      ['args', step.args],
    ] as const) {
      const mixed = parts?.find((part) => uses(part) && wholeReference(part) === undefined);
      if (mixed !== undefined) throw new InvalidTaskRun(`${at}.${list}: the array "${name}" must stand alone in its argument, not in ${JSON.stringify(mixed)}`);
    }
    const { command: _command, args: _args, ...rest } = step;
    const elsewhere = textsOf(rest).find(uses);
    if (elsewhere !== undefined)
      throw new InvalidTaskRun(
        `${at}: the array "${name}" can only be used whole in command and args; elsewhere name an element, such as $(params.${name}[0])`,
      );
  }
}
