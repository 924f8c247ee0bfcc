// What is to be done, and when: keys with a time, never objects, so that thousands of them cost little. Each key is done by one at a time.
import type { Log } from '../../../shared/host/contract.ts';
import { Conflict } from '../../../shared/ports/objects.ts';

/** Does it. A number: again after so many milliseconds. What it throws: again after a while, ever longer. */
export type Work = () => Promise<number | undefined>;

export interface Agenda {
  /** Instead of what stood under this key. With 0 it begins at once when there is room. */
  put(key: string, wait_ms: number, work: Work): void;
  drop(key: string): void;
  readonly size: number;
  /** Begins nothing more; resolves when what had begun has ended. */
  stop(): Promise<void>;
}

interface Entry {
  at: number;
  work: Work;
  failures: number;
}

/** Side by side. */
const ROOM = 16;
/** Times are kept to a quarter of a second, so that many at nearly one time are one look. */
const GRAIN_MS = 250;
const CONFLICT_MS = 50;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 60_000;

export function createAgenda(log: Log, signal: AbortSignal): Agenda {
  const waiting = new Map<string, Entry>();
  const running = new Map<string, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Infinity;
  /** There was no room for something that is due: only then is all looked through as soon as something has ended. */
  let isCrowded = false;

  function put(key: string, wait_ms: number, work: Work): void {
    if (signal.aborted) return;
    const entry: Entry = { at: performance.now() + wait_ms, work, failures: 0 };
    if (wait_ms <= 0 && running.size < ROOM && !running.has(key)) return begin(key, entry);
    waiting.set(key, entry);
    wakeAt(entry.at);
  }

  function wakeAt(at: number): void {
    if (at >= timerAt && timer) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(look, Math.max(0, at - performance.now()));
  }

  /** Begins what is due, the longest due first, as far as there is room. */
  function look(): void {
    timer = undefined;
    timerAt = Infinity;
    if (signal.aborted) return;
    const now = performance.now();
    let next = Infinity;
    isCrowded = false;
    for (const [key, entry] of waiting) {
      if (running.has(key)) continue; // Looked at again when that has ended.
      if (entry.at > now) next = Math.min(next, entry.at);
      else if (running.size < ROOM) begin(key, entry);
      else isCrowded = true;
    }
    if (next < Infinity) wakeAt(Math.max(next, now + GRAIN_MS));
  }

  function begin(key: string, entry: Entry): void {
    waiting.delete(key);
    running.set(
      key,
      perform(key, entry).finally(() => {
        running.delete(key);
        const again = waiting.get(key);
        if (isCrowded) wakeAt(performance.now());
        else if (again) wakeAt(again.at);
      }),
    );
  }

  async function perform(key: string, entry: Entry): Promise<void> {
    let wait: number | undefined;
    let failures = 0;
    try {
      wait = await entry.work();
    } catch (error) {
      if (signal.aborted) return;
      const isConflict = error instanceof Conflict;
      failures = isConflict ? entry.failures : entry.failures + 1;
      wait = isConflict ? CONFLICT_MS : Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)) * (0.75 + 0.5 * Math.random());
      if (!isConflict)
        log.warn({ of: key, failures, reason: (error as Error).message, again_ms: Math.round(wait) }, 'the watcher could not do something; it tries again');
    }
    // What was put meanwhile is newer.
    if (wait === undefined || signal.aborted || waiting.has(key)) return;
    waiting.set(key, { at: performance.now() + wait, work: entry.work, failures });
    wakeAt(performance.now() + wait);
  }

  signal.addEventListener('abort', () => (clearTimeout(timer), waiting.clear()), { once: true });
  return {
    put,
    drop: (key) => void waiting.delete(key),
    get size() {
      return waiting.size + running.size;
    },
    stop: async () => {
      clearTimeout(timer);
      waiting.clear();
      await Promise.all(running.values());
    },
  };
}
