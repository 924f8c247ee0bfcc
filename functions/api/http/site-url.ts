// Where a released site is to be seen: its host label before the host that this request came to.

/** https://app.example.org/api/… and "docs" → https://docs.app.example.org/. On one machine *.localhost needs no DNS. */
export function siteUrl(request: Request, hostLabel: string): string {
  const { protocol, hostname, port } = new URL(request.url);
  const own = hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
  return `${protocol}//${hostLabel}.${own ? 'localhost' : hostname}${port ? `:${port}` : ''}/`;
}
