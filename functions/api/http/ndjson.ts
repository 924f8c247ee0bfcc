// Answers that go on: one JSON value a line, no faster than the client reads, with a blank line now and then while nothing happens.

/** Long enough to cost nothing, short enough for proxies and for noticing that the client is gone. */
const HEARTBEAT_MS = 15_000;

/** The values that `make` yields. Its signal fires when the client goes away. An error in mid-stream ends the connection, so that nobody takes a part for the whole. */
export function ndjson<T>(make: (signal: AbortSignal) => AsyncIterable<T>): Response {
  const gone = new AbortController();
  const encoder = new TextEncoder();
  const values = make(gone.signal)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<T>> | undefined;

  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      pending ??= values.next();
      const result = await firstOf(pending, HEARTBEAT_MS);
      if (result === undefined) return controller.enqueue(encoder.encode('\n'));
      pending = undefined;
      if (result.done) return controller.close();
      controller.enqueue(encoder.encode(`${JSON.stringify(result.value)}\n`));
    },
    cancel() {
      gone.abort();
      pending?.catch(() => undefined); // It ends by the abort, and nobody waits for it any more.
    },
  });
  return new Response(stream, { headers: { 'content-type': 'application/x-ndjson', 'x-content-type-options': 'nosniff' } });
}

/** What the promise gives, or undefined when that takes longer. */
async function firstOf<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
