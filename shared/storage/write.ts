// Bytes into a new file, with their digest taken on the way and synced at the end; nothing is left of a failed write.
import { createHash } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { type Body, digestOf, type Written } from '../digests/digest.ts';
import type { Temp } from './temp.ts';

/** Small pieces are gathered up to this before they are written. */
const GATHER_BYTES = 256 * 1024;

/** Writes a new temporary file. Throws what the body throws, or what the disk says. */
export async function writeTemp(temp: Temp, body: Body, mode: number): Promise<Written & { path: string }> {
  const { file, path } = await openTemp(temp, mode);
  try {
    const written = body instanceof Uint8Array ? await writeWhole(file, body) : await writeStream(file, body);
    await file.datasync();
    await file.close();
    return { ...written, path };
  } catch (error) {
    await file.close().catch(() => undefined); // closed already, or it cannot be: the first error is the one to tell
    await unlink(path).catch(() => undefined); // removed at the next start otherwise
    throw explain(error);
  }
}

async function openTemp(temp: Temp, mode: number, again = true): Promise<{ file: FileHandle; path: string }> {
  const path = await temp.path();
  try {
    return { path, file: await open(path, 'wx', mode) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !again) throw explain(error);
    temp.forget(); // somebody cleared the folder
    return openTemp(temp, mode, false);
  }
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<Written> {
  await writeAll(file, bytes);
  return { digest: digestOf(bytes), size: bytes.byteLength };
}

async function writeStream(file: FileHandle, body: AsyncIterable<Uint8Array>): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const [first] = gathered;
    if (first) await writeAll(file, gathered.length === 1 ? first : Buffer.concat(gathered));
    gathered = [];
    bytes = 0;
  };
  for await (const chunk of body) {
    hash.update(chunk);
    size += chunk.byteLength;
    bytes += chunk.byteLength;
    gathered.push(chunk);
    if (bytes >= GATHER_BYTES) await flush();
  }
  await flush();
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done);
    done += bytesWritten;
  }
}

function explain(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  const full = new Error('The disk that the files are stored on is full; nothing of this write was kept. Free some space and try again.', { cause: error });
  return Object.assign(full, { code });
}
