// Where a command reads and writes: data to stdout, progress and complaints to stderr, colour only where a person looks.
import type { Readable } from 'node:stream';

export interface Output {
  /** False: it takes no more before "drain". */
  write(text: string): unknown;
  once?(event: 'drain', listener: () => void): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

export interface Io {
  stdout: Output;
  stderr: Output;
  stdin: Readable & { isTTY?: boolean | undefined; setRawMode?: (on: boolean) => unknown };
  env: Record<string, string | undefined>;
  cwd: string;
}

export const processIo = (): Io => ({ stdout: process.stdout, stderr: process.stderr, stdin: process.stdin, env: process.env, cwd: process.cwd() });

/** Writes no faster than it is read. */
export async function writeFully(output: Output, text: string): Promise<void> {
  if (output.write(text) === false && output.once) await new Promise<void>((resolve) => output.once?.('drain', resolve));
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** Colours for this output. NO_COLOR (https://no-color.org), TERM=dumb and anything but a terminal go without. */
export function styleOf(output: Output, env: Io['env']): Style {
  const on = output.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  const paint = (code: number, end: number) => (text: string) => (on ? `\u001B[${code}m${text}\u001B[${end}m` : text);
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39), cyan: paint(36, 39) };
}

/** Such text of several lines, those after the first indented. */
export function plainLines(text: string, indent: string): string {
  return text.trim().split('\n').map(plain).join(`\n${indent}`);
}

/** Text of a stranger (a commit, a log, a server's answer) as one line, without what could steer the terminal. Tabs stay; lines are kept apart. */
export function plain(text: string): string {
  return text
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\u001B\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/[\u0000-\u0008\u000A-\u001F\u007F-\u009F]/g, '');
}
