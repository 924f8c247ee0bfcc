// /artifacts: what was resolved and built, by digest; and the archive of a built site.
import { Readable } from 'node:stream';
import type { Hono } from 'hono';
import { z } from 'zod';
import { artifactStatus } from '../../../shared/objects/artifact.ts';
import { digest, gitRef, name, namespace, text, timestamp, url } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import type { Digest } from '../../../shared/ports/storage.ts';
import type { Api } from '../deps.ts';
import { findArchivedArtifact } from '../executions/archived.ts';
import { Problem } from '../http/problem.ts';
import { find, list, missing, newest, reply } from '../http/reply.ts';
import { page, query } from '../http/request.ts';
import { artifactsOfVersion } from './versions.ts';

const common = { name, namespace, createdAt: timestamp, project: name, ...artifactStatus.omit({ conditions: true, outbox: true }).shape };

const artifactView = z.discriminatedUnion('type', [
  z.object({ ...common, execution: name.optional(), type: z.literal('git'), url, ref: gitRef }),
  z.object({
    ...common,
    execution: name,
    type: z.literal('site'),
    source: name,
    taskRun: name,
    manifest: digest,
    archive: digest,
    files: z.int(),
    size: z.int(),
  }),
]);
export type ArtifactView = z.infer<typeof artifactView>;

const versionView = z.object({ version: z.string(), artifact: name, execution: name, createdAt: timestamp, files: z.int(), size: z.int() });
export type VersionView = z.infer<typeof versionView>;

const filter = z.strictObject({
  ...page,
  project: name.optional(),
  execution: name.optional(),
  type: z.enum(['git', 'site']).optional(),
  /** Of any project; goes with no other filter. A page then covers `limit` projects. */
  version: text(128).optional(),
});

export function artifacts(app: Hono, api: Api): void {
  app.get('/artifacts', async (c) => {
    const { project, execution, type, version, ...rest } = query(c.req.raw, filter);
    if (version !== undefined) {
      if (project ?? execution ?? type) throw new Problem(400, 'invalid', 'Give the version alone, or /projects/<project>/versions for those of one project.');
      const named = await artifactsOfVersion(api, version, rest);
      return reply(list(artifactView), { ...named, items: named.items.map(view) });
    }
    const labels = { ...(project !== undefined && { [LABEL.project]: project }), ...(execution !== undefined && { [LABEL.execution]: execution }) };
    const found = await newest(api, 'Artifact', { ...rest, labels, ...(type && { keep: (artifact) => artifact.spec.type === type }) });
    const source = execution !== undefined && type !== 'site' && !found.continue ? await sourceOf(api, execution, project) : undefined;
    const items = source && !found.items.some(({ metadata }) => metadata.uid === source.metadata.uid) ? [...found.items, source] : found.items;
    return reply(list(artifactView), { ...found, items: items.map(view) });
  });

  app.get('/artifacts/:artifact', async (c) => reply(artifactView, view(await findArtifact(api, c.req.param('artifact')))));

  app.get('/projects/:project/versions', async (c) => {
    const project = await find(api, 'Project', c.req.param('project'));
    const labels = { [LABEL.project]: project.metadata.name };
    const found = await newest(api, 'Artifact', { ...query(c.req.raw, z.strictObject(page)), labels, keep: (artifact) => artifact.spec.type === 'site' });
    return reply(list(versionView), { ...found, items: found.items.flatMap(versionOf) });
  });

  app.get('/artifacts/:artifact/archive', async (c) => archive(api, await findArtifact(api, c.req.param('artifact'))));
}

/** What an execution runs at, which may have been made for an earlier one: it comes last, as the oldest. */
async function sourceOf({ objects, namespace }: Api, name: string, project: string | undefined): Promise<Obj<'Artifact'> | undefined> {
  const execution = await objects.get('Execution', { namespace, name });
  if (!execution || (project !== undefined && execution.spec.project !== project)) return undefined;
  return objects.get('Artifact', { namespace, name: execution.spec.source });
}

/** Archived or not: the bytes of a site outlive its object. */
async function findArtifact(api: Api, name: string): Promise<Obj<'Artifact'>> {
  const artifact = (await api.objects.get('Artifact', { namespace: api.namespace, name })) ?? (await findArchivedArtifact(api, name));
  if (!artifact) throw missing('Artifact', name);
  return artifact;
}

function view({ metadata, spec, status }: Obj<'Artifact'>): z.input<typeof artifactView> {
  return { phase: 'Unresolved', ...spec, ...status, name: metadata.name, namespace: metadata.namespace, createdAt: metadata.creationTimestamp };
}

function versionOf({ metadata, spec, status }: Obj<'Artifact'>): VersionView[] {
  if (spec.type !== 'site' || !status?.version) return [];
  const { execution, files, size } = spec;
  return [{ version: status.version, artifact: metadata.name, execution, createdAt: metadata.creationTimestamp, files, size }];
}

/** The reproducible tar.gz, streamed. Its digest is checked on the way: what rotted ends the connection before the end. */
async function archive(api: Api, { metadata, spec, status }: Obj<'Artifact'>): Promise<Response> {
  if (spec.type !== 'site') throw new Problem(409, 'no-archive', `Artifact ${metadata.name} is a commit, not a built site: only sites have an archive.`);
  const blob = await api.storage.getBlob(spec.archive as Digest);
  if (!blob) throw new Problem(410, 'gone', `The archive of ${metadata.name} is no longer stored.`);
  const file = `${spec.project}-${status?.version ?? metadata.name}.tar.gz`;
  return new Response(Readable.toWeb(blob.body) as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': 'application/gzip',
      'content-length': String(blob.size),
      'content-disposition': `attachment; filename="${file}"`,
      etag: `"${spec.archive}"`,
    },
  });
}
