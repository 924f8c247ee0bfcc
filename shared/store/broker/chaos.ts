// What every broker is allowed to do, on demand: deliver twice, and in any order. The same seed gives the same choices.

export interface ChaosOptions {
  /** Probability, 0 to 1, that a delivery is made a second time, up to 50 ms later, whatever came of the first. */
  duplicate?: number;
  /** Probability, 0 to 1, that not the oldest waiting delivery is taken but any one of them. */
  reorder?: number;
  seed?: number;
}

export interface Chaos {
  /** Milliseconds after which to deliver again; undefined: no duplicate. */
  duplicateAfter(): number | undefined;
  /** Which of `count` waiting deliveries is next; 0 is the oldest. */
  pick(count: number): number;
}

export function createChaos({ duplicate = 0, reorder = 0, seed = 1 }: ChaosOptions): Chaos {
  const random = mulberry32(seed);
  return {
    duplicateAfter: () => (random() < duplicate ? Math.floor(random() * 50) : undefined),
    pick: (count) => (random() < reorder ? Math.floor(random() * count) : 0),
  };
}

/** A small seeded generator of numbers from 0 to 1 (the public-domain mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
