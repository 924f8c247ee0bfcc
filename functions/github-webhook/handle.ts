// What is done with kept webhooks: the raw body to Storage, its events to the broker; what cannot be translated, to the dead letters.
import { setImmediate as turn } from 'node:timers/promises';
import { InvalidEvent, parseEvent, type TidemillEvent } from '../../shared/events/event.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { Broker } from '../../shared/ports/broker.ts';
import type { Digest, Storage } from '../../shared/ports/storage.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { InboxRecord } from './inbox/reader.ts';
import { translateAny } from './translate/large.ts';
import type { Translation } from './translate/translate.ts';

export interface HandleDeps {
  storage: Pick<Storage, 'putBlob' | 'getBlob'>;
  broker: Pick<Broker, 'publish'>;
  deadLetters: DeadLetters;
  log: Log;
}

/** Translating goes on for so long before the event loop turns. */
const SLICE_MS = 2;
/** Larger bodies go to Storage in pieces of this size, so that their digest is not taken in one go. */
const PIECE_BYTES = 256 * 1024;

/** For `inbox.drain`: throws when storage or broker do not take it now; doing it again changes nothing. */
export function createHandler(deps: HandleDeps): (records: readonly InboxRecord[]) => Promise<void> {
  return async (records) => {
    const taken: Promise<TidemillEvent[]>[] = [];
    let began = performance.now();
    for (const record of records) {
      taken.push(takeOver(record, deps));
      if (performance.now() - began < SLICE_MS) continue;
      await turn();
      began = performance.now();
    }
    // Each is waited for, even when one fails: their bodies are lent until all are done.
    const outcomes = await Promise.allSettled(taken);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    const events = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
    if (events.length > 0) await deps.broker.publish(events);
  };
}

/** The record's events, its raw body stored. */
async function takeOver({ head, body }: InboxRecord, deps: HandleDeps): Promise<TidemillEvent[]> {
  const { digest } = await deps.storage.putBlob(body.length > PIECE_BYTES ? pieces(body) : body);
  const translation = checked(await translateAny(head, body));
  const about = { event: head.event, delivery: head.delivery, body: digest };
  if (translation.kind === 'events') return translation.events;
  if (translation.kind === 'nothing') {
    deps.log.info({ ...about, reason: translation.reason }, 'Nothing follows from this webhook');
    return [];
  }
  deps.log.warn({ ...about, reason: translation.reason }, 'A signed webhook cannot be understood; it is kept as a dead letter');
  await deps.deadLetters.add({ head, body: digest }, translation.reason);
  return [];
}

async function* pieces(body: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) {
    yield body.subarray(at, at + PIECE_BYTES);
    await turn();
  }
}

/** An event that consumers would refuse is refused here, where its body is still known. */
export function checked(translation: Translation): Translation {
  if (translation.kind !== 'events') return translation;
  try {
    translation.events.forEach(parseEvent);
    return translation;
  } catch (error) {
    if (error instanceof InvalidEvent) return { kind: 'invalid', reason: error.message };
    throw error;
  }
}

/**
 * Tries a dead letter again, as after an update that understands it. Resolves with why it is still dead, or undefined when it was taken.
 * Throws when there is none of this id, or its body is gone from Storage.
 */
export async function redriveDeadLetter(id: string, deps: HandleDeps): Promise<string | undefined> {
  const letter = await deps.deadLetters.get(id);
  if (!letter) throw new Error(`There is no dead letter ${id}`);
  const body = await readBlob(letter.event.body, deps);
  const translation = checked(await translateAny(letter.event.head, body));
  if (translation.kind === 'invalid') return translation.reason;
  if (translation.kind === 'events') await deps.broker.publish(translation.events);
  await deps.deadLetters.remove(id);
  return undefined;
}

async function readBlob(digest: Digest, deps: HandleDeps): Promise<Buffer> {
  const blob = await deps.storage.getBlob(digest);
  if (!blob) throw new Error(`The body ${digest} is no longer in Storage`);
  return Buffer.concat(await blob.body.toArray());
}
