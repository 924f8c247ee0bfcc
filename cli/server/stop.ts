// Until somebody wants the server to end: Ctrl-C, or a signal of whoever runs it.

/** A launcher and the terminal may deliver one Ctrl-C twice within milliseconds; what comes later is meant. */
const MEANT_MS = 1000;

export interface Stop {
  /** Fires at the first signal. */
  signal: AbortSignal;
  requested: Promise<void>;
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
  return { signal: controller.signal, requested };
}
