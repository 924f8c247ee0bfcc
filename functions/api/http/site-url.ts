// Where a released site is to be seen: before the sites' domain, or before the host that this request came to.
import { oldestHome } from '../../../shared/site/oldest.ts';
import type { Api } from '../deps.ts';
import { atOnce } from './namespaces.ts';

export interface Site {
  namespace: string;
  project: string;
  /** Of its release: the project, or `<environment>--<project>`. */
  host: string;
}

/**
 * https://app.example.org/api/… and "docs" → https://docs.app.example.org/. On one machine *.localhost needs no DNS. In a cluster below its sites' domain:
 * those of the usual namespace by their names alone, unless an older project elsewhere is served there; all others by the one that is theirs
 * whatever is called as they are elsewhere.
 */
export async function siteUrl(
  api: Pick<Api, 'siteHost' | 'usual' | 'namespaces' | 'objects'>,
  request: Request,
  { namespace, project, host }: Site,
): Promise<string> {
  if (api.siteHost !== undefined) {
    const scheme = request.headers.get('x-forwarded-proto') === 'https' ? 'https:' : new URL(request.url).protocol;
    const short = namespace === api.usual && (await isOldest(api, namespace, project));
    return `${scheme}//${host}${short ? '' : `.${namespace}`}.${api.siteHost}/`;
  }
  const { protocol, hostname, port } = new URL(request.url);
  const own = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
  return `${protocol}//${host}.${own ? 'localhost' : hostname}${port ? `:${port}` : ''}/`;
}

/** As the site decides it: a name that no project has any more is looked for in the usual namespace. One read for each namespace, where there are several. */
async function isOldest({ namespaces, objects }: Pick<Api, 'namespaces' | 'objects'>, own: string, name: string): Promise<boolean> {
  const all = [...new Set([...(await namespaces()), own])];
  if (all.length === 1) return true;
  const found = await atOnce(all, (namespace) => objects.get('Project', { namespace, name }, { mayLag: true }));
  const homes = found.flatMap((project) => (project ? [[project.metadata.namespace, project.metadata.creationTimestamp] as const] : []));
  return (oldestHome(homes) ?? own) === own;
}
