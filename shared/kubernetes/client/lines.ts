// Lines of a body that comes bit by bit; who reads slowly slows the sender down.
import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { KubeError } from './error.ts';

/** Longer lines come in pieces: no object is as long, and a log line has no other bound. */
const MAX_LINE = 16 * 1024 * 1024;

/** Throws KubeError "Stalled" when nothing comes for so long, NoAnswer when the connection is lost before the end. */
export async function* lines(response: IncomingMessage, what: string, idle_ms: number | undefined): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let rest = '';
  try {
    for (let chunk = await next(response, chunks, what, idle_ms); chunk; chunk = await next(response, chunks, what, idle_ms)) {
      const parts = (rest + decoder.write(chunk)).split('\n');
      rest = parts.pop()!;
      yield* parts;
      if (rest.length > MAX_LINE) {
        yield rest;
        rest = '';
      }
    }
    if (rest) yield rest;
  } finally {
    response.destroy();
  }
}

async function next(response: IncomingMessage, chunks: AsyncIterator<Buffer>, what: string, idle_ms: number | undefined): Promise<Buffer | undefined> {
  let stalled = false;
  const timer =
    idle_ms === undefined
      ? undefined
      : setTimeout(() => {
          stalled = true;
          response.destroy(new Error('stalled'));
        }, idle_ms);
  try {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  } catch (error) {
    const [reason, why] = stalled ? ['Stalled', `nothing came for ${idle_ms} ms`] : ['NoAnswer', (error as Error).message];
    throw new KubeError({ status: 0, reason, message: `${what}: the API server's stream was lost: ${why}`, uncertain: false, cause: error });
  } finally {
    clearTimeout(timer);
  }
}
