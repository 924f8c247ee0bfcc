// Asks a durable consumer for as many messages as there is use for, and no more, so that what this process does not need another one gets.
import { createInbox, type Msg } from 'nats';
import { pause } from '../host/pause.ts';
import type { Session } from './connection.ts';

/** The server ends a request that was not filled after so long, and says so. */
const EXPIRES_MS = 20_000;
const HEARTBEAT_MS = 2000;
/** Nothing heard for so long: the request is gone, with its server. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
const DRAIN_MS = 1000;

export interface Puller {
  /** Asks for so many more. */
  want(count: number): void;
  /** Asked for and not there yet. */
  readonly outstanding: number;
  /** Resolves when it has to be begun anew: the connection or the consumer is gone, or nothing was heard. */
  readonly ended: Promise<string>;
  close(): void;
  /** As close, and resolves when everything that was on its way has come: nothing is lost between the server and here. */
  drain(): Promise<void>;
}

export function createPuller({ nc, onLost }: Session, stream: string, consumer: string, onMessage: (message: Msg) => void, onFree: () => void): Puller {
  const inbox = createInbox();
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
  const ended = Promise.withResolvers<string>();
  const EXPIRES = { expires: EXPIRES_MS * 1_000_000, idle_heartbeat: HEARTBEAT_MS * 1_000_000 };
  let outstanding = 0;
  let heard = performance.now();

  const subscription = nc.subscribe(inbox, {
    callback: (error, message) => {
      if (error) return ended.resolve(error.message);
      heard = performance.now();
      if (message.subject !== inbox) {
        if (outstanding > 0) outstanding--;
        return onMessage(message);
      }
      onStatus(message);
    },
  });

  const onStatus = ({ headers }: Msg) => {
    const code = headers?.code ?? 0;
    if (code === 100) return;
    const unfilled = Number(headers?.get('Nats-Pending-Messages') || 0);
    // Expired, or no messages: asked again.
    if (code === 404 || code === 408) {
      outstanding = Math.max(0, outstanding - unfilled);
      return onFree();
    }
    ended.resolve(`${code} ${headers?.description ?? ''}`.trim());
  };

  const watchdog = setInterval(() => {
    if (outstanding > 0 && performance.now() - heard > SILENCE_MS) ended.resolve('nothing was heard from the server');
  }, HEARTBEAT_MS);

  // After a lost connection the server knows nothing of what was asked for.
  const forget = onLost(() => ended.resolve('the connection was lost'));

  const stop = () => {
    clearInterval(watchdog);
    forget();
  };

  return {
    want: (count) => {
      if (count <= 0 || nc.isClosed()) return;
      if (outstanding === 0) heard = performance.now();
      outstanding += count;
      nc.publish(subject, JSON.stringify({ batch: count, ...EXPIRES }), { reply: inbox });
    },
    get outstanding() {
      return outstanding;
    },
    ended: ended.promise,
    close: () => {
      stop();
      if (!nc.isClosed()) subscription.unsubscribe();
      ended.resolve('closed');
    },
    drain: async () => {
      stop();
      // A connection that is being made anew has nothing on its way.
      const drained = new AbortController();
      const over = () => drained.abort();
      void (nc.isClosed() ? Promise.resolve() : subscription.drain()).then(over, over);
      await pause(DRAIN_MS, drained.signal);
      ended.resolve('closed');
    },
  };
}
