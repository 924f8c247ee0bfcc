// The JSON of a request, as long as it is small and comes in time.
import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

/** A thousand blobs are a tenth of it. */
const MAX_BYTES = 1024 * 1024;
const MAX_MS = 15_000;

/** Throws Refusal 400, 413 or 415. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json[\s;]*/i.test(request.headers['content-type'] ?? '')) throw new Refusal(415, 'the body has to be application/json');
  if (Number(request.headers['content-length'] ?? 0) > MAX_BYTES) throw new Refusal(413, `the body may have ${MAX_BYTES} bytes`);
  const timer = setTimeout(() => request.destroy(), MAX_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += (chunk as Buffer).length;
      if (size > MAX_BYTES) throw new Refusal(413, `the body may have ${MAX_BYTES} bytes`);
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(400, 'the body did not arrive whole');
  } finally {
    clearTimeout(timer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Refusal(400, 'the body is no JSON');
  }
}
