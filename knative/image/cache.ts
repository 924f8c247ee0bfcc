// What takes long to fetch or to make, kept between runs: by its sha256 where that is known beforehand, else beside the sum of what was made.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env, pid } from 'node:process';

export interface Cache {
  /** What has this sum: from the cache, else fetched, checked and kept. Throws when what was fetched has another. */
  fetched(sha256: string, name: string, fetch: () => Promise<Buffer>): Promise<Buffer>;
  /** What was made under this key, else made now and kept. */
  derived(key: string, make: () => Promise<Buffer>): Promise<Buffer>;
}

export const cacheFolder = (): string => join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tidemill', 'image');

export function openCache(folder = cacheFolder()): Cache {
  const path = (name: string) => join(folder, name);
  const read = (name: string) =>
    readFile(path(name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
  const keep = async (name: string, body: Buffer) => {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    const part = `${path(name)}.${pid}.part`;
    await writeFile(part, body);
    await rename(part, path(name));
  };
  return {
    fetched: async (sum, name, fetch) => {
      const key = `${sum}-${name.replaceAll(/[^A-Za-z0-9._+~-]/g, '_')}`;
      const kept = await read(key);
      if (kept && sha256(kept) === sum) return kept;
      const body = await fetch();
      if (sha256(body) !== sum)
        throw new Error(`${name} has the sha256 ${sha256(body)}, not ${sum} as base.lock.json says: it was changed on the way, or at its source`);
      await keep(key, body);
      return body;
    },
    derived: async (key, make) => {
      const [kept, sum] = await Promise.all([read(key), read(`${key}.sha256`)]);
      if (kept && sum?.toString() === sha256(kept)) return kept;
      const body = await make();
      await rm(path(`${key}.sha256`), { force: true });
      await keep(key, body);
      await keep(`${key}.sha256`, Buffer.from(sha256(body)));
      return body;
    },
  };
}

const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');
