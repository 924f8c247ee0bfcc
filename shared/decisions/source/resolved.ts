// What is told of a commit that is known. Pure.
import type { Output } from '../../events/event.ts';
import type { EventData } from '../../events/types.ts';
import type { StatusOf } from '../../objects/kinds.ts';

/** To whoever waits for it. Throws where the Artifact has no digest, which a resolved one cannot be without. */
export function commitResolved(
  about: EventData<'dev.tidemill.artifact.requested.v1'>,
  { digest, git }: StatusOf<'Artifact'>,
): Output<'dev.tidemill.artifact.resolved.v1'> {
  if (!digest) throw new Error(`The Artifact ${about.namespace}/${about.artifact} is Resolved, and has no digest`);
  const commit = git && { sha: git.sha, commitTime: git.commitTime, ...(git.subject !== undefined && { subject: git.subject }) };
  return { type: 'dev.tidemill.artifact.resolved.v1', subject: about.artifact, data: { ...about, type: 'git', digest, ...(commit && { commit }) } };
}
