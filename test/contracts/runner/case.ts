// What one case of the runner's contract is: a Task, how it is run, and what a real Tekton 1.15 makes of it.
import type { ParamValue } from '../../../shared/objects/taskrun.ts';

export interface RunnerCase {
  /** A DNS label, unique. */
  name: string;
  /** Stands in spec.taskSpec; its steps' images are put in by the suite. */
  task: object;
  /** The rest of the TaskRun's spec. */
  run?: { params?: { name: string; value: ParamValue }[]; workspaces?: object[]; timeout?: string; retries?: number };
  /** What must be there before. */
  needs?: { secrets?: Record<string, Record<string, string>>; configMaps?: Record<string, Record<string, string>>; stepActions?: Record<string, object> };
  /** Default: Succeeded. */
  reason?: string;
  /** Tekton itself comes to the one or the other, by which of two containers it hears of first. */
  orReason?: string;
  /** Part of the condition's message. */
  message?: string;
  results?: Record<string, ParamValue>;
  /** For each step: exit code and terminationReason. */
  steps?: [number, string][];
  /** Lines that a step prints, in this order; others may stand between them. */
  lines?: Record<string, string[]>;
  /** The runner itself says a word in the steps' logs, each in its own way: only `lines` counts. */
  ownLines?: boolean;
  /** How many attempts failed before the last. */
  retries?: number;
  /** Needs what plain processes do not have: Tekton's own paths. */
  ownPaths?: boolean;
  /** Needs the death of a step by a signal to be told from an exit code. */
  signals?: boolean;
}

/** A step that runs this script. */
export function script(text: string, more: object = {}): object {
  return { script: text, ...more };
}

/** A TaskRun that the runner refuses when it is given. */
export interface RefusedCase {
  name: string;
  spec: Record<string, unknown>;
  /** The field that the message names. */
  field: string;
}
