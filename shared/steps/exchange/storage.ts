// Stores blobs from inside a step: hashed first, asked for, and sent straight to the store by the URL that was given for exactly these bytes.
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Digest, DigestMismatch } from '../../ports/storage.ts';
import { createGate } from '../../storage/gate.ts';
import { digestOf } from '../../digests/digest.ts';
import type { StepStorage, Written } from '../output.ts';
import type { Exchange } from './exchange.ts';
import { send } from './request.ts';
import { TryAgain, tryAgain } from './retry.ts';

export interface ExchangeStorageOptions {
  exchange: Pick<Exchange, 'ask'>;
  /** Where streams wait until their digest is known. */
  directory: string;
  signal: AbortSignal;
  giveUp_ms?: number;
}

/** Files looked at together, so that many are asked for at once. */
const FILES_AT_ONCE = 256;
const HASHED_AT_ONCE = 4;
const SENT_AT_ONCE = 16;
const CHUNK_BYTES = 256 * 1024;
/** A URL that is good no more is asked for anew; a store whose keys are wrong denies each. */
const MAX_DENIED = 3;

type Body = Uint8Array | (() => Readable);

export function createExchangeStorage({ exchange, directory, signal, giveUp_ms }: ExchangeStorageOptions): StepStorage {
  const hashing = createGate(HASHED_AT_ONCE);
  const sending = createGate(SENT_AT_ONCE);
  /** Files of a site are often the same: each blob is sent once. */
  const stored = new Map<Digest, Promise<void>>();

  const store = async (written: Written, body: Body): Promise<Written> => {
    const running = stored.get(written.digest) ?? storeOnce(written, body);
    stored.set(written.digest, running);
    try {
      await running;
    } catch (error) {
      stored.delete(written.digest);
      throw error;
    }
    return written;
  };

  /** Each attempt asks first: a URL ends, and what an attempt stored whose answer was lost is there. */
  const storeOnce = (written: Written, body: Body): Promise<void> => {
    let denied = 0;
    return tryAgain(
      `Storing ${written.digest}`,
      signal,
      async () => {
        const answer = await exchange.ask(written);
        if ('have' in answer) return;
        const status = await sending(() => put(answer, written, body));
        if (status === 403 && ++denied === MAX_DENIED)
          throw new Error(`The store denied ${written.digest} ${denied} times (HTTP 403), each time with another URL`);
        if (status === 403) throw new TryAgain('the store denied the URL');
      },
      giveUp_ms,
    );
  };

  const putFile = async (file: FileHandle, size: number): Promise<Written> => {
    const digest = await hashing(() => hashFile(file, signal));
    if (digest.size !== size) throw new Error(`A file was changed while it was read: it had ${size} bytes and then ${digest.size}`);
    if (size === 0) return store(digest, Buffer.alloc(0));
    return store(digest, () => Readable.from(pieces(file, size), { objectMode: false, highWaterMark: CHUNK_BYTES }));
  };

  const putBlob: StepStorage['putBlob'] = async (body, expected) => {
    const check = (written: Written): Written => {
      if (expected !== undefined && expected !== written.digest) throw new DigestMismatch('What was to be stored', expected, written.digest);
      return written;
    };
    if (body instanceof Uint8Array) return store(check({ digest: digestOf(body), size: body.byteLength }), body);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, randomUUID());
    const file = await open(path, 'wx+', 0o600);
    try {
      const size = await spool(body, file);
      return check(await putFile(file, size));
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  };

  return { putBlob, putFile, atOnce: FILES_AT_ONCE };

  /** One PUT. Its status where it is stored or denied; TryAgain for what may go better next time. */
  async function put(answer: { url: string; headers: Record<string, string> }, { digest, size }: Written, body: Body): Promise<number> {
    const { status, body: said } = await send({ method: 'PUT', ...answer, body, signal }).catch((error: unknown) => {
      if (error instanceof Shortened) throw error;
      throw new TryAgain((error as NodeJS.ErrnoException).code ?? 'the connection broke');
    });
    // 412: it is there meanwhile.
    if ((status >= 200 && status < 300) || status === 412 || status === 403) return status;
    const code = /<Code>(\w{1,64})<\/Code>/.exec(said.toString('utf8', 0, 4096))?.[1] ?? '';
    if (status >= 500 || status === 429 || status === 409 || code === 'RequestTimeout') throw new TryAgain(`the store answered ${status} ${code}`);
    if (code === 'BadDigest' || code === 'XAmzContentChecksumMismatch')
      throw new Error(
        `The store got other bytes than those of ${digest}: the file was changed while it was stored. Let nothing write to the output any longer when the build has ended.`,
      );
    throw new Error(`The store refused ${digest} (${size} bytes): HTTP ${status} ${code}`);
  }
}

class Shortened extends Error {}

/** Leaves the file open for the next attempt; a stream of the file's own closes it when it is destroyed, whatever it was told. */
async function* pieces(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) throw new Shortened(`A file was changed while it was stored: it had ${size} bytes and then ${at}`);
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

async function spool(body: AsyncIterable<Uint8Array>, file: FileHandle): Promise<number> {
  let size = 0;
  for await (const chunk of body) {
    await file.writeFile(chunk);
    size += chunk.byteLength;
  }
  return size;
}

async function hashFile(file: FileHandle, signal: AbortSignal): Promise<Written> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let size = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(chunk, 0, chunk.length, size);
    if (bytesRead === 0) return { digest: `sha256:${hash.digest('hex')}`, size };
    hash.update(chunk.subarray(0, bytesRead));
    size += bytesRead;
  }
}
