// A gate that lets so many through at once; the others wait in order.

type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export function createGate(width: number): Gate {
  let inside = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (inside >= width) await new Promise<void>((enter) => waiting.push(enter));
    else inside++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else inside--;
    }
  };
}

/** Runs `work` on every item, at most `width` at once; stops at the first failure and throws it when what runs has ended. */
export async function forEachAtOnce<T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done && !failed; next = iterator.next()) {
      try {
        await work(next.value);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (failed) throw failed.error;
}

/** Written at once: what is there whole, and what streams from a source that may be slow. */
const WHOLE_AT_ONCE = 16;
const STREAMS_AT_ONCE = 64;

/** One gate for writes of bytes that are there, another for streams: a slow source holds up nobody but other streams. */
export function createWriteGate(): <T>(body: unknown, work: () => Promise<T>) => Promise<T> {
  const whole = createGate(WHOLE_AT_ONCE);
  const streams = createGate(STREAMS_AT_ONCE);
  return (body, work) => (body instanceof Uint8Array ? whole(work) : streams(work));
}
