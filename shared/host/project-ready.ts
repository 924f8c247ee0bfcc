// A project's condition Ready: whether its repository could be read at the last try. Written when it changes, not with every look.
import { withCondition } from '../decisions/conditions.ts';
import type { Obj, StatusOf } from '../objects/kinds.ts';
import { GitError, type GitErrorKind, type Head } from '../ports/git.ts';
import { NotFound, type Objects } from '../ports/objects.ts';
import { modifyStatus } from './modify.ts';

const REASONS: Record<GitErrorKind, string> = {
  'not-found': 'RepositoryNotFound',
  denied: 'AccessDenied',
  unreachable: 'RepositoryUnreachable',
  refused: 'RepositoryRefused',
  invalid: 'RepositoryInvalid',
};

const SHOWN = 10;

/** What a repository has of these, for whoever asked for one that is not there: "it has main, next", and at most ten of them. */
export function refsThere(heads: readonly Head[], kinds: readonly ('branch' | 'tag')[]): string {
  const prefixes = kinds.map((kind) => (kind === 'branch' ? 'refs/heads/' : 'refs/tags/'));
  const names = heads.flatMap(({ ref }) => prefixes.flatMap((prefix) => (ref.startsWith(prefix) ? [ref.slice(prefix.length)] : [])));
  if (names.length === 0) return `it has no ${kinds.join(' and no ')} at all`;
  return `it has ${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? ', …' : ''}`;
}

/** The repository can be read, and what the project releases is not in it. */
export class BranchNotFound extends Error {
  override name = 'BranchNotFound';
  constructor(branch: string, heads: readonly Head[]) {
    const has = refsThere(heads, ['branch']);
    super(`The repository has no branch "${branch}"; ${has}. Say in spec.source.branch which one is to be released, or push that one`);
  }
}

export interface Seen {
  defaultBranch?: string | undefined;
  /** Set at the first sight only. */
  marks?: string[] | undefined;
}

/** The project as it is then; nothing is written when its status says the same already. Undefined: it is gone. */
export async function recordReady(objects: Objects, project: Obj<'Project'>, seen: Seen, now: string): Promise<Obj<'Project'> | undefined> {
  return write(objects, project, (status) => {
    const conditions = withCondition(status.conditions, { type: 'Ready', status: 'True', reason: 'RepositoryRead', lastTransitionTime: now });
    const { defaultBranch = status.defaultBranch, marks } = seen;
    if (!conditions && defaultBranch === status.defaultBranch && !(marks && !status.seen)) return undefined;
    const news = { ...(defaultBranch && { defaultBranch }), ...(marks && !status.seen && { seen: marks }), ...(conditions && { conditions, lastPolled: now }) };
    return { ...status, ...news };
  });
}

export async function recordFailure(objects: Objects, project: Obj<'Project'>, error: Error, now: string): Promise<void> {
  const reason = error instanceof GitError ? REASONS[error.kind] : error instanceof BranchNotFound ? error.name : 'WatchFailed';
  const message = error.message.slice(0, 4096) || 'no reason was given';
  await write(objects, project, (status) => {
    const conditions = withCondition(status.conditions, { type: 'Ready', status: 'False', reason, message, lastTransitionTime: now });
    return conditions && { ...status, conditions, lastPolled: now };
  });
}

type Decide = (status: StatusOf<'Project'>) => StatusOf<'Project'> | undefined;

async function write(objects: Objects, project: Obj<'Project'>, decide: Decide): Promise<Obj<'Project'> | undefined> {
  const { namespace, name, uid } = project.metadata;
  try {
    return await modifyStatus(objects, 'Project', { namespace, name }, (object) => (object.metadata.uid === uid ? decide(object.status ?? {}) : undefined));
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}
