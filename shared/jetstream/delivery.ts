// One message as a pull consumer delivers it: what its reply subject says, and the four ways to answer it.
import type { Msg } from 'nats';

export interface Received {
  message: Msg;
  /** In the stream of events. */
  sequence: number;
  /** 1 for the first delivery to this consumer. */
  deliveries: number;
  /** When it was stored, in nanoseconds; with the sequence it tells the message from any other, in a stream that was made anew too. */
  stored: string;
}

/** $JS.ACK.[domain.account.]stream.consumer.deliveries.sequence.delivered.stored.pending[.random]; undefined: a status, and no delivery. */
export function receivedOf(message: Msg): Received | undefined {
  const words = message.reply?.split('.') ?? [];
  if (words[0] !== '$JS' || words[1] !== 'ACK') return undefined;
  const at = words.length === 9 ? 4 : 6;
  return { message, deliveries: Number(words[at]), sequence: Number(words[at + 1]), stored: words[at + 3] ?? '' };
}

export const acknowledge = (message: Msg) => message.respond('+ACK');
export const stillWorking = (message: Msg) => message.respond('+WPI');
export const terminate = (message: Msg) => message.respond('+TERM');
export const again = (message: Msg, after_ms: number) => message.respond(after_ms > 0 ? `-NAK {"delay":${Math.ceil(after_ms) * 1_000_000}}` : '-NAK');
