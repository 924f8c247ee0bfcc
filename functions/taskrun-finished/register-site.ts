// A TaskRun left a site: give it a version, make its files visible under it, and describe it as an Artifact.
import { labelHash, siteName, storageFolder } from '../../shared/decisions/names.ts';
import { nthVersion, versionName } from '../../shared/decisions/version.ts';
import type { Deps } from '../../shared/host/contract.ts';
import type { NewObj, Obj } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { digest as digestSchema } from '../../shared/objects/fields.ts';
import { AlreadyStored, type Digest } from '../../shared/ports/storage.ts';
import { readManifest } from '../../shared/site/manifest.ts';
import type { functions } from '../graph.ts';

/** A commit rebuilt with other content so often: then something is wrong with the build, not with the name. */
const MAX_REBUILDS = 1000;

interface Left {
  manifest: Digest;
  archive: Digest;
  files: number;
  size: number;
  packageVersion: string;
}

/** Undefined: the TaskRun left no site. `refused`: it did, and why it cannot be taken. */
export async function registerSite(
  execution: Obj<'Execution'>,
  taskRun: Obj<'TaskRun'>,
  deps: Pick<Deps<(typeof functions)['taskrun-finished']>, 'objects' | 'storage' | 'now'>,
): Promise<{ artifact: NewObj<'Artifact'> } | { refused: string } | undefined> {
  const left = whatWasLeft(taskRun);
  if (!left) return undefined;
  const { namespace, name } = taskRun.metadata;
  const { project, source, ref } = execution.spec;
  const { sha, commitTime } = execution.status ?? {};
  if (!sha || !commitTime) throw new Error(`Execution ${execution.metadata.name} has a TaskRun that left a site, and no commit that it runs at`);
  const wanted = versionName({ ref, sha, commitTime }, left.packageVersion);
  const published = await publish(storageFolder(namespace, project), wanted, ref.startsWith('refs/tags/'), left, deps);
  if ('refused' in published) return published;
  const now = deps.now();
  return {
    artifact: {
      kind: 'Artifact',
      metadata: {
        name: siteName(name),
        namespace,
        labels: { [LABEL.project]: project, [LABEL.execution]: execution.metadata.name, [LABEL.version]: labelHash(project, published.version) },
      },
      spec: {
        type: 'site',
        project,
        execution: execution.metadata.name,
        source,
        taskRun: name,
        manifest: left.manifest,
        archive: left.archive,
        files: left.files,
        size: left.size,
        ...(execution.status?.site && { site: execution.status.site }),
      },
      status: {
        phase: 'Resolved',
        digest: left.manifest,
        version: published.version,
        resolvedAt: now,
        conditions: [{ type: 'Resolved', status: 'True', reason: 'Stored', lastTransitionTime: now }],
      },
    },
  };
}

type Deployable = Pick<Deps<(typeof functions)['taskrun-finished']>, 'storage'>;

/** Under the first name of its row that is free or holds the same files already. A tag has only the one name. */
async function publish(
  folder: string,
  wanted: string,
  isTag: boolean,
  left: Left,
  { storage }: Deployable,
): Promise<{ version: string } | { refused: string }> {
  const manifest = await readManifest(storage, left.manifest);
  for (let n = 0; n < (isTag ? 1 : MAX_REBUILDS); n++) {
    const version = nthVersion(wanted, n);
    try {
      await storage.publishTree(`${folder}/${version}`, manifest.entries);
    } catch (error) {
      if (error instanceof AlreadyStored) continue;
      throw error;
    }
    // An archive that is there already is of the same files: it may only have been packed by another zlib.
    const archive = `${folder}/archive/${version}.tar.gz`;
    if (!(await storage.stat(archive))) await storage.publishBlob(archive, left.archive);
    return { version };
  }
  if (isTag) return { refused: `Version ${wanted} is stored already with other content: a tag that was released does not change; push a new tag` };
  throw new Error(`${wanted} of ${folder} was built ${MAX_REBUILDS} times with other content each time: the build is not reproducible`);
}

function whatWasLeft(taskRun: Obj<'TaskRun'>): Left | undefined {
  const results = new Map((taskRun.status?.results ?? []).map((result) => [result.name, typeof result.value === 'string' ? result.value.trim() : '']));
  const manifest = digestSchema.safeParse(results.get('manifest'));
  const archive = digestSchema.safeParse(results.get('archive'));
  if (!manifest.success || !archive.success) return undefined;
  const count = (name: string) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Number.parseInt(results.get(name) ?? '0', 10) || 0));
  return {
    manifest: manifest.data as Digest,
    archive: archive.data as Digest,
    files: count('files'),
    size: count('size'),
    packageVersion: results.get('packageVersion') ?? '',
  };
}
