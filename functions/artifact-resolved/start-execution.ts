// The commit of an execution is known: freeze the pipeline that it has at that commit, and start it if its lane has a slot.
import { closed, defined, isTerminal } from '../../shared/decisions/execution.ts';
import { isAdmitted } from '../../shared/decisions/lane.ts';
import { credentialRef } from '../../shared/decisions/names.ts';
import { planFiles, planPipeline } from '../../shared/decisions/plan.ts';
import type { EventOf } from '../../shared/events/event.ts';
import type { Deps } from '../../shared/host/contract.ts';
import { modifyStatus } from '../../shared/host/modify.ts';
import { beginExecution, endLeftovers, finishedEvent } from '../../shared/host/start-stage.ts';
import type { Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { GitError } from '../../shared/ports/git.ts';
import type { Objects, Ref } from '../../shared/ports/objects.ts';
import type { functions } from '../graph.ts';

type Entry = (typeof functions)['artifact-resolved'];
type Event = EventOf<Entry['consumes'][number]>;
type Commit = NonNullable<Event['data']['commit']>;

/** One that nobody has written a status for yet. */
const PENDING: StatusOf<'Execution'> = { phase: 'Pending' };

export async function startExecution(event: Event, deps: Deps<Entry>) {
  const { namespace, execution: name, project: projectName, artifact, admitted } = event.data;
  if (!name) return {};
  const { objects } = deps;
  const [project, commit, execution] = await Promise.all([
    objects.get('Project', { namespace, name: projectName }, { mayLag: true }),
    event.data.commit ?? commitOf(objects, { namespace, name: artifact }),
    objects.get('Execution', { namespace, name }, { mayLag: true }),
  ]);
  if (!execution || execution.status?.phase === 'Running') return {};
  const pending = withCommit(execution.status ?? PENDING, commit);
  if (isTerminal(execution.status)) return endUnwritten(execution, pending, project, deps);
  if (!project) return fail(execution, pending, `Project ${projectName} was removed`, deps);

  const planned = pending.definition ? undefined : await plan(project, execution, pending, deps);
  if (planned && 'error' in planned) return fail(execution, pending, planned.error, deps);
  const isIn = async () => isAdmitted((await objects.get('Lane', { namespace, name: execution.spec.lane }))?.status, name);
  // Where it has its slot, and nothing had to be read that takes time, one write tells both what runs and that it does.
  // Whoever comes to it again freezes first what is run.
  if (planned && isQuick(project) && deps.attempt === 1 && (admitted || (await isIn())))
    return beginExecution(execution, defined(pending, planned), deps, event);
  const queued = await modifyStatus(
    objects,
    'Execution',
    { namespace, name },
    ({ status = PENDING }) => (planned && status.phase === 'Pending' ? defined(withCommit(status, commit), planned) : undefined),
    execution,
  );
  // Looked at after the write: whoever writes last, this or the lane, sees the other (execution-admitted).
  if (queued.status?.phase !== 'Queued' || !(admitted || (await isIn()))) return {};
  return beginExecution(queued, queued.status, deps, event);
}

/** For an event that does not say, of an earlier version. */
async function commitOf(objects: Objects, ref: Ref): Promise<Commit | undefined> {
  return (await objects.get('Artifact', ref))?.status?.git;
}

/** Its pipeline is known without the repository. */
function isQuick({ spec }: Obj<'Project'>): boolean {
  return spec.stages !== undefined || spec.pipeline !== undefined;
}

/** It was closed, perhaps while its first stage was being started and nothing of that was written yet: then what was started is known by the plan. */
async function endUnwritten(execution: Obj<'Execution'>, status: StatusOf<'Execution'>, project: Obj<'Project'> | undefined, deps: Deps<Entry>) {
  const planned = status.definition || !project || !status.sha ? undefined : await plan(project, execution, status, deps);
  const definition = planned && !('error' in planned) ? planned.stages : status.definition;
  await endLeftovers({ ...execution, status: { ...status, ...(definition && { definition }) } }, 0, deps.runner);
  return {};
}

async function plan(project: Obj<'Project'>, execution: Obj<'Execution'>, status: StatusOf<'Execution'>, { objects, git, attempt, lastAttempt }: Deps<Entry>) {
  const earlier = execution.spec.rerunOf && (await objects.get('Execution', { namespace: execution.metadata.namespace, name: execution.spec.rerunOf }));
  if (earlier && earlier.status?.definition) {
    const { definition, site } = earlier.status;
    return { stages: definition, definedBy: `the definition of ${earlier.metadata.name}, which this runs again`, site };
  }
  const sha = status.sha;
  if (!sha) throw new Error(`The source of execution ${execution.metadata.name} was told to be resolved, but has no commit`);
  const { url, credential } = project.spec.source;
  const repository = { url, ...(credential && { credential: credentialRef(project.metadata.namespace, credential) }) };
  try {
    const pipeline = project.spec.pipeline ? await objects.get('Pipeline', { namespace: project.metadata.namespace, name: project.spec.pipeline }) : undefined;
    if (project.spec.pipeline && !pipeline) return { error: `The project names the pipeline ${project.spec.pipeline}, which does not exist` };
    const files = await planFiles(project.spec, { list: (path) => git.list(repository, sha, path), read: (path) => git.readFile(repository, sha, path) });
    return planPipeline({ project: project.spec, files, sha, ...(pipeline && { pipeline: pipeline.spec.stages }) });
  } catch (error) {
    // At the last attempt too: an execution that nobody closes would hold its lane for ever.
    if (error instanceof GitError && (error.kind !== 'unreachable' || attempt >= lastAttempt)) return { error: error.message };
    throw error;
  }
}

function withCommit(status: StatusOf<'Execution'>, commit: Commit | undefined): StatusOf<'Execution'> {
  return commit ? { ...status, sha: commit.sha, commitTime: commit.commitTime, ...(commit.subject && { subject: commit.subject }) } : status;
}

function fail(execution: Obj<'Execution'>, pending: StatusOf<'Execution'>, reason: string, { now }: Deps<Entry>) {
  const status = closed(pending, 'Failed', now(), reason.slice(0, 4096));
  return { status: { ...execution, status }, outputs: [finishedEvent(execution, status)] };
}
