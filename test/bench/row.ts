// One line of the bench table: a figure of ours against a named peer measured in the same run.

export interface BenchRow {
  /** Such as "accept". */
  bench: string;
  /** What is measured, such as "requests per second, 5 KB signed push, fsynced". */
  what: string;
  /** Ours, in `unit`. */
  ours: number;
  peer: string;
  theirs: number;
  unit: string;
  /** ours / theirs, or as `what` says. */
  ratio: number;
  /** What the ratio (or figure) has to be, as text, such as ">= 1.3". */
  target: string;
  ok: boolean;
  /** Conditions a reader has to know. */
  note?: string;
}

/** Each file test/bench/<name>.bench.ts exports `run`. It cleans up after itself and leaves no process behind. `words`: of its rows, those that were asked for. */
export type RunBench = (log: (line: string) => void, words?: readonly string[]) => Promise<BenchRow[]>;
