// Why a push builds nothing in a project: one sentence, shown wherever the push is.
import { matchesBranch } from '../../shared/decisions/source/branches.ts';
import { isTag, shortRef } from '../../shared/decisions/names.ts';
import type { EventOf } from '../../shared/events/event.ts';
import type { Obj } from '../../shared/objects/kinds.ts';
import type { functions } from '../graph.ts';

type Event = EventOf<(typeof functions)['git-push']['consumes'][number]>;

/** Undefined: it is to be built (or, for a deleted branch, taken down). */
export function whyNot(event: Event, project: Obj<'Project'>): string | undefined {
  const { name } = project.metadata;
  if (event.type === 'dev.tidemill.pull-request.changed.v1') return whyNotPullRequest(event, name);
  if (project.spec.paused) return `Project ${name} is paused; resume it to build pushes again`;
  const { ref } = event.data;
  if (event.type === 'dev.tidemill.git.branch-deleted.v1') return undefined;
  if (!ref.startsWith('refs/heads/') && !isTag(ref)) return `${ref} is neither a branch nor a tag`;
  const { branches } = project.spec;
  if (branches && !isTag(ref) && !matchesBranch(branches, shortRef(ref))) {
    return `Branch ${shortRef(ref)} matches none of the branches that project ${name} builds: ${branches.join(', ')}`;
  }
  return undefined;
}

function whyNotPullRequest(event: Event & { type: 'dev.tidemill.pull-request.changed.v1' }, project: string): string {
  const { action, fork, headRef, number } = event.data;
  if (fork) return `Pull request ${number} comes from a fork: its code is built only by a runner that isolates, which project ${project} has not`;
  if (action === 'closed') return `Pull request ${number} was closed; the preview of its branch goes when the branch is deleted`;
  return `Pull request ${number}: its commits are built by the push to ${shortRef(headRef)}`;
}
