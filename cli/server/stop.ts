// Until somebody wants the server to end: Ctrl-C, or a signal of whoever runs it.

/** A launcher and the terminal may deliver one Ctrl-C twice within milliseconds; what comes later is meant. */
const MEANT_MS = 1000;
/** The second of the two must not meet a process that listens no more, which it would kill after all was done well. */
const LINGER_MS = 250;

export interface Stop {
  /** Fires at the first signal. */
  signal: AbortSignal;
  requested: Promise<void>;
  /** Resolves when the same signal, told twice, must have come. */
  lingered(): Promise<void>;
}

/** From now on a first signal is noted, and one more than a second later ends the process at once. */
export function listenForStop(endNow: () => void): Stop {
  const controller = new AbortController();
  let first: number | undefined;
  const requested = new Promise<void>((resolve) => {
    const heard = () => {
      const now = performance.now();
      if (first !== undefined && now - first > MEANT_MS) return endNow();
      if (first !== undefined) return;
      first = now;
      controller.abort();
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, heard);
  });
  const lingered = async () => {
    const left = first === undefined ? 0 : first + LINGER_MS - performance.now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  };
  return { signal: controller.signal, requested, lingered };
}
