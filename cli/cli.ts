// What every command is given: its client, its options that are common to all, and ways to say things.
import type { Command } from 'commander';
import type { Client } from './client/client.ts';
import { EXIT } from './exit.ts';
import type { ServerOptions } from './client/find-server.ts';
import { type Io, type Style, styleOf } from './terminal/io.ts';

const MEANT_MS = 1000;

export interface Cli {
  io: Io;
  /** For what goes to stdout. */
  style: Style;
  /** For what goes to stderr. */
  noteStyle: Style;
  json(): boolean;
  options(): ServerOptions;
  client(): Promise<Client>;
  /** The answer: as JSON where that was asked for, else the text. */
  answer(value: unknown, text: string | (() => string)): void;
  /** Progress and remarks, on stderr; left out with --json only where they would repeat the answer. */
  note(text: string): void;
  /** The exit code, when the command ends without an error: what was asked for was done, and came out badly. */
  exitCode: number;
  /** Fires at Ctrl-C, which then no longer ends the process by itself. */
  interruption(): AbortSignal;
}

/** Adds a command to the program. Called only when the command is used or its help is wanted. */
export type Define = (program: Command, cli: Cli) => void;

export function createCli(program: Command, io: Io): Cli {
  let interruption: AbortController | undefined;
  return {
    io,
    exitCode: 0,
    style: styleOf(io.stdout, io.env),
    noteStyle: styleOf(io.stderr, io.env),
    json: () => program.opts<{ json?: boolean }>().json === true,
    options: () => program.opts<ServerOptions>(),
    client: async () => {
      const [{ findServer }, { createClient }] = await Promise.all([import('./client/find-server.ts'), import('./client/client.ts')]);
      const options = program.opts<ServerOptions & { namespace?: string }>();
      return createClient(await findServer(options, io), options.namespace);
    },
    answer: (value, text) => {
      if (program.opts<{ json?: boolean }>().json) io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      else io.stdout.write(ended(typeof text === 'string' ? text : text()));
    },
    note: (text) => void io.stderr.write(ended(text)),
    interruption: () => {
      if (!interruption) {
        const made = new AbortController();
        interruption = made;
        // Told twice within milliseconds (by a launcher and the terminal) it is one; again later, it is meant.
        let first: number | undefined;
        process.on('SIGINT', () => {
          if (first !== undefined && performance.now() - first > MEANT_MS) process.exit(EXIT.interrupted);
          first ??= performance.now();
          made.abort();
        });
      }
      return interruption.signal;
    },
  };
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
