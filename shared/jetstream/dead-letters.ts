// Dead letters: messages of a stream of their own, body as it came, the rest in one header. Listed by sequence, and given another chance.
import { headers } from 'nats';
import { hash } from '../events/ids.ts';
import type { DeadLetter } from '../ports/broker.ts';
import type { Connection, Session } from './connection.ts';
import { isNotFound, isStoredAlready, Refusal } from './errors.ts';
import type { Topology } from './streams.ts';

const HEADER = 'Tidemill-Letter';
const MAX_REASON = 4096;
const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;

/** What a header says of a letter, beside the event in its body. */
type About = Pick<DeadLetter, 'subscription' | 'attempts' | 'reason' | 'at'>;

export interface Buried extends About {
  body: Uint8Array;
  /** Tells this delivery from every other: its stream's sequence and time. */
  delivery: string;
}

export interface DeadLetters {
  /** Durable when it resolves; the same delivery again is the same letter. */
  bury(session: Session, letter: Buried): Promise<void>;
  list(page?: { limit?: number; after?: string }): Promise<DeadLetter[]>;
  redrive(id: string): Promise<void>;
}

export function createDeadLetters(connection: Connection, { names, subjects }: Topology): DeadLetters {
  const next = async ({ jsm }: Session, sequence: number) => {
    try {
      const query = { seq: sequence, next_by_subj: names.deadSubjects[0]! };
      return await jsm.streams.getMessage(names.dead, query);
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  };

  return {
    bury: async ({ js }, { body, delivery, subscription, attempts, reason, at }) => {
      const about: About = { subscription, attempts, reason: reason.slice(0, MAX_REASON), at };
      const head = headers();
      head.set(HEADER, JSON.stringify(about));
      try {
        await js.publish(subjects.dead(subscription, hash(subscription, delivery)), body, { headers: head, expect: { lastSubjectSequence: 0 } });
      } catch (error) {
        if (!isStoredAlready(error)) throw error;
      }
    },
    list: ({ limit = DEFAULT_PAGE, after = '0' } = {}) =>
      connection.patiently('The dead letters could not be read', async (session) => {
        const letters: DeadLetter[] = [];
        const most = Math.min(Math.max(1, limit), MAX_PAGE);
        for (let sequence = sequenceOf(after) + 1; letters.length < most;) {
          const message = await next(session, sequence);
          if (!message) break;
          letters.push({ id: String(message.seq), ...aboutOf(message.header.get(HEADER)), event: eventOf(message.data) });
          sequence = message.seq + 1;
        }
        return letters;
      }),
    redrive: (id) =>
      connection.patiently(`The dead letter ${id.slice(0, 64)} could not be redriven`, async (session) => {
        const sequence = sequenceOf(id);
        const message = sequence > 0 ? await next(session, sequence) : null;
        if (!message || message.seq !== sequence) throw new Refusal(`there is no such dead letter: it was redriven before, or never was`);
        const { subscription } = aboutOf(message.header.get(HEADER));
        try {
          // Its own subject, so that a second try at redriving it, after a lost answer, is no second delivery.
          const subject = subjects.redrive(subscription, hash(id, message.timestamp));
          await session.js.publish(subject, message.data, { expect: { lastSubjectSequence: 0 } });
        } catch (error) {
          if (!isStoredAlready(error)) throw error;
        }
        await session.jsm.streams.deleteMessage(names.dead, sequence, false).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }),
  };
}

/** Ids of dead letters are the sequences of their messages; anything else is none's. */
function sequenceOf(id: string): number {
  return /^\d{1,15}$/.test(id) ? Number(id) : 0;
}

function aboutOf(header: string): About {
  try {
    return JSON.parse(header) as About;
  } catch {
    // Not one of ours: shown as what it is.
    return { subscription: '', attempts: 0, reason: 'A message in the stream of dead letters that tidemill did not write', at: new Date(0).toISOString() };
  }
}

function eventOf(data: Uint8Array): unknown {
  const text = new TextDecoder().decode(data);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
