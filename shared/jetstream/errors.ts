// What a failed call to the server means: try again soon, or never.
import { JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError, PermissionViolationError } from 'nats';

const WRONG_LAST_SEQUENCE = 10_071;
const STORE_FULL = 10_077;
/** Somebody else made it in between: look again. */
const MADE_MEANWHILE = new Set([10_012, 10_013, 10_058, 10_105, 10_148]);
const NOT_FOUND = new Set([10_014, 10_037, 10_059]);

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The subject has a message already. The server says which; "0" and no number at all are said of one that is on its way and not stored yet,
 * or that could not be read: those are no answer.
 */
export function isStoredAlready(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE && /: [1-9]\d*$/.test(error.message);
}

/** The stream holds as much as it may, and is told to refuse rather than to forget. */
export function isFull(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === STORE_FULL;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && NOT_FOUND.has(error.code);
}

/** No try will change it. What is left: the server is away, or between two leaders ("jetstream is not enabled"), or busy. */
export function isFinal(error: unknown): boolean {
  if (error instanceof InvalidArgumentError || error instanceof Refusal) return true;
  if (error instanceof Error && error.cause instanceof PermissionViolationError) return true;
  if (!(error instanceof JetStreamApiError) || error.status >= 500) return false;
  const isOfASequence = error.code === WRONG_LAST_SEQUENCE || error.code === 10_164;
  return !isOfASequence && !isNotFound(error) && !MADE_MEANWHILE.has(error.code);
}

/** Ours: says what is refused, why, and what to do. */
export class Refusal extends Error {
  override name = 'Refusal';
}
