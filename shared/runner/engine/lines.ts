// Output of a process as lines: decoded, bounded in length, and with secrets replaced by ***.
import { StringDecoder } from 'node:string_decoder';

/** A line longer than this is told in pieces. Characters. */
const LONGEST = 32_768;

/** Secrets shorter than this would hide ordinary text. Characters. */
const SHORTEST_SECRET = 3;

export interface Mask {
  add(secret: string): void;
  apply(text: string): string;
  /** The last place at or before `at` where no secret is cut in two. */
  cutBefore(text: string, at: number): number;
}

/** Secrets of several lines are masked line by line. */
export function createMask(): Mask {
  let secrets: string[] = [];
  return {
    add(secret) {
      const parts = secret.split(/\r?\n/).map((line) => line.trim());
      const added = parts.filter((part) => part.length >= SHORTEST_SECRET && !secrets.includes(part));
      secrets = [...secrets, ...added].toSorted((a, b) => b.length - a.length);
    },
    apply(text) {
      let masked = text;
      for (const secret of secrets) if (masked.includes(secret)) masked = masked.replaceAll(secret, '***');
      return masked;
    },
    cutBefore(text, at) {
      let cut = at;
      for (const secret of secrets) {
        const start = text.indexOf(secret, Math.max(0, cut - secret.length + 1));
        // The secret may not have come in whole: a beginning of it at the very end counts as well.
        if (start >= 0 && start < cut) cut = start;
        const rest = text.slice(Math.max(0, text.length - secret.length + 1));
        for (let length = Math.min(rest.length, secret.length - 1); length > 0; length--) {
          if (!text.endsWith(secret.slice(0, length))) continue;
          cut = Math.min(cut, text.length - length);
          break;
        }
      }
      return cut > 0 ? cut : at;
    },
  };
}

/** A line, masked, without the carriage return at its end, in as many pieces as its length asks for. */
export function linePieces(line: string, mask: Mask): string[] {
  const masked = mask.apply(line.endsWith('\r') ? line.slice(0, -1) : line);
  if (masked.length <= LONGEST) return [masked];
  return Array.from({ length: Math.ceil(masked.length / LONGEST) }, (_, i) => masked.slice(i * LONGEST, (i + 1) * LONGEST));
}

export interface LineSplitter {
  push(chunk: Buffer): string[];
  /** What came without a line's end. */
  end(): string[];
}

export function createLineSplitter(mask: Mask): LineSplitter {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const take = (text: string): string[] => {
    rest += text;
    const lines = rest.split('\n');
    rest = lines.pop()!;
    const out = lines.flatMap((line) => linePieces(line, mask));
    while (rest.length > LONGEST) {
      const cut = mask.cutBefore(rest, LONGEST);
      out.push(mask.apply(rest.slice(0, cut)));
      rest = rest.slice(cut);
    }
    return out;
  };
  return {
    push: (chunk) => take(decoder.write(chunk)),
    end() {
      const out = take(decoder.end());
      if (rest) out.push(...linePieces(rest, mask));
      rest = '';
      return out;
    },
  };
}
