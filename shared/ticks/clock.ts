// tidemill's own clock, where there is none of Knative's: it tells each function's ticks, in the form of a PingSource, with ids that are derived from the schedule.
import { tickEvent } from '../events/tick.ts';
import type { Log } from '../host/contract.ts';
import { pause } from '../host/pause.ts';
import type { Broker } from '../ports/broker.ts';
import type { Schedule } from './schedule.ts';

export interface ClockOptions {
  /** By the function that a tick is for; five fields of cron, in UTC. */
  ticks: Readonly<Record<string, { schedule: string }>>;
  /** That the ticks' source names: tidemill's own. */
  namespace: string;
  broker: Pick<Broker, 'publish'>;
  /** RFC 3339. */
  now: () => string;
  log: Log;
  signal: AbortSignal;
  /** Resolves after so many milliseconds, or with the signal. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Whoever has just started has more urgent things to do. */
const SETTLE_MS = 5000;
/** The time is looked at so often at least: it may be set, and a machine may have slept. */
const LONGEST_MS = 60_000;
const RETRY_MS = 1000;

/**
 * Tells the ticks until the signal, and resolves then. It begins with the last that was due, and after a pause tells the last of those that were missed:
 * whoever was told of it before drops it. Rejects when a schedule is none.
 */
export async function keepTime(options: ClockOptions): Promise<void> {
  const { signal, sleep = pause } = options;
  await sleep(SETTLE_MS, signal);
  if (signal.aborted) return;
  const { readSchedule } = await import('./schedule.ts');
  const all = Object.entries(options.ticks).map(([name, { schedule }]) => [name, readSchedule(schedule)] as const);
  await Promise.all(all.map(([name, schedule]) => tell(name, schedule, options, sleep)));
}

async function tell(name: string, schedule: Schedule, options: ClockOptions, sleep: NonNullable<ClockOptions['sleep']>): Promise<void> {
  const { namespace, broker, log, signal } = options;
  let told: number | undefined;
  for (let failures = 0; !signal.aborted;) {
    const now_ms = Date.parse(options.now());
    const due_ms = schedule.last(now_ms);
    if (due_ms !== undefined && due_ms !== told) {
      try {
        await broker.publish([tickEvent(name, due_ms, namespace)]);
        told = due_ms;
        failures = 0;
      } catch (error) {
        failures += 1;
        log.warn({ tick: name, failures, reason: (error as Error).message }, 'a tick could not be told; it is tried again');
      }
    }
    const rest_ms = failures > 0 ? RETRY_MS * 2 ** Math.min(10, failures - 1) : (schedule.next(now_ms) ?? Infinity) - now_ms;
    await sleep(Math.min(LONGEST_MS, Math.max(1, rest_ms)), signal);
  }
}
