// A Task of a file on a cluster: what it refers to is put in place, the TaskRun made, its lines shown as they come, and all of it taken away again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import type { NewObj, Obj } from '../../../shared/objects/kinds.ts';
import { TEKTON_API_VERSION, isDone } from '../../../shared/objects/taskrun.ts';
import { InvalidTaskRun, RUNNER_STEP, type Runner } from '../../../shared/ports/runner.ts';
import { type Chosen, InvalidRequest, chooseRun } from '../../../shared/runner/file/choose.ts';
import { InvalidFile, type Manifest } from '../../../shared/runner/file/documents.ts';
import { runName } from '../../../shared/runner/file/plan.ts';
import { secretReader } from '../../../shared/tekton/logs/secrets.ts';
import { createTektonRunner } from '../../../shared/tekton/runner.ts';
import { manifestOf } from '../../../shared/tekton/taskrun/manifest.ts';
import { type RawTaskRun, taskRunPath } from '../../../shared/tekton/taskrun/object.ts';
import { refusal } from '../../../shared/tekton/taskrun/refused.ts';
import type { Cli } from '../../cli.ts';
import { CliError, EXIT } from '../../exit.ts';
import { type TaskRunWords, askedFor } from '../file.ts';
import type { Finished } from '../run-file.ts';
import type { View } from '../view.ts';
import { connect, refusedBy } from './connect.ts';
import { type Needs, makeNeeds, removed } from './needs.ts';
import { placed } from './place.ts';

/** Between looks at the TaskRun. Milliseconds. */
const LOOK_MS = 300;
/** A TaskRun that was cancelled says so within this time, or is left to itself. Milliseconds. */
const CANCELLED_MS = 60_000;

/** Throws InvalidFile, InvalidRequest, CliError. */
export async function runOnCluster(cli: Cli, manifests: readonly Manifest[], file: string, words: TaskRunWords, view: View): Promise<Finished> {
  const chosen = chosenRun(manifests, file, words, await askedFor(cli, words));
  const client = await connect();
  try {
    const namespace = words.namespace ?? chosen.metadata.namespace ?? (await client.namespace());
    const taskRun = newTaskRun(chosen, namespace);
    const needs = await makeNeeds(client, namespace, manifests, chosen);
    try {
      return await runWithNeeds(cli, client, chosen, taskRun, needs, words, view);
    } finally {
      if (!words.keep) complain(cli, await needs.remove());
    }
  } catch (error) {
    throw error instanceof KubeError ? refusedBy(error) : error;
  } finally {
    client.close();
  }
}

function chosenRun(manifests: readonly Manifest[], file: string, words: TaskRunWords, asked: Awaited<ReturnType<typeof askedFor>>): Chosen {
  if (words.isolation !== undefined) throw new InvalidRequest('--isolation is for runs on this machine; on a cluster steps run in its containers');
  const folder = [...asked.workspaces].find(([, path]) => path !== '');
  if (folder)
    throw new InvalidRequest(
      `-w ${folder[0]}: the cluster cannot see a folder of this machine; give -w ${folder[0]}= for an empty one, or bind it in the file`,
    );
  const chosen = chooseRun(manifests, file, asked);
  if (typeof chosen.task.content !== 'object' || chosen.task.content === null)
    throw new InvalidFile(`${chosen.task.manifest.place(chosen.task.path)}: the Task has no spec`);
  return chosen;
}

function newTaskRun({ manifest, metadata, task, spec }: Chosen, namespace: string): NewObj<'TaskRun'> {
  const { name = runName(metadata.generateName ?? `${manifest.name || 'task'}-run-`), labels, annotations } = metadata;
  const ownName = manifest.kind === 'Task' ? runName(`${manifest.name}-run-`) : name;
  const { taskSpec: _taskSpec, taskRef: _taskRef, ...rest } = spec;
  const of = task.name ? { taskRef: { kind: 'Task', name: task.name } } : { taskSpec: task.content };
  return {
    kind: 'TaskRun',
    metadata: { name: ownName, namespace, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: { ...rest, ...of } as NewObj<'TaskRun'>['spec'],
  };
}

async function runWithNeeds(
  cli: Cli,
  client: KubeClient,
  chosen: Chosen,
  taskRun: NewObj<'TaskRun'>,
  needs: Needs,
  words: TaskRunWords,
  view: View,
): Promise<Finished> {
  const { namespace, name } = taskRun.metadata;
  const uid = await create(client, chosen, taskRun);
  try {
    view.line({ step: RUNNER_STEP, stream: 'stderr', time: new Date().toISOString(), text: `TaskRun ${name} in namespace ${namespace}` });
    await needs.own({ apiVersion: TEKTON_API_VERSION, kind: 'TaskRun', name, uid });
    const runner = createTektonRunner({ client, readSecret: secretReader(client) });
    const { ended, interrupted } = await watched(cli, runner, taskRun, view);
    return { taskRun: ended, status: ended.status ?? {}, interrupted };
  } finally {
    if (!words.keep) complain(cli, [await removed(client, taskRunPath(namespace, name), uid)]);
  }
}

/** uid of the new TaskRun. Throws InvalidFile, also where there is one of this name. */
async function create(client: KubeClient, { manifest, task }: Chosen, taskRun: NewObj<'TaskRun'>): Promise<string> {
  try {
    const { metadata } = await client.request<RawTaskRun>('POST', taskRunPath(taskRun.metadata.namespace), { body: manifestOf(taskRun, undefined, {}) });
    return metadata.uid;
  } catch (error) {
    if (error instanceof KubeError && error.reason === 'AlreadyExists') {
      const where = manifest.place(['metadata', 'name']);
      throw new InvalidFile(
        `${where}: there is a TaskRun "${taskRun.metadata.name}" in namespace ${taskRun.metadata.namespace} already; use generateName, or --namespace`,
      );
    }
    const refused = refusal(error);
    if (!(refused instanceof InvalidTaskRun)) throw error;
    throw placed(task.name ? manifest : task.manifest, 'spec', ['spec'], refused);
  }
}

/** Its lines until it has ended. At Ctrl-C it is cancelled, and its end shown. */
async function watched(cli: Cli, runner: Runner, { metadata }: NewObj<'TaskRun'>, view: View): Promise<{ ended: Obj<'TaskRun'>; interrupted: boolean }> {
  const interruption = cli.interruption();
  const stop = new AbortController();
  let cancelling: Promise<unknown> | undefined;
  const cancel = () => {
    cancelling ??= runner.cancel(metadata, 'It was interrupted.').catch((error: unknown) => cli.note(`It could not be cancelled: ${(error as Error).message}`));
    setTimeout(() => stop.abort(), CANCELLED_MS).unref();
  };
  if (interruption.aborted) cancel();
  interruption.addEventListener('abort', cancel, { once: true });
  process.once('SIGTERM', cancel);
  try {
    for await (const line of runner.logs(metadata, { follow: true, signal: stop.signal })) view.line(line);
    await cancelling;
    for (const began = Date.now(); ;) {
      const ended = await runner.get(metadata);
      if (!ended) throw new CliError(EXIT.failed, `TaskRun ${metadata.name} was deleted while it ran`);
      if (isDone(ended.status) || (cancelling && Date.now() - began > CANCELLED_MS)) return { ended, interrupted: cancelling !== undefined };
      await sleep(LOOK_MS);
    }
  } finally {
    process.off('SIGTERM', cancel);
    interruption.removeEventListener('abort', cancel);
  }
}

function complain(cli: Cli, problems: readonly (string | undefined)[]): void {
  for (const problem of problems) if (problem !== undefined) cli.note(`Could not be taken away: ${problem}`);
}
