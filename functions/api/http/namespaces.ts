// In which namespace a request is at home. Names are found wherever they stand; what has two places has to be told apart.
import { namespace as namespaceSchema } from '../../../shared/objects/fields.ts';
import type { Kind } from '../../../shared/objects/kinds.ts';
import type { Api } from '../deps.ts';
import { invalid, Problem } from './problem.ts';

export interface Home {
  /** Where names are looked up, and where what is made comes to stand. */
  namespace: string;
  /** What lists are of; undefined: of all. */
  listed: string | undefined;
}

/** What the name behind a collection in the path is a name of. */
const COLLECTIONS: Readonly<Record<string, Kind>> = {
  projects: 'Project',
  executions: 'Execution',
  releases: 'Release',
  artifacts: 'Artifact',
  hooks: 'Hook',
  credentials: 'Credential',
};

/** Looked at together. */
const AT_ONCE = 16;
const SHOWN = 10;

/** Throws Problem: 400, 404 for a namespace that is none of ours, 409 for a name that is in several. */
export async function homeOf(api: Api, request: Request, basePath: string): Promise<Home> {
  const { pathname, searchParams } = new URL(request.url);
  const said = searchParams.getAll('namespace');
  if (said.length > 1) throw new Problem(400, 'invalid', 'The query has "namespace" more than once.');
  if (said[0] !== undefined) {
    const namespace = await chosen(api, said[0]);
    return { namespace, listed: namespace };
  }
  const [collection = '', name] = pathname.slice(basePath.length + 1).split('/');
  const kind = COLLECTIONS[collection];
  if (!name) return { namespace: api.namespace, listed: api.listed };
  // Pushes and dead letters are of no namespace; a secret is nowhere but where it is put.
  if (!kind && collection !== 'secrets') return { namespace: api.namespace, listed: api.namespace };
  const namespace = kind ? await locate(api, kind, decoded(name)) : await chosen(api, api.namespace);
  return { namespace, listed: namespace };
}

/** The namespace, if it is one that was made ready for projects. Throws Problem 400 or 404. */
export async function chosen(api: Api, namespace: string): Promise<string> {
  const checked = namespaceSchema.safeParse(namespace);
  if (!checked.success) throw invalid(400, 'namespace', checked.error);
  const all = await api.namespaces();
  if (all.has(namespace)) return namespace;
  const known = shown([...all].toSorted());
  throw new Problem(
    404,
    'no-such-namespace',
    `There are no projects in namespace "${namespace}" here: ${known ? `they stand in ${known}` : 'none was made ready for them'}. In a cluster \`tidemill install --project-namespace ${namespace}\` makes it ready.`,
  );
}

/** Where something new comes to stand: where its body says, else where the query does, else in the usual namespace. Throws Problem 400 or 404. */
export async function placed(api: Api, said: string | undefined): Promise<Api> {
  const namespace = await chosen(api, said ?? api.namespace);
  if (api.listed !== undefined && namespace !== api.listed)
    throw new Problem(400, 'invalid', `The query says namespace "${api.listed}", and the body "${namespace}": say one of them.`);
  return api.at(namespace);
}

/** Where the one object of this name stands; where none does, the usual namespace. Throws Problem 409 where several do. */
export async function locate(api: Api, kind: Kind, name: string): Promise<string> {
  const all = [...(await api.namespaces())].toSorted();
  if (all.length <= 1) return all[0] ?? api.namespace;
  const live = await having(all, async (namespace) => (await api.objects.get(kind, { namespace, name })) !== undefined);
  const found =
    live.length > 0 || (kind !== 'Execution' && kind !== 'Artifact') ? live : await having(all, (namespace) => api.at(namespace).isArchived(kind, name));
  if (found.length > 1) {
    throw new Problem(
      409,
      'ambiguous',
      `There is a ${kind.toLowerCase()} "${name.slice(0, 253)}" in each of ${shown(found)}. Say which is meant: ?namespace=${found[0]!}, or --namespace ${found[0]!}.`,
    );
  }
  return found[0] ?? api.namespace;
}

/** The API where the object of this name is: there already where the query says a namespace. Throws Problem 409. */
export async function holding(api: Api, kind: Kind, name: string): Promise<Api> {
  return api.listed === undefined ? api.at(await locate(api, kind, name)) : api;
}

async function having(namespaces: readonly string[], has: (namespace: string) => Promise<boolean>): Promise<string[]> {
  const answers = await atOnce(namespaces, has);
  return namespaces.filter((_, i) => answers[i]);
}

/** Asked of each namespace, of a few at a time; the answers in their order. */
export async function atOnce<T>(namespaces: readonly string[], ask: (namespace: string) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let at = 0; at < namespaces.length; at += AT_ONCE) answers.push(...(await Promise.all(namespaces.slice(at, at + AT_ONCE).map(ask))));
  return answers;
}

function shown(namespaces: readonly string[]): string {
  return `${namespaces.slice(0, SHOWN).join(', ')}${namespaces.length > SHOWN ? ` and ${namespaces.length - SHOWN} more` : ''}`;
}

/** What cannot be decoded is no name of anything. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
