// How the command ends: what each exit code means, and errors that carry one.

export const EXIT = {
  ok: 0,
  /** What was asked for was done, and came out badly: a build failed, a task failed. */
  failed: 1,
  usage: 2,
  /** No server, or none that can be reached or that lets us in. */
  unreachable: 3,
  /** The server said no: not found, refused, in conflict. */
  refused: 4,
  /** The server itself went wrong. */
  serverError: 5,
  interrupted: 130,
} as const;

export const EXIT_HELP = `Exit codes:
  0  done
  1  done, and it came out badly: a build failed, a delivery was given up
  2  the command was not understood
  3  the server cannot be reached, or does not let us in
  4  the server said no: not found, refused, in conflict
  5  the server itself went wrong
  130  interrupted`;

/** Ends the command with a message for people: what failed, why, what to do. */
export class CliError extends Error {
  override name = 'CliError';
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
