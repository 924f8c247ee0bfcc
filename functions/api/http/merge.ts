// Several sequences as one, in the order in which their items come; a source may be added while it goes on.

export interface Merged<T> extends AsyncIterable<T> {
  add(source: AsyncIterable<T>): void;
}

/** Each source is asked for its next item only after its last one was taken. Ends when all have; the error of one ends all. */
export function merge<T>(): Merged<T> {
  const next = new Map<AsyncIterator<T>, Promise<[AsyncIterator<T>, IteratorResult<T>]>>();
  const ask = (from: AsyncIterator<T>) => {
    const promise = from.next().then((result): [AsyncIterator<T>, IteratorResult<T>] => [from, result]);
    promise.catch(() => undefined); // Seen by the race below; here only so that one that loses it is not "unhandled".
    next.set(from, promise);
  };
  return {
    add: (source) => ask(source[Symbol.asyncIterator]()),
    async *[Symbol.asyncIterator]() {
      while (next.size > 0) {
        const [from, result] = await Promise.race(next.values());
        next.delete(from);
        if (result.done) continue;
        // Asked before the yield: whoever takes the item may add sources, and the order of asking stays fair.
        ask(from);
        yield result.value;
      }
    },
  };
}
