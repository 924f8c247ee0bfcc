// Ids that are derived, never drawn: doing a thing again gives the same id, which is what makes at-least-once harmless.
import { createHash, hash as digest } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_LENGTH = 9;
const HASH_LENGTH = 26;
/** Ten bits as two characters. */
const PAIRS = Array.from({ length: 1024 }, (_, i) => ALPHABET.charAt(i >>> 5) + ALPHABET.charAt(i & 31));

/**
 * A 26-character lower-case base-32 hash (130 bits) of the parts; usable in names of Kubernetes objects.
 * The parts are joined by NUL, which none of them may hold, so that ('ab','c') and ('a','bc') differ.
 */
export function hash(...parts: string[]): string {
  // As text of one character per byte: a Buffer for each would cost more than the hashing.
  const bytes = digest('sha256', parts.join('\0'), 'binary');
  let out = '';
  let bits = 0;
  let value = 0;
  for (let i = 0; out.length < HASH_LENGTH; i++) {
    value = (value << 8) | bytes.charCodeAt(i);
    bits += 8;
    if (bits < 10) continue;
    bits -= 10;
    out += PAIRS[value >>> bits];
    value &= (1 << bits) - 1;
  }
  return out;
}

/** A short hash (50 bits) for names that people read and that are unique within one project. */
export function shortHash(...parts: string[]): string {
  return hash(...parts).slice(0, 10);
}

/** Milliseconds as nine base-32 characters that sort as the times do; zero for what is no time. */
function timePrefix(ms: number): string {
  let out = '';
  for (let rest = Math.max(0, Math.floor(ms) || 0), i = 0; i < TIME_LENGTH; i++, rest = Math.floor(rest / 32)) out = ALPHABET[rest % 32] + out;
  return out;
}

/**
 * Id of an event that begins a chain. `ms` is when the thing happened as its teller says (not when we heard of it),
 * so that telling it twice gives one id.
 */
export function rootId(ms: number, ...parts: string[]): string {
  return timePrefix(ms) + hash(...parts);
}

/**
 * Id of an output event: from the id and source of its cause, its type and a key.
 * It keeps the time prefix of its cause, so that a chain's events stand together in an index ordered by id.
 */
export function outputId(cause: { id: string; source: string }, type: string, key: string): string {
  return cause.id.slice(0, TIME_LENGTH) + hash(cause.source, cause.id, type, key);
}

/**
 * Source of what the watcher tells of its own: what a person asked for by writing an object, and, under new ids, what was told before
 * and did not move anything. Whoever tells the outside of things has heard of the latter already.
 */
export const WATCHER_SOURCE = '/functions/watcher';

/** Chain of an event that begins one: in the form of a UUIDv4, which CDEvents asks of chain ids; derived, so that two tellers begin one chain. */
function chainOf(source: string, id: string): string {
  const hex = createHash('sha256').update(`${source}\0${id}`).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What ties together all that comes of an event which begins a chain: the chain's id, and a W3C trace context of the same id. */
export function beginChain(source: string, id: string, chainid: string = chainOf(source, id)): { chainid: string; traceparent: string } {
  const span = createHash('sha256').update(`${chainid}\0${id}`).digest('hex').slice(0, 16);
  return { chainid, traceparent: `00-${chainid.replaceAll('-', '')}-${span}-01` };
}
