// How often an event failed here, as far as this process remembers: the broker says nothing of it. Lost at a restart, and then counted from 1 again.

const MAX_EVENTS = 10_000;

export interface Count {
  failures: number;
  /** Times that the broker was asked to try again; its patience is bounded, whether anything failed or not. */
  answers: number;
}

export interface Attempts {
  of(key: string): Count;
  note(key: string, count: Count): void;
  forget(key: string): void;
}

export function createAttempts(most: number = MAX_EVENTS): Attempts {
  const counts = new Map<string, Count>();
  return {
    of: (key) => counts.get(key) ?? { failures: 0, answers: 0 },
    note: (key, count) => {
      counts.delete(key);
      counts.set(key, count);
      // The one that was touched longest ago.
      if (counts.size > most) counts.delete(counts.keys().next().value!);
    },
    forget: (key) => void counts.delete(key),
  };
}
