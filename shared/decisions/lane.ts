// Lanes: who of a branch runs, who waits, and which push is newer. Pure; the Lane object is its memory.
import type { StatusOf } from '../objects/kinds.ts';
import type { LaneEntry } from '../objects/lane.ts';

type Lane = StatusOf<'Lane'>;

/** So many earlier moves of the head are remembered to tell a late push from a new one. */
const RECENT = 16;
const MAX_WAITING = 1000;
const NO_COMMIT = '0'.repeat(40);

export interface LanePolicy {
  mode: 'queue' | 'supersede' | 'parallel';
  slots: number;
}

/** A move of the lane's ref, as a push tells it. */
export interface HeadMove {
  before: string;
  after: string;
  pushedAt?: string;
}

/** A project's lane settings, with the defaults: one at a time in order, or four side by side when parallel. */
export function lanePolicy(lane: { mode?: LanePolicy['mode'] | undefined; slots?: number | undefined } | undefined): LanePolicy {
  const mode = lane?.mode ?? 'queue';
  return { mode, slots: mode === 'supersede' ? 1 : (lane?.slots ?? (mode === 'parallel' ? 4 : 1)) };
}

export function emptyLane(policy: LanePolicy): Lane {
  return { ...policy, last: 0, running: [], waiting: [], recent: [] };
}

/** The lane has as many waiting as it can remember; say so rather than lose one. */
export class LaneFull extends Error {
  override name = 'LaneFull';
}

export interface Entered {
  lane: Lane;
  number: number;
  /** Why the commit was behind its branch already when it came. */
  outdated?: string;
  /** Entries that this one replaces (mode supersede). */
  superseded: LaneEntry[];
}

/** Takes the lane's next number for an execution; one that is in already keeps its number. `behind`: known to be outdated without a move. Throws LaneFull. */
export function enterLane(lane: Lane, execution: string, policy: LanePolicy, move?: HeadMove, behind?: string): Entered {
  const known = [...lane.running, ...lane.waiting].find((entry) => entry.execution === execution);
  if (known) return { lane, number: known.number, superseded: replacedBy(lane, known, policy), ...(known.outdated && { outdated: known.outdated }) };
  if (lane.waiting.length >= MAX_WAITING)
    throw new LaneFull(`${MAX_WAITING} executions wait in this lane already; cancel some, or use the lane mode "supersede"`);

  const outdated = behind ?? (move && whyOutdated(lane, move));
  const entry: LaneEntry = { execution, number: lane.last + 1, ...(outdated && { outdated }) };
  const entered = admit({
    ...lane,
    ...policy,
    ...(move && !outdated ? newHead(lane, move) : {}),
    ...(move && { recent: remember(lane, move) }),
    last: entry.number,
    waiting: [...lane.waiting, entry],
  });
  return { lane: entered, number: entry.number, superseded: replacedBy(entered, entry, policy), ...(outdated && { outdated }) };
}

/** Takes an execution out, wherever it stands, and gives its slot to the next. */
export function leaveLane(lane: Lane, execution: string): Lane {
  const without = (entries: LaneEntry[]) => entries.filter((entry) => entry.execution !== execution);
  return admit({ ...lane, running: without(lane.running), waiting: without(lane.waiting) });
}

export function isAdmitted(lane: Lane | undefined, execution: string): boolean {
  return lane?.running.some((entry) => entry.execution === execution) ?? false;
}

/** The branch is gone: what was pushed before and is told later must not bring it back; a new branch of that name starts afresh. */
export function deleteHead(lane: Lane, deletion: Omit<HeadMove, 'after'>): Lane {
  const move = { ...deletion, after: NO_COMMIT };
  return { ...lane, ...newHead(lane, move), recent: remember(lane, move) };
}

/** The commit that the branch is at; undefined when that is not known, or it was deleted. */
export function headOf(lane: Lane | undefined): string | undefined {
  return lane?.head && !isNone(lane.head) ? lane.head : undefined;
}

/**
 * Whether a push is one that the lane's head has already moved past, and the sentence that says so.
 * What follows directly on the head is never outdated; otherwise the times of push decide where both are known,
 * and else whether an earlier push was seen to start from this one's commit.
 */
export function whyOutdated(lane: Lane, move: HeadMove): string | undefined {
  if (!lane.head || move.after === lane.head) return undefined;
  const sentence = isNone(lane.head)
    ? 'the branch had been deleted before this push was told'
    : `the branch had moved on to ${lane.head.slice(0, 12)} before this push was told`;
  const later_ms = move.pushedAt && lane.headPushedAt ? Date.parse(move.pushedAt) - Date.parse(lane.headPushedAt) : 0;
  // Every new branch begins at no commit, so that says nothing of when.
  if (move.before === lane.head && !(isNone(lane.head) && later_ms < 0)) return undefined;
  if (later_ms !== 0) return later_ms < 0 ? sentence : undefined;
  return lane.recent.some((earlier) => earlier.before === move.after) ? sentence : undefined;
}

/** Whether a commit that is run again is another than the branch is at now. `before`: why it was outdated when it ran first. */
export function whyBehind(lane: Lane, sha: string, before: string | undefined): string | undefined {
  if (!lane.head) return before;
  if (isNone(lane.head)) return 'the branch was deleted';
  return lane.head === sha ? undefined : `the branch is at ${lane.head.slice(0, 12)}, and this runs an earlier commit again`;
}

/** The time that is known of the head never goes back: an earlier push of the same commit would let what came between them in. */
function newHead(lane: Lane, { after, pushedAt }: HeadMove): Partial<Lane> {
  const known = lane.headPushedAt;
  if (!pushedAt) return { head: after, headPushedAt: after === lane.head ? known : undefined };
  return { head: after, headPushedAt: known && Date.parse(known) > Date.parse(pushedAt) ? known : pushedAt };
}

function isNone(sha: string): boolean {
  return /^0+$/.test(sha);
}

function remember(lane: Lane, move: HeadMove): Lane['recent'] {
  return [...lane.recent, { before: move.before, after: move.after }].slice(-RECENT);
}

function admit(lane: Lane): Lane {
  const free = Math.max(0, lane.slots - lane.running.length);
  if (free === 0 || lane.waiting.length === 0) return lane;
  return { ...lane, running: [...lane.running, ...lane.waiting.slice(0, free)], waiting: lane.waiting.slice(free) };
}

/** A commit that was outdated when it came replaces nobody: what has a lower number may be newer than it. */
function replacedBy(lane: Lane, entry: LaneEntry, policy: LanePolicy): LaneEntry[] {
  if (policy.mode !== 'supersede' || entry.outdated) return [];
  return [...lane.running, ...lane.waiting].filter((other) => other.number < entry.number);
}
