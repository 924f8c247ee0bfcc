// Whether a told push is a new one, or one that was told before by somebody else. Pure.
import type { Obj, StatusOf } from '../../objects/kinds.ts';

export interface Tell {
  event: string;
  teller: 'webhook' | 'poll';
  at: string;
  pushedAt?: string | undefined;
  body?: string | undefined;
}

export type Recognised =
  /** Ours, and not answered yet: go on with it. */
  | { kind: 'mine' }
  /** Told before; the push with this teller added, where it was not known yet. */
  | { kind: 'told'; status: StatusOf<'Push'> | undefined }
  /** Another push of the same ref between the same commits. */
  | { kind: 'other' };

const MAX_TELLERS = 32;

/**
 * Compares a tell with a push of the same repository, ref, before and after.
 * Two times of push that differ are two pushes. A poll knows no time: it means the newest such push, unless the
 * ref has moved since (`headIsAfter` false), in which case it tells of a new one.
 */
export function recognise(push: Obj<'Push'>, tell: Tell, headIsAfter: boolean): Recognised {
  const { status } = push;
  // Made by somebody who has not answered it yet, perhaps by us before a kill: whoever answers first has told it.
  if (!status) return { kind: 'mine' };
  const known = status.told.some((told) => told.event === tell.event);
  if (known) return isAnswered(status) ? { kind: 'told', status: undefined } : { kind: 'mine' };
  if (status.pushedAt && tell.pushedAt && Date.parse(status.pushedAt) !== Date.parse(tell.pushedAt)) return { kind: 'other' };
  if (!tell.pushedAt && isAnswered(status) && !headIsAfter) return { kind: 'other' };
  return { kind: 'told', status: status.told.length < MAX_TELLERS ? addTeller(status, tell) : undefined };
}

export function addTeller(status: StatusOf<'Push'>, tell: Tell): StatusOf<'Push'> {
  const told = { event: tell.event, teller: tell.teller, at: tell.at, ...(tell.body && { body: tell.body }) };
  return { ...status, told: [...status.told, told], ...(tell.pushedAt && { pushedAt: tell.pushedAt }) };
}

/** Whether it is recorded what came of the push. */
export function isAnswered(status: StatusOf<'Push'>): boolean {
  return status.results.length > 0 || status.skipped !== undefined;
}
