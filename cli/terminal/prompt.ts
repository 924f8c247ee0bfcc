// Asks a person, or reads what was piped in. What is secret is never shown and never stands among the arguments.
import { createInterface } from 'node:readline/promises';
import { CliError, EXIT } from '../exit.ts';
import type { Io } from './io.ts';

const MAX_SECRET = 65_536;

export async function ask(io: Io, question: string): Promise<string> {
  const lines = createInterface({ input: io.stdin, output: io.stderr as NodeJS.WritableStream });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

/** From a pipe all of it, without the last line's end; from a terminal one line, without echo. Throws CliError when it is empty or too long. */
export async function readSecret(io: Io, question: string): Promise<string> {
  const value = io.stdin.isTTY ? await askHidden(io, question) : await readAll(io);
  if (!value) throw new CliError(EXIT.usage, 'Nothing was given. Pipe the value in, or type it when asked: tidemill … < file');
  return value;
}

async function readAll(io: Io): Promise<string> {
  let text = '';
  io.stdin.setEncoding('utf8');
  for await (const chunk of io.stdin) {
    text += chunk as string;
    if (text.length > MAX_SECRET) throw new CliError(EXIT.usage, `The value is longer than ${MAX_SECRET} characters.`);
  }
  return text.replace(/\r?\n$/, '');
}

function askHidden(io: Io, question: string): Promise<string> {
  const { stdin, stderr } = io;
  stderr.write(question);
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let value = '';
    const end = (settle: () => void) => {
      stdin.off('data', take);
      stdin.setRawMode?.(false);
      stdin.pause();
      stderr.write('\n');
      settle();
    };
    const take = (chunk: string) => {
      for (const key of chunk) {
        if (key === '\r' || key === '\n' || key === '\u0004') return end(() => resolve(value));
        if (key === '\u0003') return end(() => reject(new CliError(EXIT.interrupted, 'Nothing was done.')));
        if (key === '\u007F' || key === '\b') value = value.slice(0, -1);
        else if (value.length < MAX_SECRET) value += key;
      }
    };
    stdin.on('data', take);
    stdin.resume();
  });
}
