// The sha-256 of bytes, whole or as they come.
import { createHash, hash } from 'node:crypto';
import type { Digest } from '../ports/storage.ts';

export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface Written {
  digest: Digest;
  /** Bytes. */
  size: number;
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

/** Reads a body to its end for its digest alone. */
export async function digestStream(body: AsyncIterable<Uint8Array>): Promise<Written> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}
