// What a person types as a repository, as the server needs it: an address as it is, a path made whole; and a name for its project.
import { realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, resolve } from 'node:path';
import { CliError, EXIT } from './exit.ts';

const MAX_NAME = 40;

/** Throws CliError when it is a path and nothing is there. */
export function sourceUrl(given: string, cwd: string): string {
  if (isAddress(given)) return given;
  const path = resolve(cwd, given.replace(/^~(?=\/|$)/, homedir()));
  try {
    if (statSync(path).isDirectory()) return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new CliError(EXIT.usage, `${path} cannot be read: ${(error as Error).message}`);
    throw new CliError(EXIT.usage, `There is no folder ${path}. Give the path of a git repository, or its address (https://…, ssh://…, git@host:path).`);
  }
  throw new CliError(EXIT.usage, `${path} is not a folder. Give the folder of a git repository.`);
}

/** The repository's own name as a DNS label: ~/code/My Site → my-site, git@host:a/b.git → b. Throws CliError when nothing is left of it. */
export function projectNameOf(source: string): string {
  const last = basename(
    source
      .replace(/[/\\]+$/, '')
      .replace(/\.git$/i, '')
      .replace(/^.*:(?!\/\/)/, ''),
  );
  const name = last
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_NAME)
    .replace(/^-+|-+$/g, '');
  if (!name) throw new CliError(EXIT.usage, `No project name can be made of "${source}". Give one: tidemill add <project> <source>`);
  return name;
}

/** scheme://… or user@host:path, as git has it: a colon before the first slash. */
function isAddress(given: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(given) || (/^[^/\\]+:/.test(given) && !/^[A-Za-z]:[\\/]/.test(given));
}
