// Bounds on what one TaskRun may ask for, and how fast; forgotten when it has not asked for a while.
import { Refusal } from './refusal.ts';

/** More than a site can have, and as much again for what is tried twice. */
const MAX_BLOBS = 300_000;
const MAX_BYTES = 256 * 1024 ** 3;
const PER_SECOND = 20;
const BURST = 60;
const FORGET_MS = 60 * 60 * 1000;
const MAX_KNOWN = 10_000;

interface Spent {
  blobs: number;
  bytes: number;
  tokens: number;
  at: number;
}

export interface Limits {
  /** Throws Refusal 429. */
  request(taskRun: string): void;
  /** Throws Refusal 403 when that is more than a TaskRun may store. */
  spend(taskRun: string, blobs: number, bytes: number): void;
}

/** `now_ms`: the time, in milliseconds, of any clock. */
export function createLimits(now_ms: () => number): Limits {
  const known = new Map<string, Spent>();
  const of = (taskRun: string): Spent => {
    const now = now_ms();
    const spent = known.get(taskRun) ?? { blobs: 0, bytes: 0, tokens: BURST, at: now };
    spent.tokens = Math.min(BURST, spent.tokens + ((now - spent.at) / 1000) * PER_SECOND);
    spent.at = now;
    known.delete(taskRun);
    known.set(taskRun, spent);
    for (const [oldest, { at }] of known) {
      if (known.size <= MAX_KNOWN && now - at < FORGET_MS) break;
      known.delete(oldest);
    }
    return spent;
  };
  return {
    request: (taskRun) => {
      const spent = of(taskRun);
      if (spent.tokens < 1) throw new Refusal(429, `a TaskRun may ask ${PER_SECOND} times a second`);
      spent.tokens -= 1;
    },
    spend: (taskRun, blobs, bytes) => {
      const spent = of(taskRun);
      if (spent.blobs + blobs > MAX_BLOBS || spent.bytes + bytes > MAX_BYTES)
        throw new Refusal(403, `a TaskRun may store ${MAX_BLOBS} blobs and ${MAX_BYTES} bytes`);
      spent.blobs += blobs;
      spent.bytes += bytes;
    },
  };
}
