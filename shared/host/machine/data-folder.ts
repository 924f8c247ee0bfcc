// The folder that one machine keeps everything in: what stands where, and how a client finds the running server and its token.
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Name of the folder when nobody says otherwise. */
export const DATA_FOLDER = '.tidemill';

const OWNER_ONLY = 0o600;

/** Absolute paths of what stands in the data folder `root`. */
export function dataPaths(root: string) {
  const folder = resolve(root);
  return {
    root: folder,
    /** Objects, events and their deliveries. */
    database: join(folder, 'tidemill.db'),
    storage: join(folder, 'storage'),
    secrets: join(folder, 'secrets'),
    git: join(folder, 'git'),
    runner: join(folder, 'runner'),
    /** The git repository made of examples/site at the first start. */
    example: join(folder, 'example'),
    /** Where the running server is; see ServerInfo. */
    server: join(folder, 'server.json'),
    /** The API's token, for its owner's eyes only. */
    token: join(folder, 'token'),
    webhookSecret: join(folder, 'webhook-secret'),
  };
}

/** What the server tells of itself; its schema is in server-info.ts. */
export interface ServerInfo {
  url: string;
  pid: number;
  startedAt: string;
}

/** Tells clients where the server is: written whole and readable by its owner only. */
export async function writeServerInfo(root: string, info: ServerInfo): Promise<void> {
  await writePrivate(dataPaths(root).server, `${JSON.stringify(info)}\n`);
}

export async function removeServerInfo(root: string): Promise<void> {
  await rm(dataPaths(root).server, { force: true });
}

/** The API's token; undefined when the server has never run on this folder. */
export async function readToken(root: string): Promise<string | undefined> {
  return (await readIfThere(dataPaths(root).token))?.trim() || undefined;
}

/** Writes beside and renames, so that a reader never sees half; the mode is set before the first byte is in. */
async function writePrivate(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.${process.pid}.tmp`;
  const file = await open(beside, 'w', OWNER_ONLY);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(beside, OWNER_ONLY);
  await rename(beside, path);
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
