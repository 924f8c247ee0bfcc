// /releases, and moving them: deploy a version, roll back to one.
import type { Hono } from 'hono';
import { z } from 'zod';
import { releaseName } from '../../../shared/decisions/names.ts';
import { name, reason, text } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { PRODUCTION } from '../../../shared/objects/release.ts';
import type { Api } from '../deps.ts';
import { requestKey } from '../http/idempotency.ts';
import type { Wanted } from './release-outcome.ts';
import { releaseOutcome, whatWouldNotChange } from './release-outcome.ts';
import { releaseView, viewRelease } from './release-view.ts';
import { Problem } from '../http/problem.ts';
import { find, list, newest, reply } from '../http/reply.ts';
import { body, optionalBody, page, query } from '../http/request.ts';
import { findVersion } from './versions.ts';

const MAX_WAIT_S = 60;

const filter = z.strictObject({ ...page, project: name.optional() });
const waitQuery = z.strictObject({
  /** Seconds to wait for what comes of it. */
  wait: z.coerce.number().int().min(0).max(MAX_WAIT_S).default(0),
});
const deployBody = z.strictObject({ version: text(128), environment: name.default(PRODUCTION), by: text(128).optional() });
const rollbackBody = z.strictObject({ version: text(128).optional(), environment: name.default(PRODUCTION), by: text(128).optional() });

const outcome = z.object({
  /** "pending": not known yet; the release itself will say. "unchanged": it was live already. */
  outcome: z.enum(['deployed', 'rolledback', 'unchanged', 'refused', 'pending']),
  reason: reason.optional(),
  event: text(256).optional(),
  release: releaseView.optional(),
});
export type ReleaseOutcome = z.infer<typeof outcome>;

export function releases(app: Hono, api: Api): void {
  app.get('/releases', async (c) => {
    const { project, ...rest } = query(c.req.raw, filter);
    const found = await newest(api, 'Release', { ...rest, ...(project !== undefined && { labels: { [LABEL.project]: project } }) });
    return reply(list(releaseView), { ...found, items: await Promise.all(found.items.map((release) => viewRelease(api, release, c.req.raw))) });
  });

  app.get('/releases/:release', async (c) => reply(releaseView, await viewRelease(api, await find(api, 'Release', c.req.param('release')), c.req.raw)));

  app.post('/projects/:project/deploy', async (c) => {
    const { wait } = query(c.req.raw, waitQuery);
    const { version, environment, by } = await body(c.req.raw, deployBody);
    const project = await find(api, 'Project', c.req.param('project'));
    const artifact = await findVersion(api, project, version);
    const wanted = { action: 'deploy' as const, artifact: artifact.metadata.name, ...(artifact.status?.version && { version: artifact.status.version }) };
    return move(api, c.req.raw, project, { ...wanted, environment, ...(by && { by }) }, wait);
  });

  app.post('/projects/:project/rollback', async (c) => {
    const { wait } = query(c.req.raw, waitQuery);
    const { version, environment, by } = await optionalBody(c.req.raw, rollbackBody);
    const project = await find(api, 'Project', c.req.param('project'));
    const ref = { namespace: api.namespace, name: releaseName(project.metadata.name, environment) };
    if (!(await api.objects.get('Release', ref)))
      throw new Problem(404, 'not-found', `Nothing of project ${project.metadata.name} has been live in ${environment} yet: there is nothing to roll back to.`);
    return move(api, c.req.raw, project, { action: 'rollback', environment, ...(version && { version }), ...(by && { by }) }, wait);
  });
}

async function move(api: Api, request: Request, project: Obj<'Project'>, wanted: Wanted, wait_s: number): Promise<Response> {
  const ref = { namespace: api.namespace, name: releaseName(project.metadata.name, wanted.environment) };
  const before = await api.objects.get('Release', ref);
  if (before && whatWouldNotChange(before, wanted)) return reply(outcome, { outcome: 'unchanged', release: await viewRelease(api, before, request) });
  // The watch begins before the event is out, so that nothing that comes of it is missed.
  const { resourceVersion: since } = await api.objects.list('Release', {
    namespace: api.namespace,
    labels: { [LABEL.project]: project.metadata.name },
    limit: 1,
  });
  const data = { namespace: api.namespace, project: project.metadata.name, trigger: 'user' as const, ...wanted };
  const key = requestKey(api, request, wanted.action, ref.name, wanted.version ?? '', wanted.artifact ?? '');
  const [event] = await api.publish([{ type: 'dev.tidemill.release.requested.v1', subject: ref.name, data }], { key });
  const end = wait_s > 0 ? await releaseOutcome(api, before, { ...ref, project: project.metadata.name, since }, wait_s * 1000, request.signal) : undefined;
  if (!end) return reply(outcome, { outcome: 'pending', event: event!.id }, 202);
  const { release, ...said } = end;
  return reply(outcome, { ...said, event: event!.id, release: await viewRelease(api, release, request) });
}
