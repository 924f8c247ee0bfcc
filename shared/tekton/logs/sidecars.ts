// Lines of a sidecar, collected while the steps run and told after them, so that a log has one order however often it is read: Tekton ends a sidecar
// by putting another image in its place, and with that its own log is gone.
import { type ContainerOptions, type StepLine, stepLines } from './container.ts';

/** Characters that are kept of one sidecar; the rest is left out. */
const KEPT = 1024 * 1024;
/** The end of a sidecar comes so soon after the last step's. Milliseconds. */
const ENDS_MS = 3000;

export type Collected = AsyncGenerator<StepLine | undefined, 'ended' | 'gone'>;

export interface Collector {
  /** All that came, when it has ended. */
  lines(): Collected;
  stop(): Promise<void>;
}

export function collect(options: ContainerOptions): Collector {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const found: (StepLine | undefined)[] = [];
  let size = 0;
  let failure: Error | undefined;
  const ended = (async () => {
    for await (const line of stepLines({ ...options, signal })) {
      size += line?.text.length ?? 0;
      if (size > KEPT) {
        found.push({ time: line?.time ?? '', text: `(what comes after the first ${KEPT} characters of a sidecar is left out)` });
        return;
      }
      found.push(line);
    }
  })().catch((error: unknown) => {
    if (!signal.aborted) failure = error as Error;
  });
  return {
    async *lines() {
      const timer = setTimeout(() => stop.abort(new Error('the steps have ended')), ENDS_MS);
      await ended;
      clearTimeout(timer);
      if (failure) throw failure;
      options.signal.throwIfAborted();
      yield* found;
      return 'ended';
    },
    stop: async () => {
      stop.abort(new Error('nobody reads any more'));
      await ended;
    },
  };
}
