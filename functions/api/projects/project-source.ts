// Looks at a project's repository: whether it can be read, and which full ref a short name means in it.
import { credentialRef } from '../../../shared/decisions/names.ts';
import { refsThere } from '../../../shared/host/project-ready.ts';
import type { SpecOf } from '../../../shared/objects/kinds.ts';
import type { Head, Repository } from '../../../shared/ports/git.ts';
import type { Api } from '../deps.ts';
import { Problem } from '../http/problem.ts';
import { find } from '../http/reply.ts';

/** Refuses a source that cannot be read now, or lacks the branch, before anything is kept of it. Throws Problem or GitError. */
export async function checkSource(api: Api, { source }: SpecOf<'Project'>): Promise<{ defaultBranch?: string; heads: Head[] }> {
  if (!/^(?:\/|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*:\/\/|[^/:]+:)/.test(source.url)) {
    throw new Problem(
      422,
      'source-invalid',
      `"${source.url}" is neither an address nor an absolute path; the server does not know where you are, so give the whole path.`,
    );
  }
  if (source.credential) await find(api, 'Credential', source.credential);
  const { branch } = source;
  const there = await api.git.heads(repositoryOf(api, source));
  if (branch !== undefined && !there.heads.some((head) => head.ref === `refs/heads/${branch}`))
    throw noSuchRef(['branch'], branch, there.heads, 'source.branch');
  return there;
}

/**
 * The full ref, or SHA, that a person means; nothing: the branch that is released to production.
 * Branches win over tags. Throws Problem 422 naming what there is.
 */
export async function fullRef(api: Api, spec: SpecOf<'Project'>, ref: string | undefined): Promise<string | undefined> {
  if (ref === undefined) return spec.source.branch === undefined ? defaultRef(api, spec) : `refs/heads/${spec.source.branch}`;
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref)) return ref;
  const { heads } = await api.git.heads(repositoryOf(api, spec.source));
  const wanted = ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  const found = wanted.find((full) => heads.some((head) => head.ref === full));
  if (!found) throw noSuchRef(['branch', 'tag'], ref, heads, 'ref');
  return found;
}

/** Its credential stands beside the project. */
function repositoryOf({ namespace }: Api, { url, credential }: SpecOf<'Project'>['source']): Repository {
  return { url, ...(credential && { credential: credentialRef(namespace, credential) }) };
}

async function defaultRef(api: Api, spec: SpecOf<'Project'>): Promise<string | undefined> {
  const { defaultBranch, heads } = await api.git.heads(repositoryOf(api, spec.source));
  if (heads.length === 0) throw new Problem(422, 'source-not-found', 'The repository has no commits yet. Commit something, then try again.');
  return defaultBranch === undefined ? undefined : `refs/heads/${defaultBranch}`;
}

function noSuchRef(kinds: readonly ('branch' | 'tag')[], ref: string, heads: Head[], path: string): Problem {
  const what = kinds.join(' or ');
  const known = heads.length > 0 ? refsThere(heads, kinds) : 'it has no commits yet';
  const short = /^[0-9a-f]{4,63}$/.test(ref) ? ' A commit has to be given by its full SHA.' : '';
  return new Problem(422, 'source-not-found', `The repository has no ${what} "${ref}"; ${known}.${short}`, [{ path, message: `no such ${what}` }]);
}
