// Compares what a runner made of a case with what a real Tekton makes of it.
import { isDeepStrictEqual } from 'node:util';
import { type TaskRunStatus, succeeded } from '../../../shared/objects/taskrun.ts';
import type { RunnerCase } from './case.ts';

/** What is not as it should be; empty when all is. `lines`: what each step printed. */
export function differences(each: RunnerCase, namespace: string, status: TaskRunStatus | undefined, lines: Record<string, string[]>): string[] {
  const expected = inNamespace(each, namespace);
  const condition = succeeded(status);
  const reason = expected.reason ?? 'Succeeded';
  const found: string[] = [];
  const differ = (what: string, want: unknown, got: unknown) => {
    if (!isDeepStrictEqual(want, got)) found.push(`${what}: wanted ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
  };
  differ('reason', reason, condition?.reason);
  differ('status', reason === 'Succeeded' ? 'True' : 'False', condition?.status);
  if (expected.message && !condition?.message?.includes(expected.message)) differ('message', expected.message, condition?.message);
  if (found.length) found.push(`message: ${condition?.message ?? ''}`, `steps: ${JSON.stringify(status?.steps)}`, `lines: ${JSON.stringify(lines)}`);
  if (expected.results) differ('results', expected.results, Object.fromEntries((status?.results ?? []).map((result) => [result.name, result.value])));
  if (expected.steps)
    differ(
      'steps',
      expected.steps,
      status?.steps?.map((step) => [step.terminated?.exitCode, step.terminationReason]),
    );
  if (expected.retries !== undefined) differ('retries', expected.retries, status?.retriesStatus?.length);
  for (const [step, wanted] of Object.entries(expected.lines ?? {})) {
    const missing = firstMissing(wanted, lines[step] ?? []);
    if (missing !== undefined) found.push(`lines of ${step}: ${JSON.stringify(missing)} is missing in ${JSON.stringify(lines[step])}`);
  }
  return found;
}

/** Cases call the namespace that they run in NAMESPACE. */
function inNamespace(each: RunnerCase, namespace: string): RunnerCase {
  return JSON.parse(JSON.stringify(each).replaceAll('NAMESPACE', namespace)) as RunnerCase;
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
