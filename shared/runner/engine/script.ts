// A step's script as a file, and how it is begun: by the interpreter in its first line, or /bin/sh that stops at the first error.
import { writeFresh } from './files.ts';
import { CannotStart } from './process.ts';

const PREAMBLE = '#!/bin/sh\nset -e\n';

/** Writes the script where the step can read it. Throws CannotStart for one whose interpreter line is not its first. */
export async function writeScript(folder: string, name: string, script: string): Promise<string> {
  const text = script.trim().startsWith('#!') ? script : PREAMBLE + script;
  if (!text.startsWith('#!'))
    throw new CannotStart('the script has its interpreter line ("#!…") after white space, so no system can begin it; make it the first thing in the script');
  await writeFresh(folder, name, text, 0o755);
  return text;
}

/** What the kernel makes of the first line (execve(2)): the interpreter, at most one argument, and the script's path. */
export function interpreterCommand(text: string, path: string): string[] {
  const line = text.slice(2, text.indexOf('\n') < 0 ? undefined : text.indexOf('\n')).trim();
  const [, interpreter, argument] = /^(\S+)(?:\s+(.*))?$/.exec(line) ?? [];
  if (!interpreter) throw new CannotStart('the script names no interpreter after "#!"');
  return [interpreter, ...(argument ? [argument] : []), path];
}
