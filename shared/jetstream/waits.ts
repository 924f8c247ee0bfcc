// Attempts as tidemill counts them: deliveries, less those that ended in waiting. The waits of a delivery are a number on the server, so that
// every process that has the event in hand next knows them; only what waits costs anything.
import type { Session } from './connection.ts';
import { isNotFound } from './errors.ts';
import type { Topology } from './streams.ts';

export interface Waits {
  /** How many of this event's deliveries to this subscription did not count. */
  read(session: Session, subscription: string, sequence: number): Promise<number>;
  /** Durable when it resolves. */
  write(session: Session, subscription: string, sequence: number, waits: number): Promise<void>;
}

export function createWaits({ names, subjects }: Topology): Waits {
  return {
    read: async ({ jsm }, subscription, sequence) => {
      try {
        const message = await jsm.streams.getMessage(names.waits, { last_by_subj: subjects.waits(subscription, sequence) });
        const waits = message ? Number(message.string()) : 0;
        return Number.isSafeInteger(waits) && waits > 0 ? waits : 0;
      } catch (error) {
        if (isNotFound(error)) return 0;
        throw error;
      }
    },
    write: async ({ js }, subscription, sequence, waits) => {
      await js.publish(subjects.waits(subscription, sequence), String(waits));
    },
  };
}
