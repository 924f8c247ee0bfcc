// A ref moved: record the push, find the projects that it concerns, and open an execution for each, or say why not.
import { matchesBranch } from '../../shared/decisions/source/branches.ts';
import { deleteHead, emptyLane, LaneFull, lanePolicy, whyOutdated } from '../../shared/decisions/lane.ts';
import { environmentOf, laneName, productionBranch, releaseName, repositoryLabel, shortRef } from '../../shared/decisions/names.ts';
import type { EventOf, Output } from '../../shared/events/event.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { eachObject, modifyStatus } from '../../shared/host/modify.ts';
import { type Ahead, ensureLane, openExecution, readAhead } from '../../shared/host/open-execution.ts';
import type { NewObj, Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { PRODUCTION } from '../../shared/objects/release.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import type { functions } from '../graph.ts';
import { findPush } from './find-push.ts';
import { whyNot } from './why-not.ts';

const MAX_REASON = 4096;
const NO_COMMIT = '0'.repeat(40);
/** For so many projects of one push what opens an execution is read ahead. */
const READ_AHEAD = 16;

type Entry = (typeof functions)['git-push'];
type Event = EventOf<Entry['consumes'][number]>;
type Emitted = Output<Entry['emits'][number]>;
type Result = StatusOf<'Push'>['results'][number];

export const handle: Handler<Entry> = async (event, deps) => {
  const { objects, now, home, attempt } = deps;
  const concerned = projectsOf(objects, event.data.repository);
  const [projects, found, ahead] = await Promise.all([
    concerned,
    findPush(event, concerned, { objects, home, now: now() }),
    aheadOf(event, concerned, objects),
  ]);
  if (!found) return {};

  const create: NewObj[] = [];
  const outputs: Emitted[] = [];
  const results: Result[] = [];
  for (const project of projects) {
    // What an earlier attempt opened, before it could record the push, is found there.
    const concern = { project, ahead: ahead.get(project), push: found.name, isNew: found.isNew && attempt === 1 };
    const { result, ...rest } = await answer(event, concern, objects);
    create.push(...rest.create);
    outputs.push(...rest.outputs);
    results.push({ namespace: project.metadata.namespace, project: project.metadata.name, ...result });
  }
  const skipped = projects.length === 0 ? `No project builds ${event.data.repository}: add one with \`tidemill add\`` : undefined;
  return { create, outputs, ...found.answered({ results, ...(skipped && { skipped }) }) };
};

async function projectsOf(objects: Objects, repository: string): Promise<Obj<'Project'>[]> {
  const labels = { [LABEL.repository]: repositoryLabel(repository) };
  const found = await Array.fromAsync(eachObject(objects, 'Project', { labels, mayLag: true }));
  // That nobody builds it is said only when it is so.
  return found.length > 0 ? found : Array.fromAsync(eachObject(objects, 'Project', { labels }));
}

/** Read while it is looked whether the push was told before. */
async function aheadOf({ type, data }: Event, concerned: Promise<Obj<'Project'>[]>, objects: Objects): Promise<Map<Obj<'Project'>, Ahead>> {
  if (type !== 'dev.tidemill.git.push.v1' && type !== 'dev.tidemill.git.tag.v1') return new Map();
  const { ref, after: sha } = data;
  const read = async (project: Obj<'Project'>) => [project, await readAhead(objects, { project, ref, sha })] as const;
  return new Map(await Promise.all((await concerned).slice(0, READ_AHEAD).map(read)));
}

interface Concerned {
  push: string;
  /** No execution can be there for it. */
  isNew: boolean;
  project: Obj<'Project'>;
  /** As it was read just now; undefined: it was not. */
  ahead: Ahead | undefined;
}

interface Answer {
  create: NewObj[];
  outputs: Emitted[];
  result: Pick<Result, 'execution' | 'skipped'>;
}

async function answer(event: Event, { push, isNew, project, ahead }: Concerned, objects: Objects): Promise<Answer> {
  const skipped = whyNot(event, project);
  if (skipped) return nothing(skipped);
  if (event.type === 'dev.tidemill.git.branch-deleted.v1') return branchDeleted(event, project, objects);
  if (event.type === 'dev.tidemill.pull-request.changed.v1') throw new Error('a pull request opens no execution: whyNot() has the reason');
  const { ref, before, after, pushedAt, by, teller } = event.data;
  try {
    const opened = await openExecution(objects, {
      project,
      ...(ahead && { ahead }),
      isNew,
      ref,
      sha: after,
      cause: push,
      push,
      trigger: teller,
      ...(by && { by }),
      ...(ref.startsWith('refs/heads/') && { move: { before, after, ...(pushedAt && { pushedAt }) } }),
    });
    return { create: opened.create, outputs: opened.outputs, result: { execution: opened.name } };
  } catch (error) {
    // One project's full lane is no reason to hold up the others.
    if (error instanceof LaneFull) return nothing(error.message);
    throw error;
  }
}

function nothing(reason: string): Answer {
  return { create: [], outputs: [], result: { skipped: reason.slice(0, MAX_REASON) } };
}

/** What builds it is cancelled, and its preview is taken off the air; production stays, whatever happened to its branch. */
async function branchDeleted({ data }: Event & { type: 'dev.tidemill.git.branch-deleted.v1' }, project: Obj<'Project'>, objects: Objects): Promise<Answer> {
  const { ref, before, pushedAt } = data;
  const { namespace, name } = project.metadata;
  const environment = environmentOf(ref, productionBranch(project));
  const branch = `Branch ${shortRef(ref)} was deleted`;
  const deletion = { before, ...(pushedAt && { pushedAt }) };
  const lane = await laneOf(ref, project, objects);
  if (lane?.status && whyOutdated(lane.status, { ...deletion, after: NO_COMMIT })) return nothing(`${branch}, and made again before this was told`);
  if (lane) {
    const policy = lanePolicy(project.spec.lane);
    await modifyStatus(objects, 'Lane', { namespace, name: lane.metadata.name }, ({ status }) => deleteHead(status ?? emptyLane(policy), deletion));
  }
  if (environment === PRODUCTION) return nothing(`${branch}; what is in production stays`);
  const building = lane?.status ? [...lane.status.running, ...lane.status.waiting] : [];
  const last = lane?.status?.last;
  const preview = await objects.get('Release', { namespace, name: releaseName(name, environment) });
  // What was ever built of it may be on its way to a release that is not there yet.
  if (!preview && !last) return nothing(`${branch}; it had no preview to take down`);
  const counted = lane && last ? { lane: lane.metadata.name, number: last } : {};
  const retire: Emitted = {
    type: 'dev.tidemill.release.requested.v1',
    subject: name,
    data: { namespace, project: name, environment, action: 'retire', trigger: data.teller, ...counted },
  };
  const cancel = building.map(({ execution }): Emitted => {
    const reason = `branch ${shortRef(ref)} was deleted`;
    return { type: 'dev.tidemill.execution.cancel-requested.v1', subject: execution, data: { namespace, project: name, execution, reason } };
  });
  return { ...nothing(`${branch}; its preview is taken down`), outputs: [retire, ...cancel] };
}

/** A branch that would be built has one even if it never was: a push of it may be told after its deletion. */
async function laneOf(ref: string, project: Obj<'Project'>, objects: Objects): Promise<Obj<'Lane'> | undefined> {
  const { branches } = project.spec;
  if (!branches || matchesBranch(branches, shortRef(ref))) return ensureLane(objects, project, ref);
  return objects.get('Lane', { namespace: project.metadata.namespace, name: laneName(project.metadata.name, ref) });
}
