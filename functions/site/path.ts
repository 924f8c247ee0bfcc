// The path of a request's target, decoded once and strictly: what could mean two things to two programs is refused.

/** Path without the leading "/", as the site's manifest has it; undefined: not a path that is answered (400). `search` begins with "?" or is empty. */
export interface Target {
  path: string;
  /** As it was sent. */
  raw: string;
  search: string;
}

export function parseTarget(url: string): Target | undefined {
  const target = url.startsWith('/') ? url : withoutOrigin(url);
  if (target === undefined) return undefined;
  const end = target.search(/[?#]/);
  const raw = end === -1 ? target : target.slice(0, end);
  const path = decode(raw.slice(1));
  if (path === undefined) return undefined;
  const hash = target.indexOf('#');
  return { path, raw, search: end === -1 || end === hash ? '' : target.slice(end, hash === -1 ? undefined : hash) };
}

/** A request to a proxy carries the whole URL (RFC 9112, 3.2.2). */
function withoutOrigin(url: string): string | undefined {
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(url);
  if (!match) return undefined;
  const rest = match[1] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function decode(raw: string): string | undefined {
  let path = raw;
  if (raw.includes('%')) {
    // A slash, a backslash or a NUL that hides in an escape means different things to different programs.
    if (/%(?:2f|5c|00)/i.test(raw)) return undefined;
    try {
      path = decodeURIComponent(raw);
    } catch {
      return undefined; // not UTF-8, or "%" with no two hexadecimal digits
    }
  }
  if (path.includes('\\') || path.includes('\0')) return undefined;
  if (path.includes('.') && path.split('/').some((part) => part === '.' || part === '..')) return undefined;
  return path;
}
