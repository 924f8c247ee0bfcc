// Executions wherever they are: those that are objects, and after them those that were archived.
import type { Obj } from '../../../shared/objects/kinds.ts';
import type { Api } from '../deps.ts';
import { missing, newest } from '../http/reply.ts';

type Place = Pick<Api, 'archive' | 'namespace'>;

/** Begins the tokens of pages from the archive; those of objects have no dot. */
const MARK = 'archived.';
/** Documents read for one page, at most, as with objects. */
const SCAN_LIMIT = 1000;

interface Search {
  labels: Record<string, string>;
  project?: string | undefined;
  limit: number;
  continue?: string | undefined;
  keep?: ((execution: Obj<'Execution'>) => boolean) | undefined;
}

interface Page {
  items: Obj<'Execution'>[];
  continue?: string;
}

/** Archived or not. Throws Problem 404. */
export async function findExecution(api: Api, name: string): Promise<Obj<'Execution'>> {
  const live = await api.objects.get('Execution', { namespace: api.namespace, name });
  const execution = live ?? (await api.archive.get(api.namespace, name))?.execution;
  if (!execution) throw missing('Execution', name);
  return execution;
}

/** An Artifact of an archived execution: its source, or a site that nothing live named. */
export async function findArchivedArtifact(api: Place, name: string): Promise<Obj<'Artifact'> | undefined> {
  // Named after the execution (decisions/names.ts): <execution>-source, <execution>-<stage>-<step>.site
  const ofCommit = await api.archive.getBySource(api.namespace, name);
  if (ofCommit) return ofCommit.artifacts.find(({ metadata }) => metadata.name === name);
  const parts = name.replace(/\.site$/, '').split('-');
  for (let count = parts.length - 1; count > 1; count--) {
    const document = await api.archive.get(api.namespace, parts.slice(0, count).join('-'));
    const found = document?.artifacts.find(({ metadata }) => metadata.name === name);
    if (found) return found;
  }
  return undefined;
}

export async function isArchived(api: Place, kind: 'Execution' | 'Artifact', name: string): Promise<boolean> {
  return (kind === 'Execution' ? await api.archive.get(api.namespace, name) : await findArchivedArtifact(api, name)) !== undefined;
}

/** One page, newest first: the objects, then the archive. */
export async function newestExecutions(api: Api, search: Search): Promise<Page> {
  const { labels, limit, keep, continue: from } = search;
  if (from?.startsWith(MARK)) return archivedPage(api, search, [], from.slice(MARK.length));
  const live = await newest(api, 'Execution', { labels, limit, ...(from !== undefined && { continue: from }), ...(keep && { keep }) });
  return live.continue === undefined ? archivedPage(api, search, live.items, '') : live;
}

/** Fills a page up. What is being archived at this moment may stand in both places; on one page it is shown once. */
async function archivedPage(
  { archive, listed, namespaces }: Api,
  { labels, project, limit, keep }: Search,
  live: Obj<'Execution'>[],
  from: string,
): Promise<Page> {
  const of = listed === undefined ? [...(await namespaces())] : [listed];
  const items = [...live];
  const shown = new Set(live.map(idOf));
  const isWanted = (execution: Obj<'Execution'>) => !shown.has(idOf(execution)) && hasLabels(execution, labels) && (keep?.(execution) ?? true);
  let next: string | undefined = from;
  for (let read = 0; read < SCAN_LIMIT && next !== undefined && items.length < limit;) {
    const wanted = limit - items.length;
    const page = await archive.list({ namespaces: of, project, limit: wanted, ...(next && { continue: next }) });
    read += wanted;
    items.push(...page.items.filter(isWanted));
    next = page.continue;
  }
  if (next === '' && !(await isAny(archive, of, project))) next = undefined;
  return { items, ...(next !== undefined && { continue: `${MARK}${next}` }) };
}

async function isAny(archive: Api['archive'], namespaces: readonly string[], project: string | undefined): Promise<boolean> {
  return (await archive.list({ namespaces, project, limit: 1 })).items.length > 0;
}

const idOf = ({ metadata }: Obj) => `${metadata.namespace}/${metadata.name}`;

function hasLabels({ metadata }: Obj, labels: Record<string, string>): boolean {
  return Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value);
}
