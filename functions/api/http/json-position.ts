// Where JSON text stops being JSON. Node's own message often lacks the place, and people need it.

type Expect = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or close' | 'end';

export interface JsonError {
  /** UTF-16 offset, from 0. */
  position: number;
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  expected: string;
}

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.]))/y;

const WORDS: Record<Expect, string> = {
  value: 'a value',
  'value or ]': 'a value or "]"',
  key: 'a property name in double quotes',
  'key or }': 'a property name in double quotes, or "}"',
  colon: '":"',
  'comma or close': '"," or the closing bracket',
  end: 'the end of the text',
};

/** The first error in `text`; undefined when it is JSON (RFC 8259). No recursion: nesting costs memory only. */
export function findJsonError(text: string): JsonError | undefined {
  const open: string[] = [];
  let expect: Expect = 'value';
  for (let at = 0; ;) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text);
    if (!token) return expect === 'end' && /^[ \t\n\r]*$/.test(text.slice(at)) ? undefined : place(text, skipSpace(text, at), expect);
    const next = step(expect, token, open);
    if (!next) return place(text, skipSpace(text, at), expect);
    expect = next;
    at = TOKEN.lastIndex;
  }
}

/** What has to follow the token; undefined: it must not stand here. */
function step(expect: Expect, token: RegExpExecArray, open: string[]): Expect | undefined {
  const [, mark, string] = token;
  const afterValue = () => (open.length > 0 ? 'comma or close' : 'end');
  const wantsValue = expect === 'value' || expect === 'value or ]';
  if (!mark) {
    if (wantsValue) return afterValue();
    return string && (expect === 'key' || expect === 'key or }') ? 'colon' : undefined;
  }
  if (mark === '{' || mark === '[') {
    if (!wantsValue) return undefined;
    open.push(mark);
    return mark === '{' ? 'key or }' : 'value or ]';
  }
  if (mark === ':') return expect === 'colon' ? 'value' : undefined;
  if (mark === ',') {
    if (expect !== 'comma or close') return undefined;
    return open.at(-1) === '{' ? 'key' : 'value';
  }
  const opener = mark === '}' ? '{' : '[';
  const closes = expect === 'comma or close' || expect === (mark === '}' ? 'key or }' : 'value or ]');
  if (!closes || open.at(-1) !== opener) return undefined;
  open.pop();
  return afterValue();
}

function skipSpace(text: string, at: number): number {
  let position = at;
  while (position < text.length && ' \t\n\r'.includes(text.charAt(position))) position++;
  return position;
}

function place(text: string, position: number, expect: Expect): JsonError {
  const before = text.slice(0, position);
  return { position, line: before.split('\n').length, column: position - before.lastIndexOf('\n'), expected: WORDS[expect] };
}
