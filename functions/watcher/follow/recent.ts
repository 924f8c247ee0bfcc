// The last things that were done, by key: a bounded memory for what need not be done again soon.

export interface Recent {
  has(key: string): boolean;
  add(key: string): void;
}

export function createRecent(most: number): Recent {
  const keys = new Set<string>();
  return {
    has: (key) => keys.has(key),
    add: (key) => {
      keys.delete(key);
      keys.add(key);
      if (keys.size > most) keys.delete(keys.values().next().value!);
    },
  };
}
