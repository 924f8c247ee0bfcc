// Where a released site is to be seen: before the sites' domain, or before the host that this request came to.
import type { Ref } from '../../../shared/ports/objects.ts';
import type { Api } from '../deps.ts';

/**
 * https://app.example.org/api/… and "docs" → https://docs.app.example.org/. On one machine *.localhost needs no DNS. In a cluster below its sites' domain:
 * those of the usual namespace by their names alone, all others by the one that is theirs whatever is called as they are elsewhere.
 */
export function siteUrl({ siteHost, usual }: Pick<Api, 'siteHost' | 'usual'>, request: Request, { namespace, name: hostLabel }: Ref): string {
  if (siteHost !== undefined) {
    const scheme = request.headers.get('x-forwarded-proto') === 'https' ? 'https:' : new URL(request.url).protocol;
    return `${scheme}//${hostLabel}${namespace === usual ? '' : `.${namespace}`}.${siteHost}/`;
  }
  const { protocol, hostname, port } = new URL(request.url);
  const own = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
  return `${protocol}//${hostLabel}.${own ? 'localhost' : hostname}${port ? `:${port}` : ''}/`;
}
