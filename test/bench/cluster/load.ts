// Load on one of those that are compared: so many in flight, or so many a second.
import { setTimeout as sleep } from 'node:timers/promises';

/** Makes one TaskRun. Resolves with the milliseconds until it was there. */
export type Shot = () => Promise<number>;

/** What makes TaskRuns, one for each shot. */
export interface Source {
  name: string;
  shot: Shot;
}

/** Shots per second with so many in flight, for so long: the next begins when the TaskRun of one is there. */
export async function sustained(shot: Shot, inFlight: number, ms: number): Promise<number> {
  let count = 0;
  const start = performance.now();
  const worker = async () => {
    while (performance.now() - start < ms) {
      await shot();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return count / ((performance.now() - start) / 1000);
}

/** One after another, with a rest in between. Resolves with the milliseconds of each. */
export async function single(shot: Shot, count: number, rest_ms: number): Promise<number[]> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    took.push(await shot());
    await sleep(rest_ms);
  }
  return took;
}

/** Every source in turn at so many a second, whatever the one before still does. Resolves with the milliseconds of each source's shots. */
export async function steady(sources: readonly Source[], perSecond: number, seconds: number): Promise<Map<string, number[]>> {
  const every_ms = 1000 / perSecond;
  const start = performance.now();
  const all = sources.map(async ({ name, shot }, place) => {
    const offset = (place * every_ms) / sources.length;
    const shots = Array.from({ length: Math.round(perSecond * seconds) }, async (_, i) => {
      await sleep(Math.max(0, start + offset + i * every_ms - performance.now()));
      return shot();
    });
    return [name, await Promise.all(shots)] as const;
  });
  return new Map(await Promise.all(all));
}
