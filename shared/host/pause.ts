// Pauses before another try: how long they are, and pauses that a stop ends.

export interface Backoff {
  base_ms: number;
  cap_ms: number;
}

/** Doubles with each failure, from 0; half of it is chance, so that what failed together does not come back together. */
export function pauseAfter(failures: number, { base_ms, cap_ms }: Backoff): number {
  const full = Math.min(base_ms * 2 ** Math.min(failures, 40), cap_ms);
  return Math.ceil(full / 2 + (Math.random() * full) / 2);
}

/** Resolves after so long, or at once when the signal comes. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
