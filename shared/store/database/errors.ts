// What SQLite's errors mean to whoever called, in words that say what to do.

export type StoreErrorKind = 'full' | 'io' | 'busy' | 'damaged' | 'denied' | 'closed' | 'failed';

/** The store could not do it. Nothing of the write that failed is kept; "full", "io" and "busy" are worth another try. */
export class StoreError extends Error {
  override name = 'StoreError';
  readonly kind: StoreErrorKind;
  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Primary result codes of SQLite: https://sqlite.org/rescode.html */
const MEANING: Record<number, [StoreErrorKind, string]> = {
  3: ['denied', 'access is denied; check the owner and the mode of the file and its folder'],
  5: ['busy', 'another process has it open; stop the other tidemill server, or give this one a data folder of its own'],
  6: ['busy', 'another process has it open; stop the other tidemill server, or give this one a data folder of its own'],
  8: ['denied', 'it is read-only; check the owner and the mode of the file and its folder'],
  10: ['io', 'reading or writing failed; check the disk'],
  11: ['damaged', 'the file is damaged; stop the server and restore a copy'],
  13: ['full', 'the disk is full; make room, and what was refused can be tried again'],
  14: ['denied', 'it cannot be opened; check that the folder is there and may be written'],
  26: ['damaged', 'the file is no SQLite database; check the path'],
};

/** The error as it is, unless it is SQLite's: then a StoreError that names the file and says what to do. */
export function explain(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  const [kind, why] = MEANING[code] ?? ['failed' as const, (error as Error).message];
  return new StoreError(kind, `The store ${path} cannot be used: ${why} (SQLite error ${code})`, { cause: error });
}

/** SQLite's primary result code; undefined for an error that is not SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}
