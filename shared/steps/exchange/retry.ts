// Tries again what may be tried again, with longer and longer waits, until it is worth no more.
import { setTimeout as sleep } from 'node:timers/promises';

/** Not now: worth another attempt, after so long where the other side said so. */
export class TryAgain extends Error {
  override name = 'TryAgain';
  readonly after_ms: number | undefined;
  constructor(message: string, after_ms?: number) {
    super(message);
    this.after_ms = after_ms;
  }
}

const FIRST_MS = 200;
const LONGEST_MS = 10_000;
/** A server that is rolled out anew, or moved to another node, is back by then. */
const GIVE_UP_MS = 180_000;

/** Throws the last TryAgain's reason when time is up; anything else at once. */
export async function tryAgain<T>(what: string, signal: AbortSignal, work: () => Promise<T>, giveUp_ms = GIVE_UP_MS): Promise<T> {
  const began = performance.now();
  for (let wait = FIRST_MS; ; wait = Math.min(LONGEST_MS, wait * 2)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TryAgain)) throw error;
      const spent = performance.now() - began;
      if (spent > giveUp_ms) throw new Error(`${what} did not work for ${Math.round(spent / 1000)} s: ${error.message}`, { cause: error });
      await sleep(error.after_ms ?? wait * (0.5 + Math.random() / 2), undefined, { signal });
    }
  }
}
