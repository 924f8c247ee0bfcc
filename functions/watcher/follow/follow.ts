// Follows all objects of one kind in all namespaces that are this installation's, however often the watch breaks off.
import type { Log } from '../../../shared/host/contract.ts';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Objects } from '../../../shared/ports/objects.ts';
import { pause } from '../lease/election.ts';

export interface Followed<K extends Kind> {
  /** `first`: it was there when the watch began, and may have been for long. */
  changed(object: Obj<K>, first: boolean): void;
  gone(object: Obj<K>): void;
  /** A watch begins, with every object there is. */
  begins?(): void;
  /** Every object that was there has been told. */
  synced?(): void;
}

const FIRST_MS = 250;
const LONGEST_MS = 30_000;
/** A watch that lasted so long was a good one: after it the waiting begins anew. */
const GOOD_MS = 10_000;

/** Written with every push, and only acted on when they have not moved for long: what is due takes into account that it is told late. */
const MAY_LAG: ReadonlySet<Kind> = new Set(['Lane', 'Push']);

/** Resolves with the signal. */
export async function follow<K extends Kind>(objects: Pick<Objects, 'watch'>, kind: K, followed: Followed<K>, signal: AbortSignal, log: Log): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    const began = performance.now();
    let first = true;
    let broke = false;
    followed.begins?.();
    try {
      for await (const event of objects.watch(kind, { signal, ...(MAY_LAG.has(kind) && { mayLag: true }) })) {
        if (signal.aborted) return;
        if (event.type === 'DELETED') followed.gone(event.object);
        else if (event.type !== 'BOOKMARK') followed.changed(event.object, first);
        else if (first) {
          first = false;
          followed.synced?.();
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      broke = true;
      log.warn({ kind, reason: (error as Error).message }, 'the watch of a kind broke off; it begins again');
    }
    // One that ended by itself, as there are other namespaces to follow, is begun again soon.
    failures = !broke || performance.now() - began > GOOD_MS ? 1 : failures + 1;
    await pause(Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)) * (0.75 + 0.5 * Math.random()), signal);
  }
}
