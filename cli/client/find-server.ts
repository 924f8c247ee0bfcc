// Which server a command talks to, and with which token: said outright, or found through the data folder.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DATA_FOLDER, readToken } from '../../shared/host/machine/data-folder.ts';
import { readServerInfo } from '../../shared/host/machine/server-info.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Server } from './http.ts';
import type { Io } from '../terminal/io.ts';

export interface ServerOptions {
  data?: string;
  server?: string;
  tokenFile?: string;
}

/** --server, else the data folder of --data, else the nearest .tidemill here or above. Throws CliError 3. */
export async function findServer(options: ServerOptions, io: Io): Promise<Server> {
  if (options.server !== undefined) {
    const folder = options.data === undefined ? undefined : resolve(io.cwd, options.data);
    return { url: checkUrl(options.server), token: (await givenToken(options, io)) ?? (folder && (await readToken(folder))), found: '--server' };
  }
  const folder = options.data === undefined ? nearestDataFolder(io.cwd) : resolve(io.cwd, options.data);
  const info = folder && (await readServerInfo(folder));
  if (!folder || !info) throw new CliError(EXIT.unreachable, noServer(folder, options.data !== undefined));
  return { url: info.url, token: (await givenToken(options, io)) ?? (await readToken(folder)), found: folder };
}

/** The nearest .tidemill, here or in a parent folder. */
export function nearestDataFolder(from: string): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, DATA_FOLDER);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return undefined;
  }
}

async function givenToken({ tokenFile }: ServerOptions, io: Io): Promise<string | undefined> {
  if (tokenFile !== undefined) {
    try {
      return (await readFile(resolve(io.cwd, tokenFile), 'utf8')).trim();
    } catch (error) {
      throw new CliError(EXIT.usage, `The token file cannot be read: ${(error as Error).message}`);
    }
  }
  return io.env['TIDEMILL_TOKEN'] || undefined;
}

function checkUrl(given: string): string {
  const url = URL.parse(given);
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new CliError(EXIT.usage, '--server wants an http:// or https:// address without a password in it, such as http://127.0.0.1:8787');
  }
  return url.origin;
}

function noServer(folder: string | undefined, said: boolean): string {
  if (folder === undefined)
    return `No ${DATA_FOLDER} folder here or above, so there is no server to talk to.\nStart one with \`tidemill server\`, or say where it is with --data DIR or --server URL.`;
  const start = said ? `tidemill server --data ${folder}` : 'tidemill server';
  return `No server is running on ${folder}.\nStart it with \`${start}\`, or say where another one is with --server URL.`;
}
