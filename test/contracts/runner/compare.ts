// Compares what a runner made of a case with what a real Tekton makes of it.
import { isDeepStrictEqual } from 'node:util';
import { type TaskRunStatus, succeeded } from '../../../shared/objects/taskrun.ts';
import { RUNNER_STEP } from '../../../shared/ports/runner.ts';
import type { RunnerCase } from './case.ts';

/** What came of a case on one runner. */
export interface Outcome {
  status: TaskRunStatus | undefined;
  /** What each step printed. */
  lines: Record<string, string[]>;
}

/** What is not as it should be; empty when all is. */
export function differences(expected: RunnerCase, { status, lines }: Outcome): string[] {
  const condition = succeeded(status);
  const reason = expected.reason ?? 'Succeeded';
  const found: string[] = [];
  const differ = (what: string, want: unknown, got: unknown) => {
    if (!isDeepStrictEqual(want, got)) found.push(`${what}: wanted ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
  };
  if (expected.orReason === undefined || condition?.reason !== expected.orReason) {
    differ('reason', reason, condition?.reason);
    differ('status', reason === 'Succeeded' ? 'True' : 'False', condition?.status);
  }
  if (expected.message && !condition?.message?.includes(expected.message)) differ('message', expected.message, condition?.message);
  if (found.length) found.push(`message: ${condition?.message ?? ''}`, `steps: ${JSON.stringify(status?.steps)}`, `lines: ${JSON.stringify(lines)}`);
  if (expected.results) differ('results', expected.results, resultsOf(status));
  if (expected.steps) differ('steps', expected.steps, endsOf(status));
  if (expected.retries !== undefined) differ('retries', expected.retries, status?.retriesStatus?.length);
  for (const [step, wanted] of Object.entries(expected.lines ?? {})) {
    const missing = firstMissing(wanted, lines[step] ?? []);
    if (missing !== undefined) found.push(`lines of ${step}: ${JSON.stringify(missing)} is missing in ${JSON.stringify(lines[step])}`);
  }
  return found;
}

/** Where two runners did not do the same with a case: its end, results, how each step ended, and every line that each printed. */
export function unlike(each: RunnerCase, one: Outcome, other: Outcome): string[] {
  const both = (what: string, of: (outcome: Outcome) => unknown) => {
    const [a, b] = [of(one), of(other)];
    return isDeepStrictEqual(a, b) ? [] : [`${what}: ${JSON.stringify(a)} here, ${JSON.stringify(b)} there`];
  };
  return [
    ...(each.orReason === undefined ? both('condition', ({ status }) => [succeeded(status)?.status, succeeded(status)?.reason]) : []),
    ...both('results', ({ status }) => resultsOf(status)),
    ...both('types of results', ({ status }) => (status?.results ?? []).map((result) => [result.name, result.type])),
    ...both('steps', ({ status }) => (status?.steps ?? []).map((step) => step.name)),
    ...both('ends of steps', ({ status }) => endsOf(status)),
    ...both('attempts', ({ status }) => status?.retriesStatus?.length ?? 0),
    ...(each.ownLines ? [] : both('lines', (outcome) => printed(outcome))),
  ];
}

function resultsOf(status: TaskRunStatus | undefined): Record<string, unknown> {
  return Object.fromEntries((status?.results ?? []).map((result) => [result.name, result.value]));
}

function endsOf(status: TaskRunStatus | undefined): [number | undefined, string | undefined][] | undefined {
  return status?.steps?.map((step) => [step.terminated?.exitCode, step.terminationReason]);
}

/** Two streams of a step may come in either order; what a runner says of itself is its own. */
function printed({ lines }: Outcome): [string, string[]][] {
  const { [RUNNER_STEP]: _own, ...rest } = lines;
  return Object.entries(rest)
    .map(([step, texts]): [string, string[]] => [step, texts.toSorted()])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** A case with the words that stand for a runner's own: its namespace, its image, and a time that is too short for a long sleep but not for a start. */
export function caseFor(each: RunnerCase, { namespace, short, image }: { namespace: string; short: string; image: string }): RunnerCase {
  return JSON.parse(JSON.stringify(each).replaceAll('NAMESPACE', namespace).replaceAll('SHORT', short).replaceAll('IMAGE', image)) as RunnerCase;
}

function firstMissing(wanted: readonly string[], lines: readonly string[]): string | undefined {
  let from = 0;
  for (const line of wanted) {
    const at = lines.indexOf(line, from);
    if (at < 0) return line;
    from = at + 1;
  }
  return undefined;
}

/** The spec of a case's TaskRun, its steps and sidecars with this image. */
export function specOf({ task, run = {} }: RunnerCase, image: string): Record<string, unknown> {
  const withImage = (list: { ref?: object }[] | undefined) => list?.map((each) => (each.ref ? each : { image, ...each }));
  const { steps, sidecars, ...rest } = task as { steps: object[]; sidecars?: object[] };
  return { ...run, taskSpec: { ...rest, steps: withImage(steps), ...(sidecars && { sidecars: withImage(sidecars) }) } };
}
