// What may be reached: every address is checked here, before any process sees it.
import { localPath, parseRemote } from '../decisions/source/repository.ts';
import { GitError } from '../ports/git.ts';

export interface Address {
  /** As it is given to git. */
  url: string;
  kind: 'http' | 'https' | 'ssh' | 'local';
  /** Host, with the port where it is not the scheme's own; empty for a local repository. */
  host: string;
}

/** Throws GitError "refused" for an address that is not reached from here, "invalid" for one that is none. */
export function checkAddress(url: string, allowLocal: boolean): Address {
  if (url.startsWith('-') || url.length > 2048 || /[\p{Cc}\p{Cs}]/u.test(url) || url.trim() !== url) {
    throw new GitError(
      'invalid',
      'The address of the repository begins with "-" or a space, holds control characters, or is longer than 2048 characters; give its clone URL',
    );
  }
  const path = localPath(url);
  if (path !== undefined) return localAddress(path, allowLocal);
  const remote = parseRemote(url);
  if (!remote || remote.scheme === 'git') throw new GitError('refused', refusedScheme(url));
  refuseCredentials(url, remote.scheme, remote.user);
  if (remote.host.startsWith('-') || remote.user?.startsWith('-') || remote.path.startsWith('/-')) {
    throw new GitError('refused', 'Host, user or path of the repository begin with "-", which git and ssh take for an option; give its clone URL');
  }
  return { url, kind: remote.scheme, host: `${remote.host}${remote.port ? `:${remote.port}` : ''}` };
}

function localAddress(path: string, allowLocal: boolean): Address {
  if (!allowLocal) throw new GitError('refused', 'Local repositories are not read here; give an https:// or ssh address');
  return { url: path, kind: 'local', host: '' };
}

function refusedScheme(url: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(url)?.[1];
  const what = scheme ? `Repositories are not read over "${scheme}:"` : 'This is not the address of a repository';
  return `${what}; give https://host/path, ssh://user@host/path, user@host:path, or the absolute path of a local one`;
}

/** A URL is kept, logged and shown; a secret in it would be too. A lone user name of an http URL often is a token. */
function refuseCredentials(url: string, scheme: string, user: string | undefined): void {
  if (user === undefined || (scheme === 'ssh' && !user.includes(':'))) return;
  throw new GitError(
    'refused',
    `The address holds a user name or password (${withoutUser(url)}); addresses are kept and shown: leave it out, add a Credential for the host, and name that in the project`,
  );
}

/** The address without what stands before the host's "@". */
function withoutUser(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)?[^/@]*@/i, '$1');
}
