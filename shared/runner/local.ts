// The Runner of one machine: TaskRuns are objects, so many at once, and what a killed process left is ended and begun anew.
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { hash } from '../events/ids.ts';
import type { Obj } from '../objects/kinds.ts';
import { whyOtherDefinition } from '../decisions/taskruns.ts';
import { LABEL } from '../objects/meta.ts';
import { isDone } from '../objects/taskrun.ts';
import { AlreadyExists, type Objects, type Ref } from '../ports/objects.ts';
import { InvalidTaskRun, type Runner, type TaskRunSink } from '../ports/runner.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { Builtins } from './builtin.ts';
import { checkIsolation, checkRunSpec, checkTask } from './task/check.ts';
import { withCondition } from './engine/run.ts';
import type { References } from './task/spec.ts';
import { taskRunEvent } from './events.ts';
import { type Execution, executeTaskRun } from './execution.ts';
import { createIsolations } from './isolation/choose.ts';
import { createLogStore } from './logs/logs.ts';
import { createProcessBook, endOrphans } from './orphans.ts';
import { changeTaskRun } from './status-writer.ts';
import { taskOf } from './task/task-of.ts';

export interface LocalRunnerOptions {
  objects: Objects;
  /** Everything of the runner's own: working folders, logs, claims, caches. One runner at a time has it. */
  directory: string;
  emit: TaskRunSink;
  builtins: Builtins;
  /** TaskRuns at once. */
  slots: number;
  secrets: Secrets;
  now: () => string;
  log?: { warn(fields: object, message: string): void };
  /** Default: process.env. Steps get PATH and how to reach the network from it, and TIDEMILL_ISOLATION is read there. */
  env?: NodeJS.ProcessEnv;
  /** From SIGTERM to SIGKILL when a run is cancelled or timed out, in milliseconds. Default 10,000. */
  grace_ms?: number;
  /** What a TaskRun may name beside secrets and claims; a server holds none of them. */
  references?: Partial<Pick<References, 'stepAction' | 'configMap'>>;
  /** Bytes that one log may take. Default 64 MiB. */
  logLimit?: number;
}

export interface LocalRunner extends Runner {
  /** Ends what a killed process left running, tells of ends that were not told, and begins the others anew. Once, before the first `start`. */
  recover(): Promise<void>;
  /** What isolates the builds that tidemill plans by itself, and what it does not isolate: a sentence for people. */
  isolation(): Promise<string>;
}

interface Active {
  ref: Ref;
  execution?: Execution;
  ended: Promise<void>;
  end: () => void;
}

export function createLocalRunner(options: LocalRunnerOptions): LocalRunner {
  const { objects, directory, emit, now } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const id = hash(realpathSync(directory));
  const log = options.log ?? { warn: () => undefined };
  const env = options.env ?? process.env;
  const logs = createLogStore(join(directory, 'logs'), options.logLimit);
  const book = createProcessBook(join(directory, 'processes'));
  const active = new Map<string, Active>();
  const queue: Active[] = [];
  let running = 0;
  let stopped = false;
  const isolations = createIsolations(env);
  const keyOf = ({ namespace, name }: Ref) => `${namespace}/${name}`;

  function enqueue(ref: Ref): void {
    if (stopped || active.has(keyOf(ref))) return;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const entry: Active = { ref, ended, end };
    active.set(keyOf(ref), entry);
    queue.push(entry);
    pump();
  }

  function pump(): void {
    while (!stopped && running < options.slots && queue.length) {
      const entry = queue.shift()!;
      running++;
      void begin(entry).finally(() => {
        running--;
        leave(entry);
        pump();
      });
    }
  }

  function leave(entry: Active): void {
    active.delete(keyOf(entry.ref));
    logs.changed(entry.ref);
    entry.end();
  }

  async function begin(entry: Active): Promise<void> {
    try {
      entry.execution = executeTaskRun(entry.ref, { ...options, env, log, logs, book, id, isolations });
      await entry.execution.ended;
    } catch (error) {
      log.warn(
        { taskRun: keyOf(entry.ref), error: (error as Error).message },
        'the TaskRun could not be brought to its end; it is begun anew at the next start',
      );
    }
  }

  /** Told for those who watch; the end is what counts, and that is told until it is heard. */
  function tellQueued(taskRun: Obj<'TaskRun'>): void {
    emit(taskRunEvent(taskRun, 'queued')).catch((error: unknown) =>
      log.warn({ taskRun: taskRun.metadata.name, error: (error as Error).message }, 'a queued TaskRun could not be told of'),
    );
  }

  return {
    async start(taskRun) {
      checkRunSpec(taskRun.spec);
      const task = taskOf(taskRun.spec);
      checkTask(task, 'spec.taskSpec', taskRun.spec.params ?? []);
      checkIsolation(task, await isolations.of(task), 'spec.taskSpec');
      const labels = { ...taskRun.metadata.labels, [LABEL.active]: 'true' };
      const status = withCondition({}, 'Unknown', 'Pending', 'Waiting for its turn', now());
      let created: Obj<'TaskRun'>;
      try {
        created = await objects.create({ ...taskRun, metadata: { ...taskRun.metadata, labels }, status });
      } catch (error) {
        if (!(error instanceof AlreadyExists)) throw error;
        const there = await objects.get('TaskRun', taskRun.metadata);
        const why = there && whyOtherDefinition(there, taskRun);
        if (why !== undefined) throw new InvalidTaskRun(why);
        return;
      }
      tellQueued(created);
      enqueue({ namespace: created.metadata.namespace, name: created.metadata.name });
    },

    get: (ref) => objects.get('TaskRun', ref),

    async cancel(ref, reason) {
      const asked = await changeTaskRun(
        objects,
        ref,
        (taskRun) => (isDone(taskRun.status) ? undefined : { ...taskRun, spec: { ...taskRun.spec, status: 'TaskRunCancelled', statusMessage: reason } }),
        'update',
      );
      if (!asked || isDone(asked.status)) return;
      const entry = active.get(keyOf(ref));
      if (!entry) return;
      const place = queue.indexOf(entry);
      if (place >= 0) {
        // One that waits needs no slot to be ended.
        queue.splice(place, 1);
        await begin(entry).finally(() => leave(entry));
        return;
      }
      entry.execution?.cancel(reason);
      await entry.ended;
    },

    logs: (ref, read = {}) => logs.read(ref, read, () => active.has(keyOf(ref))),

    async stop(grace_ms) {
      stopped = true;
      const all = [...active.values()];
      for (const entry of queue.splice(0)) leave(entry);
      for (const entry of all) entry.execution?.stop(grace_ms);
      await Promise.all(all.map((entry) => entry.ended));
    },

    async recover() {
      const records = await book.all();
      const found = await endOrphans(records, `${id}/`, async (container) => (await isolations.strongest()).discard(container));
      if (found) log.warn({ processes: found }, 'ended what an earlier tidemill left running');
      await Promise.all([
        rm(join(directory, 'work'), { recursive: true, force: true, maxRetries: 5 }),
        rm(join(directory, 'processes'), { recursive: true, force: true }),
      ]);
      mkdirSync(join(directory, 'processes'), { recursive: true });
      for (const taskRun of await activeTaskRuns(objects)) enqueue({ namespace: taskRun.metadata.namespace, name: taskRun.metadata.name });
    },

    isolation: async () => (await isolations.of({})).description,
  };
}

/** Oldest first. */
async function activeTaskRuns(objects: Objects): Promise<Obj<'TaskRun'>[]> {
  const found: Obj<'TaskRun'>[] = [];
  for (let next: string | undefined; ;) {
    const page = await objects.list('TaskRun', { labels: { [LABEL.active]: 'true' }, ...(next && { continue: next }) });
    found.push(...page.items);
    next = page.continue;
    if (!next) break;
  }
  return found.toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
}
