// A duty of the watcher towards the objects of one kind: when to act on one, and how. The object's own change is what asks.
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';

export interface Change {
  /** It was there when the watch began, and may have been for long. */
  first: boolean;
  /** Its spec is as its schema has it. */
  valid: boolean;
}

export interface Duty<K extends Kind> {
  /** Unique among those of the kind. */
  name: string;
  /** Milliseconds until it is to be acted on, if it stays as it is; 0: at once; undefined: not at all. Asked with every change, so it must be cheap. */
  due(object: Obj<K>, change: Change): number | undefined;
  /**
   * Acts. `times`: how often it did already for this very state of the object. A number: again after so many milliseconds, though
   * nothing changes. What it throws is tried again; a change of the object begins anew.
   */
  act(object: Obj<K>, times: number): Promise<number | undefined | void>;
}

/** So long for something that does not move: doubled each time, up to an hour. */
export function doubled(first_ms: number, times: number): number {
  return Math.min(3_600_000, first_ms * 2 ** Math.min(20, times));
}
