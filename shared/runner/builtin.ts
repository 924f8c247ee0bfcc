// Steps of tidemill's own. In a cluster they are an image; the local runner runs them in its own process.

/** The image that stands for them; the first argument names the step, the second is its input as JSON. */
export const STEP_IMAGE = 'tidemill.dev/step:v1';

/** What begins like this is tidemill's own, and is never fetched from anywhere. */
export const OWN_IMAGES = 'tidemill.dev/';

/** Node, npm and git as a build wants them: this machine's own on one machine, an image of ours in a cluster. */
export const NODE_IMAGE = 'tidemill.dev/node:24';

export interface BuiltinContext {
  /** After substitution, without the step's name. */
  args: string[];
  /** Absolute folder of each workspace by its declared name. */
  workspaces: Record<string, string>;
  workingDir: string;
  /** Writes a result of the Task. */
  result(name: string, value: string): Promise<void>;
  log(line: string): void;
  signal: AbortSignal;
}

/** Resolves with the exit code; a throw is exit code 1 with its message in the log. */
export type Builtin = (context: BuiltinContext) => Promise<number>;
export type Builtins = Record<string, Builtin>;
