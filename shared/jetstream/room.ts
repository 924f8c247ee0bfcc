// A full stream: what every function has handled may be forgotten early, oldest first. What waits is never touched.
import type { Log } from '../host/contract.ts';
import type { Session } from './connection.ts';
import { messageOf } from './errors.ts';
import type { Names } from './options.ts';

/** Of the handled events, so many hundredths are forgotten at once. */
const SHARE = 0.2;

/** Whether there is room now. One at a time in a process; several processes do no harm. */
export function createRoom(names: Names, log: Log): (session: Session) => Promise<boolean> {
  let underWay: Promise<boolean> | undefined;

  const forget = async ({ jsm }: Session): Promise<boolean> => {
    const { state } = await jsm.streams.info(names.events);
    let handled = state.last_seq;
    for await (const { ack_floor, num_pending, num_ack_pending, name, delivered } of jsm.consumers.list(names.events)) {
      // One that has nothing left and nothing in hand has handled everything there is, wherever its last event stood.
      if (num_pending === 0 && num_ack_pending === 0) continue;
      const floor = num_ack_pending === 0 ? delivered.stream_seq : ack_floor.stream_seq;
      if (floor < handled)
        log.warn({ stream: names.events, consumer: name, since: floor }, 'the stream of events is full, and this function is the furthest behind');
      handled = Math.min(handled, floor);
    }
    const upTo = Math.floor(state.first_seq + (handled - state.first_seq + 1) * SHARE);
    if (upTo <= state.first_seq) return false;
    const { purged } = await jsm.streams.purge(names.events, { seq: upTo });
    log.warn(
      { stream: names.events, purged, upTo },
      'the stream of events was full: the oldest events, all of them handled, are no longer remembered. Give it more bytes',
    );
    return purged > 0;
  };

  return (session) => {
    underWay ??= forget(session)
      .catch((error: unknown) => {
        log.error({ stream: names.events, reason: messageOf(error) }, 'the stream of events is full, and no room could be made');
        return false;
      })
      .finally(() => (underWay = undefined));
    return underWay;
  };
}
