// /projects: what is built, from where, and what is live.
import type { Hono } from 'hono';
import { z } from 'zod';
import { projectLabels } from '../../../shared/decisions/names.ts';
import { localPath } from '../../../shared/decisions/source/repository.ts';
import { namespace } from '../../../shared/objects/fields.ts';
import { projectName, projectSpec } from '../../../shared/objects/project.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Head } from '../../../shared/ports/git.ts';
import { Conflict } from '../../../shared/ports/objects.ts';
import type { Api } from '../deps.ts';
import { mergePatch } from '../http/merge-patch.ts';
import { placed } from '../http/namespaces.ts';
import { invalid, Problem } from '../http/problem.ts';
import { deletedProject, deleteProject } from './project-delete.ts';
import { checkSource } from './project-source.ts';
import { projectView, viewProject } from './project-view.ts';
import { find, list, newest, reply } from '../http/reply.ts';
import { body, page, query } from '../http/request.ts';

const PATCH_TRIES = 5;

const createBody = z.strictObject({ name: projectName, namespace: namespace.optional(), ...projectSpec.shape });
const createdProject = projectView.extend({
  /** Whether a first build follows by itself: there is something to build. */
  firstBuild: z.boolean(),
});
export type CreateProject = z.input<typeof createBody>;
export type CreatedProject = z.infer<typeof createdProject>;
const patchBody = z.record(z.string().max(64), z.unknown());

export function projects(app: Hono, api: Api): void {
  app.get('/projects', async (c) => {
    const found = await newest(api, 'Project', query(c.req.raw, z.strictObject(page)));
    const items = await Promise.all(found.items.map((project) => viewProject(api.at(project.metadata.namespace), project, c.req.raw, false)));
    return reply(list(projectView), { ...found, items });
  });

  app.post('/projects', async (c) => {
    const { name, namespace: said, ...spec } = await body(c.req.raw, createBody);
    const there = await placed(api, said);
    const ref = { namespace: there.namespace, name };
    if (await api.objects.get('Project', ref)) throw exists(name);
    const { defaultBranch, heads } = await checkSource(there, spec);
    const status = { ...(defaultBranch && { defaultBranch }) };
    const project = await api.objects.create<'Project'>({ kind: 'Project', metadata: { ...ref, labels: projectLabels(spec) }, spec, status });
    const firstBuild = await requestFirstBuild(there, project, heads);
    return reply(createdProject, { ...(await viewProject(there, project, c.req.raw, true)), firstBuild }, 201);
  });

  app.get('/projects/:project', async (c) => {
    const project = await find(api, 'Project', c.req.param('project'));
    return reply(projectView, await viewProject(api, project, c.req.raw, true));
  });

  app.patch('/projects/:project', async (c) => {
    const change = await body(c.req.raw, patchBody);
    const project = await patchProject(api, c.req.param('project'), change);
    return reply(projectView, await viewProject(api, project, c.req.raw, true));
  });

  app.delete('/projects/:project', async (c) => reply(deletedProject, await deleteProject(api, c.req.param('project'))));
}

function exists(name: string): Problem {
  return new Problem(409, 'exists', `There is already a project "${name}". Choose another name, change that one (PATCH), or delete it first.`);
}

/** The head of its branch is built at once. Of repositories that are watched the watch sees to that; of the others this does. */
async function requestFirstBuild(api: Api, { metadata: { name, uid }, spec, status }: Obj<'Project'>, heads: readonly Head[]): Promise<boolean> {
  const branch = spec.source.branch ?? status?.defaultBranch;
  const ref = `refs/heads/${branch ?? ''}`;
  if (spec.paused || !heads.some((head) => head.ref === ref)) return false;
  const isWatched = localPath(spec.source.url) !== undefined || spec.poll !== undefined;
  if (isWatched) return true;
  const data = { namespace: api.namespace, project: name, ref, trigger: 'auto' as const };
  await api.publish([{ type: 'dev.tidemill.execution.requested.v1', subject: name, data }], { key: `first-${uid}` });
  return true;
}

/** A JSON merge patch (RFC 7396) of the spec: null takes a field away. */
async function patchProject(api: Api, name: string, change: Record<string, unknown>): Promise<Obj<'Project'>> {
  let last: unknown;
  for (let tries = 0; tries < PATCH_TRIES; tries++) {
    const project = await find(api, 'Project', name);
    const checked = projectSpec.safeParse(mergePatch(project.spec, change));
    if (!checked.success) throw invalid(422, 'changed project', checked.error);
    const spec = checked.data;
    if (change['source'] !== undefined) await checkSource(api, spec);
    const labels = { ...project.metadata.labels, ...projectLabels(spec) };
    try {
      return await api.objects.update({ ...project, spec, metadata: { ...project.metadata, labels } });
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      last = error;
    }
  }
  throw last;
}
