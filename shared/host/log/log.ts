// The log: JSON lines in a file of the data folder, so that the terminal is left to what a person wants to see; in a cluster on stdout.
// What writes it is loaded with the first line: most starts have nothing to say.
import type { Log } from '../contract.ts';

type Level = keyof Log;
type Opened = Log & { flush(): Promise<void> };

export interface ServerLog extends Log {
  /** Resolves when every line so far is in the file. */
  flush(): Promise<void>;
}

/** `to`: a file's path, or 1 for stdout. */
export function createLog(to: string | 1): ServerLog {
  const early: [Level, object, string][] = [];
  let opened: Opened | undefined;
  let opening: Promise<void> | undefined;
  const open = async () => {
    const log = (await import('./pino-log.ts')).createPinoLog(to);
    for (const [level, fields, message] of early.splice(0)) log[level](fields, message);
    opened = log;
  };
  const write = (level: Level, fields: object, message: string) => {
    if (opened) return opened[level](fields, message);
    early.push([level, fields, message]);
    opening ??= open();
  };
  return {
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
    flush: async () => {
      await opening;
      await opened?.flush();
    },
  };
}
