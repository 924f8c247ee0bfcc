// A Task of a file on this machine: planned, run on the engine, and nothing left behind.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TaskRunStatus } from '../../shared/objects/taskrun.ts';
import type { LogLine } from '../../shared/ports/runner.ts';
import type { Ending } from '../../shared/runner/engine/engine.ts';
import { runTaskRun } from '../../shared/runner/engine/run.ts';
import type { Manifest } from '../../shared/runner/file/documents.ts';
import { type Plan, planRun } from '../../shared/runner/file/plan.ts';
import { IsolationUnavailable, detectIsolation } from '../../shared/runner/isolation/detect.ts';
import type { Isolation } from '../../shared/runner/isolation/isolation.ts';
import { MARKER, endMarked } from '../../shared/runner/orphans.ts';
import type { Cli } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { type TaskRunWords, askedFor } from './file.ts';
import type { Finished } from './run-file.ts';
import type { View } from './view.ts';

/** From SIGTERM to SIGKILL at Ctrl-C. Milliseconds. */
const GRACE = 5000;

/** Throws InvalidFile, InvalidRequest, CliError. */
export async function runHere(cli: Cli, manifests: readonly Manifest[], file: string, words: TaskRunWords, view: View): Promise<Finished> {
  if (words.namespace !== undefined || words.keep) throw new CliError(EXIT.usage, '--namespace and --keep are for --runner tekton');
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-task-'));
  try {
    const isolation = await isolationFor(cli, words.isolation);
    const plan = planRun(manifests, file, { ...(await askedFor(cli, words)), isolation, folder });
    const { status, metadata, interrupted } = await run(cli, plan, isolation, folder, view.line);
    return { taskRun: { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata, spec: specOf(plan), status }, status, interrupted };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function isolationFor(cli: Cli, wanted: string | undefined): Promise<Isolation> {
  try {
    return await detectIsolation(cli.io.env, wanted ?? cli.io.env['TIDEMILL_ISOLATION']);
  } catch (error) {
    if (error instanceof IsolationUnavailable) throw new CliError(EXIT.usage, error.message);
    throw error;
  }
}

interface Outcome {
  status: TaskRunStatus;
  metadata: object;
  interrupted: boolean;
}

async function run(cli: Cli, plan: Plan, isolation: Isolation, folder: string, onLine: (line: Omit<LogLine, 'seq'>) => void): Promise<Outcome> {
  const uid = randomUUID();
  const controller = new AbortController();
  const cancel = () => controller.abort({ kind: 'cancelled', message: 'It was interrupted.' } satisfies Ending);
  const interruption = cli.interruption();
  interruption.addEventListener('abort', cancel, { once: true });
  process.once('SIGTERM', cancel);
  const now = () => new Date().toISOString();
  const { name, namespace, labels, annotations, taskName, task, spec } = plan;
  const metadata = {
    name,
    namespace,
    uid,
    creationTimestamp: now(),
    ...(Object.keys(labels).length && { labels }),
    ...(Object.keys(annotations).length && { annotations }),
  };
  try {
    const status = await runTaskRun(
      { name, namespace, uid, labels, annotations, taskName, task, spec },
      {
        isolation,
        references: plan.references,
        builtins: {},
        folder: join(folder, 'work'),
        given: plan.given,
        env: cli.io.env,
        marker: { name: MARKER, value: uid },
        caches: new Map(),
        grace_ms: GRACE,
        now,
        signal: controller.signal,
        onStatus: () => undefined,
        onLine,
        record: () => undefined,
      },
    );
    return { status, metadata, interrupted: controller.signal.aborted };
  } finally {
    process.off('SIGTERM', cancel);
    if (isolation.kind === 'none') await endMarked(uid);
  }
}

function specOf(plan: Plan): object {
  const { taskSpec: _task, ...spec } = plan.spec as Plan['spec'] & { taskSpec?: unknown };
  return plan.taskName ? { ...spec, taskRef: { kind: 'Task', name: plan.taskName } } : { ...spec, taskSpec: plan.task };
}
