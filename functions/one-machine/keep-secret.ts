// Secrets of the server itself: made at the first start, kept 0600, the same from then on.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

/** The content of the file; 32 random bytes in hexadecimal where there was none. */
export async function keepSecret(path: string): Promise<string> {
  try {
    await writeFile(path, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o600, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const secret = (await readFile(path, 'utf8')).trim();
  if (!secret) throw new Error(`${path} is empty: delete it, and the next start makes a new one`);
  return secret;
}
