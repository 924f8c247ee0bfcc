// What a request's headers ask for: encodings (RFC 9110, 12.5.3), conditions (13) and ranges (14).

export type Encoding = 'br' | 'gzip';

const MAX_REMEMBERED = 200;
const remembered = new Map<string, readonly Encoding[]>();

/** Encodings that the client takes, the best first. Browsers send a handful of different values, so they are remembered. */
export function acceptedEncodings(header: string | undefined): readonly Encoding[] {
  if (!header) return NONE;
  const known = remembered.get(header);
  if (known) return known;
  const parsed = parseEncodings(header);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(header, parsed);
  return parsed;
}

const NONE: readonly Encoding[] = [];

function parseEncodings(header: string): Encoding[] {
  const qualities = new Map<string, number>();
  for (const item of header.slice(0, 1000).split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    const value = quality === undefined ? 1 : Number(quality.slice(2));
    if (name !== '') qualities.set(name, Number.isNaN(value) ? 0 : value);
  }
  const of = (name: string): number => qualities.get(name) ?? qualities.get('*') ?? 0;
  return (['br', 'gzip'] as const).filter((name) => of(name) > 0).sort((a, b) => of(b) - of(a));
}

/** Whether If-None-Match names this entity tag (weak comparison). */
export function noneMatch(header: string, etag: string): boolean {
  if (header === etag || header.trim() === '*') return true;
  return header.split(',').some((item) => item.trim().replace(/^W\//, '') === etag);
}

export interface ByteRange {
  /** Inclusive offsets. */
  start: number;
  end: number;
}

/**
 * The one range that is asked for. Undefined: none that is understood, so the whole is answered (several ranges too: a server may).
 * "unsatisfiable": it lies beyond the end.
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}
