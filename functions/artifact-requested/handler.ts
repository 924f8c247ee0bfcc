// A source was asked for: resolve it to a commit by its full SHA, which never changes again.
import { credentialRef } from '../../shared/decisions/names.ts';
import { commitResolved } from '../../shared/decisions/source/resolved.ts';
import type { Handler } from '../../shared/host/contract.ts';
import { NotYet } from '../../shared/host/contract.ts';
import type { Obj, StatusOf } from '../../shared/objects/kinds.ts';
import { type Commit, GitError } from '../../shared/ports/git.ts';
import type { functions } from '../graph.ts';

type Event = Parameters<Handler<(typeof functions)['artifact-requested']>>[0];
type Outcome = Awaited<ReturnType<Handler<(typeof functions)['artifact-requested']>>>;

export const handle: Handler<(typeof functions)['artifact-requested']> = async (event, deps) => {
  const { namespace, artifact: name } = event.data;
  const artifact = await deps.objects.get('Artifact', { namespace, name }, { mayLag: true });
  if (!artifact || artifact.spec.type !== 'git') return {};
  if (artifact.status?.phase === 'Resolved' || artifact.status?.phase === 'Invalid') return known(event, artifact.spec.execution, artifact.status);
  const { url, ref, credential } = artifact.spec;
  try {
    const commit = await deps.git.resolve({ url, ...(credential && { credential: credentialRef(namespace, credential) }) }, ref);
    return resolved(event, artifact, resolvedStatus(commit, deps.now()));
  } catch (error) {
    const final = deps.attempt >= deps.lastAttempt;
    // At the last attempt whatever it is: an execution that nobody closes would hold its lane for ever.
    if (!(error instanceof Error) || (!(error instanceof GitError) && !final)) throw error;
    if (error instanceof GitError && error.kind === 'unreachable' && !final) throw new NotYet(error.message, backoff_ms(deps.attempt));
    return failed(event, artifact, error, deps.now());
  }
};

/**
 * It never will be anything else. Who asked for it first was told, or is told again by its outbox: under another id hooks would hear of it twice.
 * Another execution at the same commit asked before it was resolved.
 */
function known(event: Event, first: string | undefined, status: StatusOf<'Artifact'>): Outcome {
  const { artifact: subject, execution } = event.data;
  if (execution === undefined || execution === first) return {};
  if (status.phase === 'Resolved') return { outputs: [commitResolved(event.data, status)] };
  const { reason = 'its source could not be resolved' } = status;
  return { outputs: [{ type: 'dev.tidemill.artifact.failed.v1', subject, data: { ...event.data, reason } }] };
}

function resolvedStatus(commit: Commit, now: string): StatusOf<'Artifact'> {
  const { sha, tree, ref, commitTime, subject, author } = commit;
  return {
    phase: 'Resolved',
    digest: `${sha.length === 64 ? 'sha256' : 'sha1'}:${sha}`,
    git: { sha, tree, commitTime, subject, author, ...(ref && { ref }) },
    resolvedAt: now,
    conditions: [{ type: 'Resolved', status: 'True', reason: 'CommitFound', lastTransitionTime: now }],
  };
}

function resolved(event: Event, artifact: Obj<'Artifact'>, status: StatusOf<'Artifact'>): Outcome {
  return {
    status: { ...artifact, status },
    outputs: [commitResolved(event.data, status)],
  };
}

function failed(event: Event, artifact: Obj<'Artifact'>, error: Error, now: string): Outcome {
  const reason = error.message.slice(0, 4096);
  const phase = error instanceof GitError && error.kind !== 'unreachable' ? 'Invalid' : 'Failed';
  return {
    status: {
      ...artifact,
      status: { phase, reason, conditions: [{ type: 'Resolved', status: 'False', reason: phase, message: reason, lastTransitionTime: now }] },
    },
    outputs: [{ type: 'dev.tidemill.artifact.failed.v1', subject: event.data.artifact, data: { ...event.data, reason } }],
  };
}

/** One second, doubled to a minute at most: a server that is away is asked for about five minutes. */
function backoff_ms(attempt: number): number {
  return Math.min(60_000, 1000 * 2 ** (attempt - 1));
}
