// So many at once; the others wait their turn, so many of them and so long.

export interface Slots {
  /** Whether there was a turn in time. Whoever had one gives it back. */
  take(): Promise<boolean>;
  give(): void;
  /** Nobody who waits has a turn any more. */
  close(): void;
}

export function createSlots(count: number, mostWaiting: number, wait_ms: number): Slots {
  let free = count;
  const waiting = new Set<(turn: boolean) => void>();

  return {
    take: () => {
      if (free > 0) {
        free--;
        return Promise.resolve(true);
      }
      if (waiting.size >= mostWaiting) return Promise.resolve(false);
      return new Promise((resolve) => {
        const end = (turn: boolean) => {
          clearTimeout(timer);
          waiting.delete(end);
          resolve(turn);
        };
        const timer = setTimeout(() => end(false), wait_ms);
        waiting.add(end);
      });
    },
    give: () => {
      const next = waiting.values().next().value;
      if (next) next(true);
      else free++;
    },
    close: () => {
      for (const end of waiting) end(false);
    },
  };
}
