// A ref moved: record the push, find the projects that it concerns, and open an execution for each, or say why not.
import { forgetHead } from '../../shared/decisions/lane.ts';
import { environmentOf, laneName, releaseName, shortRef } from '../../shared/decisions/names.ts';
import type { EventOf, Output } from '../../shared/events/event.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { eachObject, modifyStatus } from '../../shared/host/modify.ts';
import { openExecution } from '../../shared/host/open-execution.ts';
import type { NewObj, Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { PRODUCTION } from '../../shared/objects/release.ts';
import type { Objects } from '../../shared/ports/objects.ts';
import { repositoryLabel } from '../../shared/decisions/names.ts';
import type { functions } from '../graph.ts';
import { findPush } from './find-push.ts';
import { whyNot } from './why-not.ts';

type Entry = (typeof functions)['git-push'];
type Event = EventOf<Entry['consumes'][number]>;
type Emitted = Output<Entry['emits'][number]>;
type Result = StatusOf<'Push'>['results'][number];

export const handle: Handler<Entry> = async (event, deps) => {
  const { objects, now } = deps;
  const projects = await projectsOf(objects, event.data.repository);
  const push = await findPush(event, projects, objects, now());
  if (!push) return {};

  const create: NewObj[] = [];
  const outputs: Emitted[] = [];
  const results: Result[] = [];
  for (const project of projects) {
    const { result, ...rest } = await answer(event, push, project, objects);
    create.push(...rest.create);
    outputs.push(...rest.outputs);
    results.push({ namespace: project.metadata.namespace, project: project.metadata.name, ...result });
  }
  const skipped = projects.length === 0 ? `No project builds ${event.data.repository}: add one with \`tidemill add\`` : undefined;
  return { create, outputs, status: { ...push, status: { ...push.status!, results, ...(skipped && { skipped }) } } };
};

async function projectsOf(objects: Objects, repository: string): Promise<Obj<'Project'>[]> {
  const projects: Obj<'Project'>[] = [];
  for await (const project of eachObject(objects, 'Project', { labels: { [LABEL.repository]: repositoryLabel(repository) } })) projects.push(project);
  return projects;
}

interface Answer {
  create: NewObj[];
  outputs: Emitted[];
  result: Pick<Result, 'execution' | 'skipped'>;
}

async function answer(event: Event, push: Obj<'Push'>, project: Obj<'Project'>, objects: Objects): Promise<Answer> {
  const skipped = whyNot(event, project);
  if (skipped) return { create: [], outputs: [], result: { skipped } };
  if (event.type === 'dev.tidemill.git.branch-deleted.v1') return branchDeleted(event.data.ref, project, objects);
  if (event.type === 'dev.tidemill.pull-request.changed.v1') throw new Error('a pull request opens no execution: whyNot() has the reason');
  const { ref, before, after, pushedAt, by, teller } = event.data;
  const opened = await openExecution(objects, {
    project,
    ref,
    sha: after,
    cause: push.metadata.name,
    push: push.metadata.name,
    trigger: teller,
    ...(by && { by }),
    ...(ref.startsWith('refs/heads/') && { move: { before, after, ...(pushedAt && { pushedAt }) } }),
  });
  return { create: opened.create, outputs: opened.outputs, result: { execution: opened.name } };
}

/** Its preview is taken off the air; production stays, whatever happened to its branch. */
async function branchDeleted(ref: string, project: Obj<'Project'>, objects: Objects): Promise<Answer> {
  const { namespace, name } = project.metadata;
  const lane = { namespace, name: laneName(name, ref) };
  if (await objects.get('Lane', lane)) await modifyStatus(objects, 'Lane', lane, ({ status }) => status && forgetHead(status));
  const environment = environmentOf(ref, project.spec.source.branch ?? project.status?.defaultBranch ?? 'main');
  const isPreview = environment !== PRODUCTION && (await objects.get('Release', { namespace, name: releaseName(name, environment) }));
  if (!isPreview) return { create: [], outputs: [], result: { skipped: `Branch ${shortRef(ref)} was deleted; it had no preview to take down` } };
  const output: Emitted = { type: 'dev.tidemill.release.requested.v1', subject: name, data: { namespace, project: name, environment, action: 'retire', trigger: 'webhook' } };
  return { create: [], outputs: [output], result: { skipped: `Branch ${shortRef(ref)} was deleted; its preview is taken down` } };
}
