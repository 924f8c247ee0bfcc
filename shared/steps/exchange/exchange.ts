// The step's way to the edge `bytes`: shows its token, which is read anew each time since the kubelet renews it, and gets what its TaskRun may have.
import { readFile } from 'node:fs/promises';
import type { GitCredential } from '../../ports/git.ts';
import { type BlobAnswer, type BlobAsked, type BlobsAnswered, type Exchanged, type ExchangeRefused, MAX_BLOBS, PATHS } from './protocol.ts';
import { type Answered, send } from './request.ts';
import { TryAgain, tryAgain } from './retry.ts';

export interface ExchangeOptions {
  /** Base URL of the edge, without a slash at its end. */
  url: string;
  tokenFile: string;
  signal: AbortSignal;
  /** For this long, what fails for now is tried again. Default 3 minutes. */
  giveUp_ms?: number;
}

export interface Exchange {
  exchange(): Promise<Exchanged>;
  /** What to do with a blob. Those who ask while an answer is awaited are asked for together. */
  ask(blob: BlobAsked): Promise<BlobAnswer>;
  /** The credential that the source is read with. Throws where the edge gives none of this name. */
  credential(name: string): Promise<GitCredential>;
}

const MAX_REASON = 1000;

export function createExchange(options: ExchangeOptions): Exchange {
  const { url, tokenFile, signal, giveUp_ms } = options;

  const post = async <T>(path: string, body: object): Promise<T> => {
    const bytes = Buffer.from(JSON.stringify(body));
    const what = `Asking ${url}${path}`;
    return tryAgain(what, signal, async () => answerOf<T>(what, await once(path, bytes)), giveUp_ms);
  };

  const once = async (path: string, body: Buffer): Promise<Answered> => {
    const token = (await readFile(tokenFile, 'utf8')).trim();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': String(body.length) };
    try {
      return await send({ method: 'POST', url: url + path, headers, body, signal });
    } catch (error) {
      throw new TryAgain((error as Error).message);
    }
  };

  const exchange = () => post<Exchanged>(PATHS.exchange, {});
  return {
    exchange,
    ask: createAsker(async (blobs) => (await post<BlobsAnswered>(PATHS.blobs, { blobs })).blobs),
    credential: async (name) => {
      const { source } = await exchange();
      if (source?.credential?.name !== name) throw new Error(`The credential ${name} is not given to this step`);
      const { name: _, ...credential } = source.credential;
      return credential;
    },
  };
}

type Waiting = { blob: BlobAsked } & Pick<PromiseWithResolvers<BlobAnswer>, 'resolve' | 'reject'>;

function createAsker(askAll: (blobs: BlobAsked[]) => Promise<BlobAnswer[]>): (blob: BlobAsked) => Promise<BlobAnswer> {
  let waiting: Waiting[] = [];
  let asking = false;
  const askWaiting = async (): Promise<void> => {
    asking = true;
    // All that is asked for in the same turn goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MAX_BLOBS);
      waiting = waiting.slice(MAX_BLOBS);
      try {
        const answers = await askAll(batch.map(({ blob }) => blob));
        for (const [i, { resolve, reject }] of batch.entries()) {
          const answer = answers[i];
          if (answer) resolve(answer);
          else reject(new Error(`The edge answered for ${answers.length} of ${batch.length} blobs`));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    asking = false;
  };
  return (blob) => {
    const { promise, resolve, reject } = Promise.withResolvers<BlobAnswer>();
    waiting.push({ blob, resolve, reject });
    if (!asking) void askWaiting();
    return promise;
  };
}

function answerOf<T>(what: string, { status, headers, body }: Answered): T {
  if (status >= 200 && status < 300) return parse(what, body) as T;
  const reason = reasonOf(body) ?? `HTTP ${status}`;
  if (status === 429 || status >= 500) throw new TryAgain(`${reason} (HTTP ${status})`, secondsOf(headers['retry-after']));
  throw new Error(`${what} was refused: ${reason} (HTTP ${status})`);
}

function parse(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new Error(`${what} was answered with what is no JSON; is that the address of tidemill's edge \`bytes\`?`);
  }
}

function reasonOf(body: Buffer): string | undefined {
  try {
    const { error } = JSON.parse(body.toString('utf8')) as Partial<ExchangeRefused>;
    return typeof error === 'string' ? error.slice(0, MAX_REASON) : undefined;
  } catch {
    return undefined; // an answer of something in between; its status says enough
  }
}

function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,3}$/.test(header) ? Number(header) * 1000 : undefined;
}
