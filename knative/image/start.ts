// The program that a pod starts, as start.cjs beside tidemill.cjs: loads that with the code that V8 made of it when the image was made.
// Compiling it anew takes as long as starting Node does. Where there is no such code, or V8 does not take it, it is compiled.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

/** Edges begin with the store's SDK, which is much, and which functions seldom need: each part has code of its own. */
export type Part = 'functions' | 'edges';

export interface Program {
  /** Starts the process of this name. */
  start(name: string): Promise<unknown>;
  /** Loads what processes begin with, and starts nothing. */
  rehearse(part: Part): Promise<void>;
}

interface Loaded {
  program: Program;
  script: Script;
}

/** Whatever folder it lies in: what is made of it has the name in it, and is to be the same everywhere. */
const NAME = '/app/tidemill.cjs';

export function load(folder: string, part: Part): Loaded {
  const path = join(folder, 'tidemill.cjs');
  const code = join(folder, `${part}.code`);
  // esbuild writes ASCII: one byte a character, also in V8's memory.
  const source = `(function (exports, require, module) {${readFileSync(path, 'latin1')}\n})`;
  const script = new Script(source, { filename: NAME, ...(existsSync(code) && { cachedData: readFileSync(code) }) });
  const made = { exports: {} };
  (script.runInThisContext() as (...given: unknown[]) => void)(made.exports, createRequire(path), made);
  return { script, program: made.exports as Program };
}

export const start = (folder: string, part: Part, name: string): Promise<unknown> => load(folder, part).program.start(name);
