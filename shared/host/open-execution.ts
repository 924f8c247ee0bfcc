// Opens an execution: a number in its lane, the Execution, and its source Artifact where none stands for its commit yet; safe to do again.
import type { EventData } from '../events/types.ts';
import { emptyLane, enterLane, type HeadMove, isAdmitted, lanePolicy, whyBehind } from '../decisions/lane.ts';
import { commitName, executionName, laneName, sourceName } from '../decisions/names.ts';
import { commitResolved } from '../decisions/source/resolved.ts';
import type { Output } from '../events/event.ts';
import type { NewObj, Obj, SpecOf } from '../objects/kinds.ts';
import type { LaneEntry } from '../objects/lane.ts';
import { LABEL } from '../objects/meta.ts';
import type { Objects } from '../ports/objects.ts';
import { ensure, modifyStatus } from './modify.ts';

export interface Request {
  project: Obj<'Project'>;
  /** What was read for it just now, which saves reading it again. */
  ahead?: Ahead;
  /** The cause came to be just now: there is no execution of it yet, and none is looked for. */
  isNew?: boolean;
  ref: string;
  sha?: string;
  /** What asks for it: the name of a Push, or the id of an event. The execution's name is derived from it. */
  cause: string;
  trigger: SpecOf<'Execution'>['trigger'];
  by?: string;
  push?: string;
  rerun?: {
    of: string;
    /** Why the execution that is run again was outdated. */
    outdated?: string | undefined;
  };
  move?: HeadMove;
}

/** What opening an execution begins with. */
export interface Ahead {
  /** Undefined: there is none yet. */
  lane: Obj<'Lane'> | undefined;
  commit: Commit | undefined;
}

export interface Opened {
  name: string;
  create: NewObj[];
  outputs: Output<'dev.tidemill.artifact.requested.v1' | 'dev.tidemill.artifact.resolved.v1' | 'dev.tidemill.execution.cancel-requested.v1'>[];
}

/** Enters the lane (at once) and gives what is to be created and told. Throws LaneFull. */
export async function openExecution(objects: Objects, request: Request): Promise<Opened> {
  const { namespace } = request.project.metadata;
  const project = request.project.metadata.name;
  const name = executionName(project, request.cause);
  const [there, lane, commit] = await Promise.all([
    request.isNew ? undefined : objects.get('Execution', { namespace, name }),
    request.ahead?.lane ?? ensureLane(objects, request.project, request.ref),
    request.ahead ? request.ahead.commit : commitOf(objects, request),
  ]);
  const entered = there
    ? { number: there.spec.number, outdated: there.spec.outdated, superseded: [], admitted: false }
    : await enter(objects, request, name, lane);
  const source = there?.spec.source ?? (commit && canServe(commit, name) ? commit.name : sourceName(name));
  const resolved = commit?.name === source && commit.there?.status?.phase === 'Resolved' ? commit.there.status : undefined;
  const execution = executionOf(request, name, source, entered);
  const about = { namespace, project, execution: name, artifact: source, ...(entered.admitted && { admitted: true }) };
  return {
    name,
    create: resolved ? [execution] : [execution, sourceOf(request, source, name)],
    outputs: [
      resolved ? commitResolved(about, resolved) : { type: 'dev.tidemill.artifact.requested.v1', subject: name, data: about },
      ...entered.superseded.map((entry) => supersede(namespace, project, entry, entered.number)),
    ],
  };
}

export interface Commit {
  name: string;
  there: Obj<'Artifact'> | undefined;
}

/** Reads, and nothing else: it can be done before it is known whether an execution is to be opened. */
export async function readAhead(objects: Objects, request: Pick<Request, 'project' | 'ref' | 'sha'>): Promise<Ahead> {
  const { namespace, name } = request.project.metadata;
  const [lane, commit] = await Promise.all([
    objects.get('Lane', { namespace, name: laneName(name, request.ref) }, { mayLag: true }),
    commitOf(objects, request),
  ]);
  return { lane, commit };
}

/** The Artifact of a commit that is known; undefined where it is to be found out, or where somebody made another thing of that name. */
async function commitOf(objects: Objects, { project, sha }: Pick<Request, 'project' | 'sha'>): Promise<Commit | undefined> {
  if (!sha) return undefined;
  const { source } = project.spec;
  const name = commitName(project.metadata.name, source, sha);
  const there = await objects.get('Artifact', { namespace: project.metadata.namespace, name }, { mayLag: true });
  if (!there) return { name, there };
  const { spec } = there;
  const isIt =
    spec.type === 'git' && spec.project === project.metadata.name && spec.url === source.url && spec.ref === sha && spec.credential === source.credential;
  return isIt ? { name, there } : undefined;
}

/**
 * One that could not be resolved says nothing of whether it can be now, and one that is being resolved is somebody else's to wait for,
 * unless an earlier attempt made it for this very execution.
 */
function canServe({ there }: Commit, execution: string): boolean {
  return there === undefined || there.status?.phase === 'Resolved' || there.spec.execution === execution;
}

/** The lane of a ref; made where there is none yet. */
export async function ensureLane(objects: Objects, { metadata: { name: project, namespace } }: Obj<'Project'>, ref: string): Promise<Obj<'Lane'>> {
  return ensure(objects, { kind: 'Lane', metadata: { name: laneName(project, ref), namespace, labels: { [LABEL.project]: project } }, spec: { project, ref } });
}

async function enter(objects: Objects, request: Request, execution: string, lane: Obj<'Lane'>) {
  const policy = lanePolicy(request.project.spec.lane);
  let entered: { number: number; outdated?: string; superseded: LaneEntry[]; admitted: boolean } | undefined;
  const decide = (object: Obj<'Lane'>) => {
    const status = object.status ?? emptyLane(policy);
    const behind = request.rerun && request.sha ? whyBehind(status, request.sha, request.rerun.outdated) : undefined;
    const result = enterLane(status, execution, policy, request.move, behind);
    entered = { ...result, admitted: isAdmitted(result.lane, execution) };
    return result.lane;
  };
  await modifyStatus(objects, 'Lane', lane.metadata, decide, lane);
  return entered!;
}

function executionOf(
  request: Request,
  name: string,
  source: string,
  { number, outdated }: { number: number; outdated?: string | undefined },
): NewObj<'Execution'> {
  const { project, ref } = request;
  return {
    kind: 'Execution',
    metadata: {
      name,
      namespace: project.metadata.namespace,
      labels: {
        [LABEL.project]: project.metadata.name,
        [LABEL.lane]: laneName(project.metadata.name, ref),
        [LABEL.active]: 'true',
        ...(source !== sourceName(name) && { [LABEL.source]: source }),
      },
    },
    spec: {
      project: project.metadata.name,
      lane: laneName(project.metadata.name, ref),
      number,
      ref,
      source,
      trigger: request.trigger,
      ...(request.sha && { sha: request.sha }),
      ...(request.by && { by: request.by }),
      ...(request.push && { push: request.push }),
      ...(request.rerun && { rerunOf: request.rerun.of }),
      ...(outdated && { outdated }),
    },
  };
}

function sourceOf({ project, ref, sha }: Request, name: string, execution: string): NewObj<'Artifact'> {
  const { url, credential } = project.spec.source;
  return {
    kind: 'Artifact',
    metadata: {
      name,
      namespace: project.metadata.namespace,
      labels: { [LABEL.project]: project.metadata.name, [LABEL.execution]: execution },
    },
    spec: { type: 'git', project: project.metadata.name, execution, url, ref: sha ?? ref, ...(credential && { credential }) },
  };
}

function supersede(namespace: string, project: string, entry: LaneEntry, by: number): Opened['outputs'][number] {
  const data: EventData<'dev.tidemill.execution.cancel-requested.v1'> = {
    namespace,
    project,
    execution: entry.execution,
    reason: `superseded by execution number ${by}`,
  };
  return { type: 'dev.tidemill.execution.cancel-requested.v1', subject: entry.execution, data };
}
