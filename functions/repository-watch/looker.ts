// Runs one look after another, never two at once: when asked, when it is time, and again after one that failed.

export interface Looker {
  /** Looks now; when one look is running, once more after it. */
  request(): void;
  /** Resolves when the look in hand has ended. */
  stop(): Promise<void>;
}

/** `next`: milliseconds until the next look by itself, given how many failed in a row; undefined: none until it is asked for. */
export function createLooker(look: () => Promise<void>, next: (failures: number) => number | undefined): Looker {
  let failures = 0;
  let wanted = false;
  let stopped = false;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function run(): Promise<void> {
    do {
      wanted = false;
      failures = await look().then(
        () => 0,
        () => failures + 1, // It has said and recorded why itself.
      );
    } while (wanted && !stopped && failures === 0);
    running = undefined;
    const wait = stopped ? undefined : next(failures);
    if (wait !== undefined) timer = setTimeout(request, wait).unref();
  }

  function request(): void {
    wanted = true;
    if (stopped || running) return;
    clearTimeout(timer);
    running = run();
  }

  return {
    request,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

const RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;
const MAX_POLL_MS = 600_000;
const JITTER = 0.1;

/** A local repository is looked at when it changes; after a failure again by itself, ever more seldom. */
export function localPace(failures: number): number | undefined {
  return failures === 0 ? undefined : Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(20, failures - 1));
}

/** A remote one every so often, give or take a tenth so that many do not ask at once; a server that fails is asked half as often each time. */
export function pollPace(every_ms: number): (failures: number) => number {
  return (failures) => {
    const wait = Math.max(every_ms, Math.min(MAX_POLL_MS, every_ms * 2 ** Math.min(20, failures)));
    return Math.round(wait * (1 - JITTER + 2 * JITTER * Math.random()));
  };
}
