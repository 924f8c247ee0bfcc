// Which keys and paths may be stored, and the order that they are listed in.
// The rules are those of the strictest store: what is stored in a folder today can move to S3 or a registry tomorrow.

/** S3's limit, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;
/** A file's path inside a tree; what is left of a key's bytes is for project and version. */
const MAX_PATH_BYTES = 768;
/** NAME_MAX of the usual file systems. */
const MAX_SEGMENT_BYTES = 255;
const FORBIDDEN = /[\p{Cc}\\]/u;

/** A key or path that cannot be stored; the message says which and why. */
export class InvalidKey extends Error {
  override name = 'InvalidKey';
}

/** Throws InvalidKey. */
export function checkKey(key: string): void {
  check('key', key, MAX_KEY_BYTES);
}

/** A relative path of a file inside a tree. Throws InvalidKey. */
export function checkPath(path: string): void {
  check('path', path, MAX_PATH_BYTES);
}

function check(what: string, value: string, maxBytes: number): void {
  const problem = problemOf(value, maxBytes);
  if (problem) throw new InvalidKey(`The ${what} ${JSON.stringify(value.slice(0, 200))} cannot be stored: ${problem}`);
}

/** Letters, digits and the usual marks: nothing in such a path needs a closer look but its dots, its slashes and its length. */
const PLAIN = /^[A-Za-z0-9_-][\w.-]*(?:\/[A-Za-z0-9_-][\w.-]*)*$/;
const PLAIN_LENGTH = 200;

function problemOf(value: string, maxBytes: number): string | undefined {
  if (value.length <= PLAIN_LENGTH && PLAIN.test(value)) return undefined;
  if (value === '') return 'it is empty';
  if (!value.isWellFormed()) return 'it is not valid Unicode';
  if (FORBIDDEN.test(value)) return 'it holds a control character or a backslash';
  if (Buffer.byteLength(value) > maxBytes) return `it is longer than ${maxBytes} bytes`;
  for (const segment of value.split('/')) {
    if (segment === '') return 'it begins or ends with "/", or has "//" in it';
    if (segment === '.' || segment === '..') return `it has a "${segment}" in it`;
    if (segment.length > MAX_SEGMENT_BYTES / 4 && Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
      return `a part of it is longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** Order of UTF-8 bytes, which is not that of JavaScript's strings: those compare UTF-16 units. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // Surrogates stand for what lies above U+FFFF, so they come after every other unit.
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x20000 : unit;
}
