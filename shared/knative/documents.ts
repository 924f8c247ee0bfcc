// Small JSON documents in Storage, as the delay queue and the dead letters keep them.
import type { Storage } from '../ports/storage.ts';

const MAX_BYTES = 32 * 1024 ** 2;

export async function writeDocument(storage: Storage, key: string, value: unknown): Promise<void> {
  await storage.put(key, Buffer.from(JSON.stringify(value)));
}

/** Undefined: there is none, any more. Throws when it is no JSON, or longer than anything that is written here. */
export async function readDocument(storage: Storage, key: string): Promise<unknown> {
  const found = await storage.get(key);
  if (!found) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of found.body) {
    chunks.push(chunk as Buffer);
    if ((length += (chunk as Buffer).length) > MAX_BYTES) throw new Error(`${key} has more than ${MAX_BYTES} bytes: nothing like that is kept there`);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

/** Milliseconds as thirteen digits, so that names sort as the times do. */
export const sortable = (ms: number) => String(Math.min(Math.max(0, Math.floor(ms)), 9_999_999_999_999)).padStart(13, '0');
