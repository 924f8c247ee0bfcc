// /pushes: what was told, and what came of it, or why nothing did.
import type { Hono } from 'hono';
import { z } from 'zod';
import { DEFAULT_NAMESPACE, repositoryLabel } from '../../../shared/decisions/names.ts';
import { name, timestamp } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { pushSpec, pushStatus } from '../../../shared/objects/push.ts';
import type { Api } from '../deps.ts';
import { holding } from '../http/namespaces.ts';
import { find, list, newest, reply } from '../http/reply.ts';
import { page, query } from '../http/request.ts';

const pushView = z.object({ name, createdAt: timestamp, ...pushSpec.shape, ...pushStatus.omit({ outbox: true }).shape });
export type PushView = z.infer<typeof pushView>;

const filter = z.strictObject({
  ...page,
  /** Pushes to the repository of this project. */
  project: name.optional(),
});

export function pushes(app: Hono, api: Api): void {
  // They belong to a repository, not to a project, and stand where git-push puts them.
  const told = api.at(api.home ?? DEFAULT_NAMESPACE);
  app.get('/pushes', async (c) => {
    const { project, ...rest } = query(c.req.raw, filter);
    const labels: Record<string, string> =
      project === undefined
        ? {}
        : { [LABEL.repository]: repositoryLabel((await find(await holding(api, 'Project', project), 'Project', project)).spec.source.url) };
    const found = await newest(told, 'Push', { ...rest, labels });
    return reply(list(pushView), { ...found, items: found.items.map(view) });
  });

  app.get('/pushes/:push', async (c) => reply(pushView, view(await find(told, 'Push', c.req.param('push')))));
}

function view({ metadata, spec, status }: Obj<'Push'>): z.input<typeof pushView> {
  return { told: [], results: [], ...spec, ...status, name: metadata.name, createdAt: metadata.creationTimestamp };
}
