// Looks over the bytes of a JSON text before it is parsed: what a parser would swallow in silence is refused with its reason.
// Everything that is not nesting, keys or strings is left to JSON.parse.

/** GitHub's payloads nest about ten levels. */
const MAX_DEPTH = 64;
/** Two values for one key are looked for down to here, which is deeper than anything that is read. */
const KEY_DEPTH = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Why this text is not to be parsed; undefined when nothing speaks against it. */
export function jsonTrouble(bytes: Uint8Array): string | undefined {
  const keys: (Set<string> | undefined)[] = [];
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > MAX_DEPTH) return `it nests deeper than ${MAX_DEPTH} levels`;
      keys[depth] = undefined;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    } else if (byte === QUOTE) {
      const start = at;
      at = endOfString(bytes, at);
      if (depth > KEY_DEPTH || !isKey(bytes, at + 1)) continue;
      const key = decode(bytes.subarray(start, at + 1));
      const seen = (keys[depth] ??= new Set());
      if (seen.has(key)) return `it has the key ${key.slice(0, 64)} twice in one object`;
      seen.add(key);
    }
  }
  return undefined;
}

/** Index of the closing quote of the string that begins at `start`, or past the end. */
function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  for (; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
  return at;
}

function isKey(bytes: Uint8Array, from: number): boolean {
  let at = from;
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[++at]);
  return bytes[at] === COLON;
}

/** The key with its quotes, escapes resolved, so that two spellings of one key are one. */
function decode(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    // Not a JSON string: JSON.parse of the whole says so.
    return text;
  }
}
