// A TaskRun of ours ended: record the step, register what it left, start the next stage or close the execution.
import { closed, failureOf, isTerminal, next, runningTaskRuns, siteOf, stepEnded, type StepEnd } from '../../shared/decisions/execution.ts';
import { branchRef, isTag, productionBranch } from '../../shared/decisions/names.ts';
import { stageOf } from '../../shared/decisions/taskruns.ts';
import type { Output } from '../../shared/events/event.ts';
import { type Deps, type Handler, NotYet } from '../../shared/host/contract.ts';
import { modifyStatus } from '../../shared/host/modify.ts';
import { endLeftovers, finishedEvent, startStage } from '../../shared/host/start-stage.ts';
import type { NewObj, Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { isDone, succeeded } from '../../shared/objects/taskrun.ts';
import { Forbidden, type Objects, type Ref } from '../../shared/ports/objects.ts';
import { NotPrepared } from '../../shared/ports/runner.ts';
import type { functions } from '../graph.ts';
import { failureMessage } from './failure-message.ts';
import { registerSite } from './register-site.ts';

type Entry = (typeof functions)['taskrun-finished'];
type Event = Parameters<Handler<Entry>>[0];
type Emitted = Output<Entry['emits'][number]>;
type Status = StatusOf<'Execution'>;

export const handle: Handler<Entry> = async (event, deps) => {
  const { namespace, name, uid } = event.data.taskRun.metadata;
  const executionName = executionOf(event);
  const execution = executionName === undefined ? undefined : await ours(deps.objects, { namespace, name: executionName });
  if (!executionName || !execution) return {};
  if (!execution.status?.definition && !isTerminal(execution.status)) return unwritten(event, executionName, deps);
  if (!execution.status) return {};
  // Anybody may run TaskRuns, and where we have no rights: only those of an execution are looked at.
  const stage = stageOf(executionName, execution.status, name);
  if (stage === undefined) return {};
  // The event only rings: what is true stands in the object, and another one may have its name by now.
  const taskRun = await taskRunOf(event, execution.status, deps);
  if (!taskRun || taskRun.metadata.uid !== uid || !isDone(taskRun.status) || taskRun.metadata.labels?.[LABEL.execution] !== executionName) return {};
  if (isTerminal(execution.status)) {
    await endLeftovers(execution, stage + 1, deps.runner);
    return {};
  }
  if (!isStarted(execution.status, name)) throw new NotYet(`The start of ${name} is not recorded yet`, notRecorded_ms(deps.attempt));

  const end = endOf(taskRun, deps.now());
  const site = end.phase === 'Succeeded' ? await siteOrReason(execution, taskRun, deps) : undefined;
  const step: StepEnd =
    site && 'refused' in site ? { ...end, phase: 'Failed', message: site.refused } : { ...end, ...(site && { artifact: site.artifact.metadata.name }) };
  const create = site && 'artifact' in site ? [site.artifact] : [];
  return goOn(execution, stepEnded(execution.status, step), create, event, deps);
};

function executionOf({ data }: Event): string | undefined {
  const { labels } = data.taskRun.metadata as { labels?: Record<string, unknown> };
  const name = labels?.[LABEL.execution];
  return typeof name === 'string' && name !== '' ? name : undefined;
}

/** Tekton tells of the TaskRuns of the whole cluster, those of other installations among them: of these we may see nothing. */
async function ours(objects: Objects, ref: Ref): Promise<Obj<'Execution'> | undefined> {
  try {
    return await objects.get('Execution', ref);
  } catch (error) {
    if (error instanceof Forbidden) return undefined;
    throw error;
  }
}

/** Undefined also where its end is recorded, and the namespace is another installation's: that one recorded it. */
async function taskRunOf({ data }: Event, status: Status, { runner }: Deps<Entry>): Promise<Obj<'TaskRun'> | undefined> {
  const { namespace, name } = data.taskRun.metadata;
  try {
    return await runner.get({ namespace, name });
  } catch (error) {
    if (error instanceof NotPrepared && !runningTaskRuns(status).includes(name) && isStarted(status, name)) return undefined;
    throw error;
  }
}

/** A first stage is started before anything of it is written (artifact-resolved): then it cannot be said yet which step this was. */
async function unwritten({ data }: Event, execution: string, { runner, attempt }: Deps<Entry>) {
  const { namespace, name, uid } = data.taskRun.metadata;
  const taskRun = await runner.get({ namespace, name }).catch((error: unknown) => {
    if (error instanceof NotPrepared) return undefined;
    throw error;
  });
  if (taskRun?.metadata.uid !== uid || taskRun.metadata.labels?.[LABEL.execution] !== execution) return {};
  throw new NotYet(`The start of ${name} is not recorded yet`, notRecorded_ms(attempt));
}

/** It may end before the one who started it has written so: then its end would be recorded nowhere, and come no second time. */
function isStarted(status: Status, taskRun: string): boolean {
  return status.stages?.some((stage) => stage.steps.some((step) => step.taskRun === taskRun)) ?? false;
}

/** A tenth of a second, doubled to half a minute at most. */
function notRecorded_ms(attempt: number): number {
  return Math.min(30_000, 100 * 2 ** (attempt - 1));
}

/** What fails at the last attempt too fails the step: an execution that nobody closes would hold its lane for ever. */
async function siteOrReason(execution: Obj<'Execution'>, taskRun: Obj<'TaskRun'>, deps: Deps<Entry>) {
  try {
    return await registerSite(execution, taskRun, deps);
  } catch (error) {
    if (deps.attempt < deps.lastAttempt || !(error instanceof Error)) throw error;
    return { refused: `What it left could not be registered: ${error.message}`.slice(0, 4096) };
  }
}

async function goOn(execution: Obj<'Execution'>, status: Status, create: NewObj[], event: Event, deps: Deps<Entry>) {
  const what = next(status);
  if (what === 'wait') return { create, status: { ...execution, status } };
  if ('start' in what) {
    const started = await startStage(execution, status, what.start, deps, event);
    return { create, status: { ...execution, status: started }, outputs: started.phase === 'Running' ? [] : [finishedEvent(execution, started)] };
  }
  const site = siteOf(status);
  const done = { ...closed(status, what.close, deps.now(), failureOf(status)?.slice(0, 4096)), ...(site && { artifact: site }) };
  const outputs: Emitted[] = [finishedEvent(execution, done)];
  if (what.close === 'Succeeded' && site) outputs.push(...(await siteReady(execution, site, create, deps)));
  return { create, status: { ...execution, status: done }, outputs };
}

/** The site of an execution that succeeded: "latest" from now on where it is of the default branch or a tag, and told. */
async function siteReady(execution: Obj<'Execution'>, name: string, create: NewObj[], { objects, now }: Deps<Entry>): Promise<Emitted[]> {
  const { namespace } = execution.metadata;
  const { project } = execution.spec;
  const artifact = create.find((object) => object.metadata.name === name) ?? (await objects.get('Artifact', { namespace, name }));
  const { version, digest } = (artifact?.status ?? {}) as StatusOf<'Artifact'>;
  if (!version || !digest) throw new Error(`Artifact ${name} of execution ${execution.metadata.name} is not resolved`);
  // A project that was removed meanwhile has no "latest"; its execution ends all the same.
  if (await objects.get('Project', { namespace, name: project })) {
    await modifyStatus(objects, 'Project', { namespace, name: project }, (found) =>
      isLatest(execution, found)
        ? { ...found.status, latest: { artifact: name, version, at: now(), lane: execution.spec.lane, number: execution.spec.number } }
        : undefined,
    );
  }
  const data = { namespace, project, execution: execution.metadata.name, artifact: name, type: 'site' as const, digest };
  return [{ type: 'dev.tidemill.artifact.resolved.v1', subject: name, data }];
}

/** The newest of the default branch or a tag; what was begun earlier in its lane and ends later is not. */
function isLatest({ spec }: Obj<'Execution'>, project: Obj<'Project'>): boolean {
  const latest = project.status?.latest;
  if (spec.outdated || (latest?.lane === spec.lane && (latest.number ?? 0) > spec.number)) return false;
  return isTag(spec.ref) || spec.ref === branchRef(productionBranch(project));
}

function endOf(taskRun: Obj<'TaskRun'>, now: string): StepEnd {
  const { status, metadata } = taskRun;
  const condition = succeeded(status);
  const cancelled = condition?.reason === 'TaskRunCancelled';
  const message = failureMessage(status);
  return {
    taskRun: metadata.name,
    phase: condition?.status === 'True' ? 'Succeeded' : cancelled ? 'Cancelled' : 'Failed',
    ...(message && { message }),
    ...(status?.startTime && { started: status.startTime }),
    ended: status?.completionTime ?? now,
  };
}
