// The delay queue of Knative: what is to be tried again later than a broker's own retries reach waits in Storage, under later/, and is posted
// straight to its function when it is due. Any number of processes may deliver: an event that comes twice is nothing new to a function.
import { hash } from '../events/ids.ts';
import type { Log } from '../host/contract.ts';
import type { Storage } from '../ports/storage.ts';
import { readAnswer } from './body.ts';
import type { Dead } from './dead.ts';
import { readDocument, sortable, writeDocument } from './documents.ts';
import { STRUCTURED } from './headers.ts';
import { type Answer, createPoster } from './post.ts';

const PREFIX = 'later/';
const KEY = /^later\/(\d{13})-([A-Za-z0-9_-]{1,64})-[0-9a-z]{26}\.json$/;
/** On a request: this is attempt so much. On an answer that asks for another: that one will be. */
export const ATTEMPT_HEADER = 'tidemill-attempt';
/** On an answer: again after so many milliseconds; Retry-After has only seconds. */
export const AFTER_HEADER = 'tidemill-after';
const TIMEOUT_MS = 600_000;
const MAX_WAIT_MS = 86_400_000;
const MAX_UNDER_WAY = 64;
/** A function that cannot be reached, or is busy: pauses double up to five minutes, and end after some hours. */
const UNREACHED = { base_ms: 1000, cap_ms: 300_000, most: 60 };

export interface Waiting {
  subscription: string;
  /** A CloudEvent in its JSON form. */
  event: unknown;
  /** The attempt that it will be. */
  attempt: number;
}

export interface Later {
  /** Durable when it resolves. */
  put(delivery: Waiting, after_ms: number): Promise<void>;
  /**
   * Delivers what is due, at most `limit` (default 64), oldest first; resolves when each was answered, which may take as long as the functions do.
   * May be called again before: what is under way is left alone.
   */
  deliverDue(now: number, limit?: number): Promise<{ delivered: number; postponed: number; dead: number }>;
  close(): void;
}

export interface LaterOptions {
  storage: Storage;
  /** Where a function takes its events: http(s)://… */
  address: (subscription: string) => string;
  dead: Pick<Dead, 'keep'>;
  log: Log;
  /** Milliseconds since 1970. Default Date.now. */
  now?: () => number;
}

/** As it is kept; `unreached`: tries in a row that no function answered. */
interface Kept extends Waiting {
  unreached?: number;
}

export function createLater({ storage, address, dead, log, now = Date.now }: LaterOptions): Later {
  const poster = createPoster(TIMEOUT_MS);
  const underWay = new Set<string>();

  const keep = async (kept: Kept, after_ms: number): Promise<string> => {
    const { source, id } = (kept.event ?? {}) as { source?: unknown; id?: unknown };
    const due = now() + Math.min(Math.max(0, after_ms), MAX_WAIT_MS);
    const key = `${PREFIX}${sortable(due)}-${kept.subscription}-${hash(String(source), String(id))}.json`;
    await writeDocument(storage, key, kept);
    return key;
  };

  type End = 'delivered' | 'postponed' | 'dead';

  const deliver = async (key: string): Promise<End | undefined> => {
    const kept = (await readDocument(storage, key)) as Kept | undefined;
    if (!kept) return undefined;
    const end = await settle(key, kept, await post(kept));
    return end;
  };

  const post = async ({ subscription, event, attempt }: Kept): Promise<Answer | Error> => {
    const body = Buffer.from(JSON.stringify(event));
    const headers = { 'content-type': STRUCTURED, 'content-length': body.length, [ATTEMPT_HEADER]: String(attempt) };
    return poster.post(new URL(address(subscription)), headers, body).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  };

  const settle = async (key: string, kept: Kept, answer: Answer | Error): Promise<End> => {
    if (!(answer instanceof Error) && answer.status >= 200 && answer.status < 300) {
      await storage.delete(key);
      return 'delivered';
    }
    if (!(answer instanceof Error) && [400, 413, 415, 422].includes(answer.status))
      return bury(key, kept, readAnswer(answer.text).reason ?? `Answered ${answer.status}`);
    const next = answer instanceof Error ? undefined : nextOf(answer);
    if (next) return postpone(key, { ...kept, attempt: next.attempt, unreached: 0 }, next.after_ms);
    const unreached = (kept.unreached ?? 0) + 1;
    const why = answer instanceof Error ? answer.message : `it answered ${answer.status} ${answer.text.slice(0, 200)}`.trim();
    if (unreached > UNREACHED.most) return bury(key, kept, `Given up after ${unreached} tries to reach ${kept.subscription}; the last one: ${why}`);
    if (unreached === 1) log.warn({ function: kept.subscription, reason: why }, 'a function did not take an event that was due; it is tried again');
    return postpone(key, { ...kept, unreached }, Math.min(UNREACHED.base_ms * 2 ** Math.min(unreached - 1, 20), UNREACHED.cap_ms));
  };

  /** What comes first is written first: a kill in between delivers twice, and loses nothing. */
  const postpone = async (key: string, kept: Kept, after_ms: number): Promise<End> => {
    const written = await keep(kept, after_ms);
    if (written !== key) await storage.delete(key);
    return 'postponed';
  };

  const bury = async (key: string, { subscription, event, attempt }: Kept, reason: string): Promise<End> => {
    await dead.keep({ subscription, event, attempts: attempt, reason, at: new Date(now()).toISOString() });
    await storage.delete(key);
    return 'dead';
  };

  const one = async (key: string): Promise<End | undefined> => {
    underWay.add(key);
    try {
      return await deliver(key);
    } catch (error) {
      log.error({ key, reason: error instanceof Error ? error.message : String(error) }, 'an event that is due could not be delivered; it is tried again');
      return undefined;
    } finally {
      underWay.delete(key);
    }
  };

  return {
    put: async (delivery, after_ms) => {
      if (!KEY.test(`${PREFIX}${sortable(0)}-${delivery.subscription}-${'0'.repeat(26)}.json`))
        throw new Error(`"${delivery.subscription.slice(0, 64)}" is no name of a function`);
      await keep(delivery, after_ms);
    },
    deliverDue: async (at, limit = MAX_UNDER_WAY) => {
      const { keys } = await storage.list(PREFIX, { limit: limit + underWay.size });
      const due = keys.filter((key) => !underWay.has(key) && Number(KEY.exec(key)?.[1] ?? Infinity) <= at);
      const ends = await Promise.all(due.slice(0, Math.max(0, Math.min(limit, MAX_UNDER_WAY - underWay.size))).map(one));
      const count = (end: End) => ends.filter((each) => each === end).length;
      return { delivered: count('delivered'), postponed: count('postponed'), dead: count('dead') };
    },
    close: poster.close,
  };
}

/** What a function says in its answer of the next attempt; undefined: it was not the function that answered. */
function nextOf({ headers }: Answer): { attempt: number; after_ms: number } | undefined {
  const attempt = Number(headers[ATTEMPT_HEADER]);
  const after_ms = Number(headers[AFTER_HEADER]);
  return Number.isSafeInteger(attempt) && attempt > 0 && after_ms >= 0 ? { attempt, after_ms } : undefined;
}
