// The command in this process against the cluster of the tests, with what it says caught.
import process from 'node:process';
import { Readable } from 'node:stream';
import { runProgram } from '../../../cli/program.ts';
import { fromEnv } from '../env.ts';

export interface Said {
  code: number;
  out: string;
  err: string;
}

/** As somebody types it where no terminal is; `env` beside the variables that the tests were given. */
export async function tidemill(words: readonly string[], env: Record<string, string | undefined> = {}): Promise<Said> {
  const said = { out: '', err: '' };
  const io = {
    stdout: { write: (text: string) => (said.out += text) },
    stderr: { write: (text: string) => (said.err += text) },
    stdin: Readable.from([]),
    env: { ...process.env, KUBECONFIG: fromEnv('KUBECONFIG'), ...env },
    cwd: process.cwd(),
  };
  return { code: await runProgram([...words], io), ...said };
}

/** Its answer to --json. Throws with all that it said when the exit code is another. */
export async function answer<T>(code: number, ...words: string[]): Promise<T> {
  const said = await tidemill(['--json', ...words]);
  if (said.code !== code) throw new Error(`tidemill ${words.join(' ')} ended with ${said.code}, not ${code}:\n${said.out}\n${said.err}`);
  return JSON.parse(said.out) as T;
}
