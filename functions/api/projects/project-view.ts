// A Project as the API shows it, with what is live and what happened last.
import { z } from 'zod';
import { releaseName } from '../../../shared/decisions/names.ts';
import { name, namespace, timestamp } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { projectSpec, projectStatus } from '../../../shared/objects/project.ts';
import { PRODUCTION } from '../../../shared/objects/release.ts';
import type { Api } from '../deps.ts';
import { executionSummary, viewExecution } from '../executions/execution-view.ts';
import { releaseView, viewRelease } from '../releases/release-view.ts';
import { newest } from '../http/reply.ts';
import { siteUrl } from '../http/site-url.ts';

const ENVIRONMENTS_SHOWN = 100;

export const projectView = z.object({
  name,
  namespace,
  createdAt: timestamp,
  ...projectSpec.shape,
  status: projectStatus.pick({ conditions: true, defaultBranch: true, latest: true, lastPolled: true }).optional(),
  /** Where production is, or will be once something is released. */
  url: z.string(),
  /** In a list production only; of one project also its previews. */
  releases: z.array(releaseView),
  lastExecution: executionSummary.optional(),
});
export type ProjectView = z.infer<typeof projectView>;

/** The project stands in the namespace of the API that is given. A few reads by name or index, however much history there is. */
export async function viewProject(api: Api, project: Obj<'Project'>, request: Request, previews: boolean): Promise<z.input<typeof projectView>> {
  const { metadata, spec, status } = project;
  const labels = { [LABEL.project]: metadata.name };
  const [releases, executions, url] = await Promise.all([
    previews ? newest(api, 'Release', { labels, limit: ENVIRONMENTS_SHOWN }).then((page) => page.items) : production(api, metadata.name),
    newest(api, 'Execution', { labels, limit: 1 }),
    siteUrl(api, request, { namespace: metadata.namespace, project: metadata.name, host: releaseName(metadata.name, PRODUCTION) }),
  ]);
  const last = executions.items[0];
  return {
    ...spec,
    name: metadata.name,
    namespace: metadata.namespace,
    createdAt: metadata.creationTimestamp,
    ...(status && { status }),
    url,
    releases: await Promise.all(releases.map((release) => viewRelease(api, release, request))),
    ...(last && { lastExecution: viewExecution(last) }),
  };
}

async function production(api: Api, project: string): Promise<Obj<'Release'>[]> {
  const release = await api.objects.get('Release', { namespace: api.namespace, name: releaseName(project, PRODUCTION) });
  return release ? [release] : [];
}
