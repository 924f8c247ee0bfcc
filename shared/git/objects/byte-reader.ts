// Reads lines and counted bytes from a stream, in order and with back-pressure: the form in which `git cat-file --batch` answers.

export interface ByteReader {
  /** The next line without its end; undefined at the end of the stream. Throws when it is longer than 64 KiB. */
  line(): Promise<string | undefined>;
  /** The next `count` bytes in pieces, none kept. Throws when the stream ends before. */
  pieces(count: number): AsyncGenerator<Buffer>;
  /** The next `count` bytes at once. */
  bytes(count: number): Promise<Buffer>;
}

const MAX_LINE = 64 * 1024;
const NEWLINE = 10;

export function createByteReader(stream: AsyncIterable<Buffer>): ByteReader {
  const source = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  async function more(): Promise<boolean> {
    const next = await source.next();
    if (next.done) return false;
    held = held.length ? Buffer.concat([held, next.value]) : next.value;
    return true;
  }

  async function line(): Promise<string | undefined> {
    for (;;) {
      const end = held.indexOf(NEWLINE);
      if (end >= 0) {
        const text = held.toString('utf8', 0, end);
        held = held.subarray(end + 1);
        return text;
      }
      if (held.length > MAX_LINE) throw new Error('git answered with a line that does not end');
      if (!(await more())) return undefined;
    }
  }

  async function* pieces(count: number): AsyncGenerator<Buffer> {
    let left = count;
    while (left > 0) {
      if (held.length === 0 && !(await more())) throw new Error(`git ended ${left} bytes short of what it announced`);
      const piece = held.subarray(0, Math.min(left, held.length));
      held = held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async function bytes(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const piece of pieces(count)) parts.push(piece);
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, count);
  }

  return { line, pieces, bytes };
}
