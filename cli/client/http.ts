// Requests to the API: the token, the errors, and answers that go on line by line.
import type { ProblemBody } from '../../functions/api/http/problem.ts';
import { CliError, EXIT } from '../exit.ts';
import { plain } from '../terminal/io.ts';

/** The blank lines that the server sends meanwhile come every 15 s; three missed, and it is gone. */
const SILENCE_MS = 45_000;

export interface Server {
  url: string;
  token: string | undefined;
  /** How it was found, for messages: "--server", or the data folder. */
  found: string;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface RequestOptions {
  body?: unknown;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** The answer's JSON; undefined for 204. Throws CliError saying what to do. */
export async function call<T>(server: Server, method: Method, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(server, method, path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The values of an application/x-ndjson answer, as they come. Ends by the signal without an error. */
export async function* lines<T>(server: Server, path: string, signal: AbortSignal): AsyncGenerator<T> {
  const silence = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error(`the server said nothing for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  };
  try {
    heard();
    const response = await send(server, 'GET', path, { signal: AbortSignal.any([signal, silence.signal]) });
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      heard();
      const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) if (part) yield JSON.parse(part) as T;
    }
    if (rest) throw new Error('the answer ended in the middle of a line');
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof CliError) throw error;
    throw new CliError(EXIT.unreachable, `The connection to ${server.url} was lost: ${reasonOf(error)}.`);
  } finally {
    clearTimeout(timer);
  }
}

async function send(server: Server, method: Method, path: string, { body, idempotencyKey, signal }: RequestOptions): Promise<Response> {
  const headers = {
    accept: 'application/json, application/problem+json, application/x-ndjson',
    ...(server.token && { authorization: `Bearer ${server.token}` }),
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
  };
  let response: Response;
  try {
    // A redirect could carry the token elsewhere, and the API makes none.
    response = await fetch(new URL(`/api/v1${path}`, server.url), {
      method,
      headers,
      redirect: 'error',
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new CliError(EXIT.unreachable, notReachable(server, error));
  }
  if (!response.ok) throw await problemOf(response, server);
  return response;
}

function notReachable(server: Server, error: unknown): string {
  return `No server answers at ${server.url} (found by ${server.found}): ${reasonOf(error)}.\nStart one with \`tidemill server\`, or say where it is with --data DIR or --server URL.`;
}

async function problemOf(response: Response, server: Server): Promise<CliError> {
  const problem = (await response.json().catch(() => undefined)) as ProblemBody | undefined;
  if (response.status === 401 || response.status === 403) {
    return new CliError(
      EXIT.unreachable,
      `${server.url} does not let us in (${response.status}). The token of its data folder is wanted: use --data DIR, --token-file FILE, or TIDEMILL_TOKEN.`,
    );
  }
  // Two things have the name: no other reading of the word is meant by that.
  const isAmbiguous = problem?.type === 'urn:tidemill:problem:ambiguous';
  const code = response.status >= 500 ? EXIT.serverError : isAmbiguous ? EXIT.usage : EXIT.refused;
  if (!problem?.detail) return new CliError(code, `${server.url} answered ${response.status}, and not as tidemill does. Is it a tidemill server?`);
  const more = (problem.errors ?? []).length > 1 ? problem.errors!.map(({ path, message }) => `\n  ${path}: ${message}`).join('') : '';
  return new CliError(code, plainLines(problem.detail + more));
}

function plainLines(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  return cause instanceof Error ? cause.message || (code ?? cause.name) : String(cause);
}
