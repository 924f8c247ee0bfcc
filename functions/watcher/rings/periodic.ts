// What is done again and again while this watcher leads: inboxes, the delay queue, and whatever else has no object to follow.
import type { Log } from '../../../shared/host/contract.ts';
import { pause } from '../lease/election.ts';

export interface Periodic {
  name: string;
  /** From the end of one time to the beginning of the next. */
  every_ms: number;
  run: (signal: AbortSignal) => Promise<unknown>;
}

const LONGEST_MS = 60_000;

/** Resolves with the signal, when the time in hand has ended. */
export async function repeat({ name, every_ms, run }: Periodic, signal: AbortSignal, log: Log): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    try {
      await run(signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      log.warn({ of: name, failures, reason: (error as Error).message }, 'the watcher could not do something; it tries again');
    }
    await pause(Math.min(LONGEST_MS, every_ms * 2 ** Math.min(10, failures)), signal);
  }
}
