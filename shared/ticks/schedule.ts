// When something is due by five fields of cron, in UTC.
import { Cron } from 'croner';

/** Milliseconds since 1970; undefined: never, as on the 30th of February. */
export interface Schedule {
  /** The last time up to that moment, itself included. */
  last(at_ms: number): number | undefined;
  /** The first time after that moment. */
  next(after_ms: number): number | undefined;
}

/** Throws an error that names the schedule. */
export function readSchedule(text: string): Schedule {
  let cron: Cron;
  try {
    // With no function to call it only reckons: nothing is scheduled.
    cron = new Cron(text, { mode: '5-part', timezone: 'UTC' });
  } catch (error) {
    throw new Error(`"${text}" is no schedule: it has to be five fields of cron, such as "17 * * * *": ${(error as Error).message}`, { cause: error });
  }
  return {
    last: (at_ms) => cron.previousRuns(1, new Date(at_ms + 1))[0]?.getTime(),
    next: (after_ms) => cron.nextRun(new Date(after_ms))?.getTime(),
  };
}
