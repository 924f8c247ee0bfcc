// Translates bodies so large that parsing them would hold up the event loop, in a thread of their own with bounded memory.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { translate, type Translation, type WebhookHead } from './translate.ts';
import type { TranslateRequest } from './worker.ts';

/** Up to so many bytes a body is translated in about two milliseconds. */
const LARGE_BYTES = 128 * 1024;
/** A body of 25 MB of the smallest objects takes about this much once parsed. */
const MEMORY_MB = 1024;
const MOST_MS = 60_000;

/** A large body may be gone afterwards: its memory is handed to the thread, not copied. */
export async function translateAny(head: WebhookHead, body: Buffer): Promise<Translation> {
  return body.length <= LARGE_BYTES ? translate(head, body) : translateApart(head, body);
}

/** Large bodies are rare, so the thread ends with its one body and costs nothing in between. */
async function translateApart(head: WebhookHead, body: Buffer): Promise<Translation> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB } });
  try {
    const request: TranslateRequest = { head, body };
    worker.postMessage(request, transferable(body));
    const [translation] = (await once(worker, 'message', { signal: AbortSignal.timeout(MOST_MS) })) as [Translation];
    return translation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY')
      return { kind: 'invalid', reason: `The body needs more than ${MEMORY_MB} MB once parsed` };
    if ((error as Error).name === 'AbortError') return { kind: 'invalid', reason: `The body could not be parsed within ${MOST_MS / 1000} s` };
    throw error;
  } finally {
    await worker.terminate();
  }
}

/** Memory that this body has to itself, give or take the record's head; what it shares with other bodies is copied. */
function transferable(body: Buffer): ArrayBuffer[] {
  const { buffer } = body;
  return buffer instanceof ArrayBuffer && buffer.byteLength < body.byteLength + 8192 ? [buffer] : [];
}
