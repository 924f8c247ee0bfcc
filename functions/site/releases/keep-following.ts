// A watch that is begun again whenever it ends, and ever later while it ends soon.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../shared/host/contract.ts';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;

interface Following {
  /** For the log: what is watched. */
  what: string;
  /** Resolves, or throws, when the watch ended. */
  follow: () => Promise<void>;
  /** What was known by it is known no more. */
  ended?: () => void;
  log: Log;
  signal: AbortSignal;
}

/** Resolves after the signal. */
export async function keepFollowing({ what, follow, ended, log, signal }: Following): Promise<void> {
  for (let backoff = FIRST_BACKOFF_MS; !signal.aborted; backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)) {
    const began = performance.now();
    try {
      await follow();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, `the watch on ${what} ended; it begins again`);
    }
    ended?.();
    if (performance.now() - began > MAX_BACKOFF_MS) backoff = FIRST_BACKOFF_MS;
    await sleep(backoff, undefined, { signal, ref: false }).catch(() => undefined); // closed: the loop ends
  }
}
