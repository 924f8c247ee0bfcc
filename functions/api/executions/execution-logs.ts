// /executions/{name}/logs: the lines of all its steps, stage after stage; with ?follow until the execution has ended.
import type { Hono } from 'hono';
import { z } from 'zod';
import { name, timestamp } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Api } from '../deps.ts';
import { findExecution } from './archived.ts';
import { isTerminal } from './execution-view.ts';
import { merge } from '../http/merge.ts';
import { ndjson } from '../http/ndjson.ts';
import { find } from '../http/reply.ts';
import { flag, query } from '../http/request.ts';

const MAX_CURSORS = 500;

const filter = z.strictObject({
  follow: flag.optional(),
  /** Only this step, as "step" or "stage/step". */
  step: z.string().max(128).optional(),
  /** Where one left off: <taskRun>:<seq>, several separated by commas. */
  after: z.string().max(65_536).optional().transform(parseCursors),
});

const logLine = z.object({
  stage: z.string(),
  step: z.string(),
  taskRun: name,
  /** The step inside the TaskRun, as Tekton has it. */
  taskStep: z.string(),
  /** Counts the lines of one TaskRun from 1. */
  seq: z.int().positive(),
  stream: z.enum(['stdout', 'stderr']),
  time: timestamp,
  text: z.string(),
});
export type ExecutionLogLine = z.infer<typeof logLine>;

interface Place {
  stage: string;
  step: string;
  taskRun: string;
}

interface Wanted {
  follow: boolean;
  step?: string | undefined;
  after: Map<string, number>;
}

export function executionLogs(app: Hono, api: Api): void {
  app.get('/executions/:execution/logs', async (c) => {
    const { follow = false, step, after } = query(c.req.raw, filter);
    const execution = await findExecution(api, c.req.param('execution'));
    return ndjson((signal) => lines(api, execution, { follow, step, after }, signal));
  });
}

async function* lines(api: Api, execution: Obj<'Execution'>, wanted: Wanted, signal: AbortSignal): AsyncGenerator<ExecutionLogLine> {
  if (!wanted.follow || isTerminal(execution.status?.phase)) {
    for (const place of places(execution, wanted)) yield* linesOf(api, place, wanted, signal);
    return;
  }
  yield* followed(api, execution, wanted, signal);
}

/** Takes up each TaskRun as the execution comes to it; ends when the execution has ended and every line of it was given. */
async function* followed(api: Api, execution: Obj<'Execution'>, wanted: Wanted, signal: AbortSignal): AsyncGenerator<ExecutionLogLine> {
  const ended = new AbortController();
  const seen = new Set<string>();
  const all = merge<ExecutionLogLine | Obj<'Execution'>>();
  const take = (state: Obj<'Execution'>) => {
    for (const place of places(state, wanted)) {
      if (seen.has(place.taskRun)) continue;
      seen.add(place.taskRun);
      all.add(linesOf(api, place, wanted, signal));
    }
    if (isTerminal(state.status?.phase)) ended.abort();
  };
  all.add(changes(api, execution, AbortSignal.any([signal, ended.signal])));
  for await (const item of all) {
    if ('kind' in item) take(item);
    else yield item;
  }
}

/** The execution as it is, and again whenever it changed; ends by the signal, or when the execution is deleted. */
export async function* changes(api: Api, execution: Obj<'Execution'>, signal: AbortSignal): AsyncGenerator<Obj<'Execution'>> {
  const { namespace } = api;
  const { name: wanted } = execution.metadata;
  const labels = { [LABEL.project]: execution.spec.project };
  const { resourceVersion: since } = await api.objects.list('Execution', { namespace, labels, limit: 1 });
  yield await find(api, 'Execution', wanted);
  for await (const event of api.objects.watch('Execution', { namespace, labels, since, signal })) {
    if (event.type === 'BOOKMARK' || event.object.metadata.name !== wanted) continue;
    if (event.type === 'DELETED') return;
    yield event.object;
  }
}

async function* linesOf(api: Api, { stage, step, taskRun }: Place, { follow, after }: Wanted, signal: AbortSignal): AsyncGenerator<ExecutionLogLine> {
  const from = after.get(taskRun);
  const options = { follow, signal, ...(from !== undefined && { after: from }) };
  for await (const line of api.runner.logs({ namespace: api.namespace, name: taskRun }, options)) {
    yield { stage, step, taskRun, taskStep: line.step, seq: line.seq, stream: line.stream, time: line.time, text: line.text };
  }
}

function places(execution: Obj<'Execution'>, { step: wanted }: Wanted): Place[] {
  const all = (execution.status?.stages ?? []).flatMap((stage) =>
    stage.steps.flatMap((step) => (step.taskRun === undefined ? [] : [{ stage: stage.name, step: step.name, taskRun: step.taskRun }])),
  );
  return wanted === undefined ? all : all.filter(({ stage, step }) => wanted === step || wanted === `${stage}/${step}`);
}

function parseCursors(value: string | undefined, context: z.RefinementCtx): Map<string, number> {
  const cursors = new Map<string, number>();
  for (const part of value ? value.split(',', MAX_CURSORS + 1) : []) {
    const match = /^([a-z0-9][-a-z0-9.]*):(\d{1,15})$/.exec(part);
    if (!match || cursors.size === MAX_CURSORS) {
      context.addIssue({ code: 'custom', message: `must be at most ${MAX_CURSORS} of <taskRun>:<seq>, separated by commas` });
      break;
    }
    cursors.set(match[1]!, Number(match[2]));
  }
  return cursors;
}
