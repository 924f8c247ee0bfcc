// One canonical address for the many spellings of a repository, so that a webhook's URLs and a project's URL meet. Pure.

const DEFAULT_PORTS: Record<string, string> = { http: '80', https: '443', ssh: '22', git: '9418' };

/** Forges whose paths do not distinguish case. */
const CASELESS_HOSTS = new Set(['github.com', 'gitlab.com', 'bitbucket.org', 'codeberg.org']);

/** Where some forges take ssh on port 443, for networks that let nothing else out. */
const SSH_OVER_443: Record<string, string> = { 'ssh.github.com': 'github.com', 'altssh.gitlab.com': 'gitlab.com', 'altssh.bitbucket.org': 'bitbucket.org' };

/** An address taken apart; `path` begins with "/". */
export interface RemoteAddress {
  scheme: 'http' | 'https' | 'ssh' | 'git';
  user?: string;
  /** Lower case; an IPv6 address in brackets. */
  host: string;
  /** Absent: the scheme's own. */
  port?: string;
  path: string;
  /** user@host:path, where a path without "/" begins in the user's home. */
  scp?: boolean;
}

/**
 * The one spelling of a repository's address that all its spellings have in common:
 * `https://host[:port]/path` for what is reached over http(s) or ssh, and an absolute path for what is local
 * (links in it are the caller's to resolve). The way of access, user, default port, case of the host, a trailing ".git"
 * and "/" make no difference. A path in a user's home on an ssh server keeps its user. Never throws: what cannot be understood stays as it is.
 */
export function canonicalRepository(url: string): string {
  const local = localPath(url);
  if (local !== undefined) return canonicalPath(local);
  const address = parseRemote(url);
  return address ? canonicalRemote(address) : url;
}

/** The path of a local repository: absolute, or a file:// URL of this machine. Undefined: it is none. */
export function localPath(url: string): string | undefined {
  if (url.startsWith('/')) return url;
  if (/^[A-Za-z]:[\\/]/.test(url)) return url.replaceAll('\\', '/');
  const file = /^file:\/\/(?:localhost)?(\/.*)$/i.exec(url);
  return file ? decode(file[1]!) : undefined;
}

/** A remote address taken apart; undefined when it is not http(s), ssh, git or user@host:path. */
export function parseRemote(url: string): RemoteAddress | undefined {
  const match = /^(https?|ssh|git):\/\/([^/?#]*)([^?#]*)/i.exec(url) ?? /^(?:git\+(ssh)|ssh\+git):\/\/([^/?#]*)([^?#]*)/i.exec(url);
  if (match) return parseAuthority((match[1] ?? 'ssh').toLowerCase() as RemoteAddress['scheme'], match[2]!, match[3]!);
  const scp = /^((?:[^\s@:/]+@)?(?:\[[^\]\s]+\]|[^\s@:/[\]]+)):([^:].*)$/.exec(url);
  if (!scp || scp[2]!.startsWith('//')) return undefined;
  const address = parseAuthority('ssh', scp[1]!, scp[2]!.startsWith('/') ? scp[2]! : `/${scp[2]!}`);
  return address && { ...address, ...(!scp[2]!.startsWith('/') && { scp: true }) };
}

function parseAuthority(scheme: RemoteAddress['scheme'], authority: string, path: string): RemoteAddress | undefined {
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d*))?$/.exec(authority.slice(at + 1));
  const host = match && canonicalHost(match[1]!);
  if (!host) return undefined;
  const port = match[2] ? String(Number(match[2])) : undefined;
  return { scheme, host, path, ...(user && { user }), ...(port && port !== DEFAULT_PORTS[scheme] && { port }) };
}

function canonicalHost(host: string): string | undefined {
  const parsed = URL.parse(`http://${host}/`);
  return parsed?.hostname.replace(/\.$/, '') || undefined;
}

function canonicalRemote(address: RemoteAddress): string {
  const alias = address.port === '443' && address.scheme === 'ssh' ? SSH_OVER_443[address.host] : undefined;
  const host = alias ?? address.host;
  const port = alias || !address.port ? '' : `:${address.port}`;
  const path = trimPath(decode(address.path));
  if (isInHome(address, path)) return `ssh://${address.user}@${host}${port}/${encode(path.startsWith('~') ? path : `~/${path}`)}`;
  return `https://${host}${port}/${encode(CASELESS_HOSTS.has(host) ? path.toLowerCase() : path)}`;
}

function encode(path: string): string {
  return encodeURI(path.toWellFormed()).replace(/[?#]/g, encodeURIComponent);
}

/** On a forge everybody has one tree of owner/name; on a plain ssh server a relative path is somewhere in that user's home. */
function isInHome({ scheme, user, scp }: RemoteAddress, path: string): boolean {
  if (scheme !== 'ssh' || !user || user === 'git') return false;
  return /^~(?:\/|$)/.test(path) || (scp === true && !path.includes('/'));
}

function trimPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  while (parts.at(-1) === '.git') parts.pop();
  const last = parts.pop();
  if (last !== undefined) parts.push(withoutGitSuffix(last));
  return parts.join('/');
}

function withoutGitSuffix(name: string): string {
  let rest = name;
  while (rest.length > 4 && rest.endsWith('.git')) rest = rest.slice(0, -4);
  return rest;
}

/** A bare "x.git" and a work tree "x" may stand side by side, so only a final "/.git" goes. */
function canonicalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  while (parts.at(-1) === '.git') parts.pop();
  const drive = /^[A-Za-z]:$/.test(parts[0] ?? '') && !path.startsWith('/');
  return `${drive ? '' : '/'}${parts.join('/')}`;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // A "%" that encodes nothing stands for itself.
  }
}
