// What the command was given: the file, and what its words ask for beside it.
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Asked, InvalidRequest } from '../../shared/runner/file/choose.ts';
import { FILE_LIMIT } from '../../shared/runner/file/documents.ts';
import type { Cli } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';

export interface TaskRunWords {
  param?: string[];
  workspace?: string[];
  output?: string;
  name?: string;
  isolation?: string;
  runner?: string;
  namespace?: string;
  keep?: boolean;
}

/** Text of the file, or of stdin for "-". Throws CliError. */
export async function read(cli: Cli, file: string): Promise<string> {
  if (file === '-') {
    let text = '';
    for await (const chunk of cli.io.stdin.setEncoding('utf8')) {
      text += chunk as string;
      if (text.length > FILE_LIMIT) throw new CliError(EXIT.usage, `stdin has more than ${FILE_LIMIT} characters`);
    }
    return text;
  }
  const path = resolve(cli.io.cwd, file);
  const found = await stat(path).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.usage, code === 'ENOENT' ? `There is no file ${file}` : `${file} cannot be read: ${message}`, { cause: error });
  });
  if (!found.isFile()) throw new CliError(EXIT.usage, `There is no file ${file}`);
  if (found.size > FILE_LIMIT) throw new CliError(EXIT.usage, `${file} has more than ${FILE_LIMIT} bytes`);
  return readFile(path, 'utf8');
}

/** Throws InvalidRequest. */
export async function askedFor(cli: Cli, words: TaskRunWords): Promise<Asked> {
  const workspaces = await folders(cli, words.workspace ?? []);
  const params = new Map((words.param ?? []).map((word) => pair('-p', word)));
  return { ...(words.name !== undefined && { name: words.name }), params, workspaces };
}

function pair(option: string, word: string): [string, string] {
  const at = word.indexOf('=');
  if (at < 1) throw new InvalidRequest(`${option} takes name=value, not ${JSON.stringify(word)}`);
  return [word.slice(0, at), word.slice(at + 1)];
}

async function folders(cli: Cli, words: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const word of words) {
    const [name, folder] = pair('-w', word);
    const path = folder && resolve(cli.io.cwd, folder);
    if (path && !(await stat(path).catch(() => undefined))?.isDirectory()) throw new InvalidRequest(`-w ${name}: there is no folder ${folder}`);
    found.set(name, path);
  }
  return found;
}
