// The versions of a project: its built sites, found by their names through the label index.
import { labelHash } from '../../../shared/decisions/names.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Api } from '../deps.ts';
import { Problem } from '../http/problem.ts';
import { newest } from '../http/reply.ts';

/** "latest" is the newest version built from the default branch or a tag. Throws Problem 404 or 409 saying what to do. */
export async function findVersion(api: Api, project: Obj<'Project'>, version: string): Promise<Obj<'Artifact'>> {
  const { name } = project.metadata;
  if (version === 'latest') return latest(api, project);
  const labels = { [LABEL.project]: name, [LABEL.version]: labelHash(name, version) };
  const { items } = await api.objects.list('Artifact', { namespace: api.namespace, labels, limit: 10 });
  const found = items.find((artifact) => artifact.status?.version === version);
  if (!found) throw new Problem(404, 'not-found', `Project ${name} has no version "${version}". \`tidemill list ${name}\` shows those there are.`);
  return found;
}

/**
 * What is called by this version in any project: one index lookup for each project of the page, never a scan of artifacts.
 * `next`: where the projects that were not looked at yet begin.
 */
export async function artifactsOfVersion(
  api: Api,
  version: string,
  page: { limit: number; continue?: string | undefined },
): Promise<{ items: Obj<'Artifact'>[]; continue?: string }> {
  const projects = await newest(api, 'Project', page);
  const found = await Promise.all(
    projects.items.map(({ metadata: { namespace, name } }) =>
      api.objects.list('Artifact', { namespace, labels: { [LABEL.project]: name, [LABEL.version]: labelHash(name, version) }, limit: 1 }),
    ),
  );
  const items = found.flatMap((artifacts) => artifacts.items);
  return { items, ...(projects.continue !== undefined && { continue: projects.continue }) };
}

async function latest(api: Api, project: Obj<'Project'>): Promise<Obj<'Artifact'>> {
  const { latest: known } = project.status ?? {};
  const artifact = known && (await api.objects.get('Artifact', { namespace: api.namespace, name: known.artifact }));
  if (!artifact)
    throw new Problem(
      409,
      'nothing-built',
      `Nothing was built from the default branch of ${project.metadata.name} yet. Push a commit, or \`tidemill trigger ${project.metadata.name}\`.`,
    );
  return artifact;
}
