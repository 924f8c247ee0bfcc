// What there is to tell of a ref: nothing, or a move from one commit to another. Pure.
import { shortHash } from '../../shared/events/ids.ts';
import type { Head } from '../../shared/ports/git.ts';

export const NONE = '0'.repeat(40);

/** What is recorded of a ref, beside what this process told of it. */
export interface Recorded {
  /** Head of each project's lane of this ref, where it has one. */
  lanes: string[];
  /** The newest Push of this ref. `after` is absent when that was its deletion. */
  push?: { name: string; after?: string };
}

/** What this process last knew of a ref, and what was recorded then. */
export interface Remembered {
  sha: string;
  recorded: string;
}

export interface Move {
  ref: string;
  before: string;
  after: string;
}

/** Marks that stand for all refs of a repository at its first sight, when there are too many to keep. */
export const EVERYTHING = '*';
const MAX_MARKS = 5000;

/** A ref at a commit, in a few characters. */
export function markOf({ ref, sha }: Head): string {
  return shortHash(ref, sha);
}

/** What a project remembers of its first sight of a repository: what was there then is never news. */
export function marksOf(heads: readonly Head[]): string[] {
  return heads.length > MAX_MARKS ? [EVERYTHING] : heads.map(markOf);
}

/** Undefined: this move is known already. `old`: for all projects the ref was there, at this commit, before they were. */
export function moveOf(head: Head, recorded: Recorded, remembered: Remembered | undefined, old: boolean): Move | undefined {
  const { ref, sha } = head;
  if (remembered?.sha === sha) return undefined;
  const before = lastKnown(recorded);
  if (recorded.lanes.includes(sha) || recorded.push?.after === sha) return undefined;
  if (!remembered && !before && old) return undefined;
  const isBehind = remembered && remembered.recorded === digestOf(recorded);
  return { ref, before: (isBehind ? remembered.sha : before) ?? remembered?.sha ?? NONE, after: sha };
}

function lastKnown({ lanes, push }: Recorded): string | undefined {
  return lanes[0] ?? push?.after;
}

/** Changes when the record does. */
export function digestOf({ lanes, push }: Recorded): string {
  return [push?.name ?? '', ...lanes].join(' ');
}

/** Whether every one of the projects saw this ref at this commit when it saw the repository first. */
export function isOld(head: Head, marks: readonly ReadonlySet<string>[]): boolean {
  return marks.every((seen) => seen.has(EVERYTHING) || seen.has(markOf(head)));
}
