// One TaskRun on its way through the local runner: begun, run, its end made durable, then told, and only then done with.
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSecretName } from '../decisions/names.ts';
import type { Obj } from '../objects/kinds.ts';
import { CACHE_ANNOTATION, type TaskRunStatus, isDone, succeeded } from '../objects/taskrun.ts';
import type { Ref } from '../ports/objects.ts';
import { InvalidTaskRun, RUNNER_STEP } from '../ports/runner.ts';
import { MissingSecret, type Secrets } from '../ports/secrets.ts';
import { checkIsolation, checkRunSpec, checkTask } from './task/check.ts';
import type { EngineRun, Ending } from './engine/engine.ts';
import { removeFolder } from './engine/attempt.ts';
import { runTaskRun, withCondition } from './engine/run.ts';
import type { References } from './task/spec.ts';
import { endState, taskRunEvent } from './events.ts';
import type { Isolations } from './isolation/choose.ts';
import type { Isolation } from './isolation/isolation.ts';
import type { LocalRunnerOptions } from './local.ts';
import type { LogStore, LogWriter } from './logs/logs.ts';
import { MARKER, type ProcessBook, endMarked } from './orphans.ts';
import { createStatusWriter, removeActiveLabel, writeStatus } from './status-writer.ts';
import { taskOf } from './task/task-of.ts';

/** Folders below HOME that package managers keep their downloads in. */
const CACHES = ['.npm', '.cache', '.local/share/pnpm'];

export interface ExecutionOptions extends LocalRunnerOptions {
  env: NodeJS.ProcessEnv;
  log: NonNullable<LocalRunnerOptions['log']>;
  logs: LogStore;
  book: ProcessBook;
  /** Tells this runner's processes from another's. */
  id: string;
  isolations: Isolations;
}

export interface Execution {
  /** Resolves when its end was told, or it was stopped or is gone. */
  ended: Promise<void>;
  cancel(message: string): void;
  /** Ends what it does, without an end of its own: it is begun anew later. */
  stop(grace_ms: number): void;
}

export function executeTaskRun(ref: Ref, options: ExecutionOptions): Execution {
  const controller = new AbortController();
  const abort = (ending: Ending) => controller.abort(ending);
  const grace = { ms: options.grace_ms ?? 10_000 };
  return {
    ended: executeInFolder(ref, options, controller, grace),
    cancel: (message) => abort({ kind: 'cancelled', message }),
    stop: (grace_ms) => {
      grace.ms = grace_ms;
      abort({ kind: 'stopped' });
    },
  };
}

/** The folder goes when the end was told: packages of a build are many files. */
async function executeInFolder(ref: Ref, options: ExecutionOptions, controller: AbortController, grace: { ms: number }): Promise<void> {
  const taskRun = await options.objects.get('TaskRun', ref);
  if (!taskRun) return;
  try {
    await execute(taskRun, ref, options, controller, grace);
  } finally {
    await removeFolder(workFolder(options.directory, taskRun.metadata.uid));
  }
}

async function execute(taskRun: Obj<'TaskRun'>, ref: Ref, options: ExecutionOptions, controller: AbortController, grace: { ms: number }): Promise<void> {
  const { objects, now } = options;
  if (!isDone(taskRun.status)) {
    const status = await statusOf(taskRun, options, controller, grace);
    if (!succeeded(status) || succeeded(status)?.status === 'Unknown') return;
    const written = await persist(
      () => writeStatus(objects, ref, { ...status, completionTime: status.completionTime ?? now() }),
      'its end could not be written down',
      ref,
      options,
      controller,
    );
    if (!written) return;
  }
  const done = await objects.get('TaskRun', ref);
  if (!done) return;
  const told = await persist(() => options.emit(taskRunEvent(done, endState(done))).then(() => true), 'its end could not be told', ref, options, controller);
  if (told) await removeActiveLabel(objects, ref);
}

/** Again until it works: an end is never lost, whatever fails. Undefined: the runner is stopping, and the next one does it. */
async function persist<T>(
  act: () => Promise<T>,
  what: string,
  { namespace, name }: Ref,
  options: ExecutionOptions,
  controller: AbortController,
): Promise<T | undefined> {
  for (let wait = 50; ; wait = Math.min(wait * 2, 5000)) {
    try {
      return await act();
    } catch (error) {
      options.log.warn({ taskRun: `${namespace}/${name}`, error: (error as Error).message }, `${what}; trying again`);
    }
    if ((controller.signal.reason as Ending | undefined)?.kind === 'stopped') return undefined;
    await sleep(wait);
  }
}

async function statusOf(taskRun: Obj<'TaskRun'>, options: ExecutionOptions, controller: AbortController, grace: { ms: number }): Promise<TaskRunStatus> {
  const { spec, metadata, status } = taskRun;
  const { now } = options;
  if (spec.status === 'TaskRunCancelled') {
    return withCondition(status ?? {}, 'False', 'TaskRunCancelled', `TaskRun "${metadata.name}" was cancelled. ${spec.statusMessage ?? ''}`.trim(), now());
  }
  const writer = await options.logs.writer({ namespace: metadata.namespace, name: metadata.name });
  try {
    const before = status?.startTime ? 'the run was interrupted; it begins anew' : undefined;
    if (before) await writer.append({ step: RUNNER_STEP, stream: 'stderr', time: now(), text: before });
    return await runOnce(taskRun, options, controller, grace, writer);
  } catch (error) {
    const message = (error as Error).message;
    await writer.append({ step: RUNNER_STEP, stream: 'stderr', time: now(), text: message });
    return withCondition(
      { ...(status?.startTime && { startTime: status.startTime }) },
      'False',
      error instanceof InvalidTaskRun ? 'TaskRunValidationFailed' : 'Failed',
      message,
      now(),
    );
  } finally {
    await writer
      .close()
      .catch((error: unknown) => options.log.warn({ taskRun: metadata.name, error: (error as Error).message }, 'the log could not be written'));
  }
}

async function runOnce(
  taskRun: Obj<'TaskRun'>,
  options: ExecutionOptions,
  controller: AbortController,
  grace: { ms: number },
  writer: LogWriter,
): Promise<TaskRunStatus> {
  const { objects, directory, isolations, book, id, now } = options;
  const isolation = await isolations.of(taskOf(taskRun.spec));
  const run = engineRun(taskRun, isolation);
  const ref = { namespace: run.namespace, name: run.name };
  const told = { running: false };
  const marker = `${id}/${run.uid}`;
  const statuses = createStatusWriter(
    async (status) => {
      const written = await writeStatus(objects, ref, status);
      if (!written) return controller.abort({ kind: 'cancelled', message: 'It was deleted.' } satisfies Ending);
      if (told.running) return;
      told.running = true;
      await options.emit(taskRunEvent(written, 'running'));
    },
    (error) => options.log.warn({ taskRun: run.name, error: error.message }, 'a step on the way could not be told of'),
  );
  try {
    return await runTaskRun(run, {
      isolation,
      references: { ...references(options.secrets, directory, ref), ...options.references },
      builtins: options.builtins,
      folder: workFolder(directory, run.uid),
      given: new Map(),
      env: options.env,
      marker: { name: MARKER, value: marker },
      caches: cacheFolders(directory, taskRun.metadata.annotations?.[CACHE_ANNOTATION]),
      get grace_ms() {
        return grace.ms;
      },
      now,
      signal: controller.signal,
      onStatus: statuses.tell,
      onLine: writer.append,
      record: (process) => book.record(run.uid, process),
    });
  } finally {
    await statuses.stop();
    if (isolation.kind === 'none') await endMarked(marker);
    await book.forget(run.uid);
  }
}

function workFolder(directory: string, uid: string): string {
  return join(directory, 'work', uid);
}

function engineRun(taskRun: Obj<'TaskRun'>, isolation: Isolation): EngineRun {
  const { name, namespace, uid, labels = {}, annotations = {} } = taskRun.metadata;
  const spec: unknown = taskRun.spec;
  checkRunSpec(spec);
  const task: unknown = taskOf(taskRun.spec);
  checkTask(task, 'spec.taskSpec', spec.params ?? []);
  checkIsolation(task, isolation, 'spec.taskSpec');
  const retriesStatus = taskRun.status?.retriesStatus;
  return { name, namespace, uid, labels, annotations, taskName: '', task: task, spec: spec, ...(retriesStatus && { retriesStatus }) };
}

/** Only a container-like isolation has a home folder of its own to mount them in. */
function cacheFolders(directory: string, cache: string | undefined): Map<string, string> {
  if (!cache) return new Map();
  const folder = join(directory, 'caches', createHash('sha256').update(cache).digest('hex').slice(0, 32));
  const caches = new Map(CACHES.map((name) => [name, join(folder, name)]));
  for (const path of caches.values()) mkdirSync(path, { recursive: true, mode: 0o700 });
  return caches;
}

function references(secrets: Secrets, directory: string, { namespace }: Ref): References {
  return {
    stepAction: async () => undefined,
    configMap: async () => undefined,
    claim: async (name) => (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) ? join(directory, 'claims', namespace, name) : undefined),
    secret: (name) => runSecret(secrets, namespace, name),
  };
}

/** A JSON object of strings has its keys; anything else is under "value". */
async function runSecret(secrets: Secrets, namespace: string, name: string): Promise<Record<string, Buffer> | undefined> {
  let text: string;
  try {
    text = await secrets.get(runSecretName(namespace, name), namespace);
  } catch (error) {
    if (error instanceof MissingSecret) return undefined;
    throw error;
  }
  const keys = jsonObject(text) ?? { value: text };
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, Buffer.from(value)]));
}

function jsonObject(text: string): Record<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((part) => typeof part === 'string');
    return isMap ? (value as Record<string, string>) : undefined;
  } catch {
    return undefined; // no JSON: the text itself is the secret
  }
}
