// Attempts as tidemill counts them: deliveries, less those that ended in waiting. What the server does not count stands in a message of its own
// for each delivery, so that every process that has the event in hand next knows it; only what waits or vanishes costs anything.
import type { Session } from './connection.ts';
import { isNotFound } from './errors.ts';
import type { Topology } from './streams.ts';

export interface Count {
  /** Deliveries that do not count: nothing failed. */
  waits: number;
  /** Times that it was handed over although its attempts were used up, since nobody had ever said that it failed. */
  suspected: number;
}

export const NOTHING: Count = { waits: 0, suspected: 0 };

export interface Counts {
  read(session: Session, subscription: string, sequence: number): Promise<Count>;
  /** Durable when it resolves. */
  write(session: Session, subscription: string, sequence: number, count: Count): Promise<void>;
}

export function createCounts({ names, subjects }: Topology): Counts {
  return {
    read: async ({ jsm }, subscription, sequence) => {
      try {
        const message = await jsm.streams.getMessage(names.counts, { last_by_subj: subjects.counts(subscription, sequence) });
        return message ? countOf(message.string()) : NOTHING;
      } catch (error) {
        if (isNotFound(error)) return NOTHING;
        throw error;
      }
    },
    write: async ({ js }, subscription, sequence, count) => {
      await js.publish(subjects.counts(subscription, sequence), JSON.stringify(count));
    },
  };
}

function countOf(text: string): Count {
  try {
    const { waits, suspected } = JSON.parse(text) as Partial<Count>;
    return { waits: positive(waits), suspected: positive(suspected) };
  } catch {
    // Not ours: then every delivery counts.
    return NOTHING;
  }
}

const positive = (value: unknown) => (Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0);
