// Publishing: each event on a subject of its own that must be empty, so that one that was published before is refused, which is success.
import { headers } from 'nats';
import type { TidemillEvent } from '../events/event.ts';
import type { Connection, Session } from './connection.ts';
import { isFull, isStoredAlready, Refusal } from './errors.ts';
import type { Topology } from './streams.ts';

/** Left free in a message for what a dead letter says beside the event. */
const ROOM_FOR_LETTER = 16_384;

export interface Publisher {
  /** Durable when it resolves. */
  publish(events: readonly TidemillEvent[]): Promise<void>;
}

export function createPublisher(connection: Connection, topology: Topology, makeRoom: (session: Session) => Promise<boolean>): Publisher {
  const { names, subjects } = topology;
  const onlyFirst = { expect: { lastSubjectSequence: 0 } };
  const encoder = new TextEncoder();

  const once = async (session: Session, subject: string, body: Uint8Array) => {
    const most = session.nc.info?.max_payload ?? 1_048_576;
    if (body.length > most - ROOM_FOR_LETTER) throw new Refusal(`it has ${body.length} bytes, and this server takes ${most - ROOM_FOR_LETTER}`);
    try {
      await session.js.publish(subject, body, { ...onlyFirst, headers: headers() });
    } catch (error) {
      if (isStoredAlready(error)) return;
      // Another try only where older events, all of them handled, could be forgotten for it.
      if (isFull(error) && !(await makeRoom(session)))
        throw new Refusal(`the stream ${names.events} is full of events that were not handled yet, and refuses more rather than lose some`);
      throw error;
    }
  };

  const one = (event: TidemillEvent) => {
    const subject = subjects.event(event);
    const body = encoder.encode(JSON.stringify(event));
    return connection.patiently(`The event ${event.id} (${event.type}) could not be published`, (session) => once(session, subject, body));
  };

  return {
    publish: async (events) => {
      if (events.length === 1) return one(events[0]!);
      const outcomes = await Promise.allSettled(events.map(one));
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    },
  };
}
