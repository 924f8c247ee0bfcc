// A cache that forgets what was used longest ago once it weighs too much.

export interface Lru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, weight: number): void;
  clear(): void;
}

/** What weighs more than an eighth of the limit is not kept: it would push out too much else. `always` keeps it all the same. */
export function createLru<V>(maxWeight: number, always = false): Lru<V> {
  const entries = new Map<string, { value: V; weight: number }>();
  let total = 0;
  const drop = (key: string): void => {
    total -= entries.get(key)?.weight ?? 0;
    entries.delete(key);
  };
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (!entry) return undefined;
      // A Map keeps the order of insertion: the first is the one used longest ago.
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    set: (key, value, weight) => {
      drop(key);
      if (!always && weight > maxWeight / 8) return;
      entries.set(key, { value, weight });
      total += weight;
      for (const oldest of entries.keys()) {
        if (total <= maxWeight || oldest === key) break;
        drop(oldest);
      }
    },
    clear: () => {
      entries.clear();
      total = 0;
    },
  };
}
