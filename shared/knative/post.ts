// One POST over connections that are kept, with a bound on everything: time, connections, and what is read of the answer.
import { Agent, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';

const MAX_ANSWER = 8192;
const MAX_SOCKETS = 256;
const MAX_IDLE_SOCKETS = 32;
/** Shorter than servers keep idle connections, Node's five seconds being the shortest about. */
const IDLE_MS = 4000;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** At most 8 KiB of it. */
  text: string;
}

export interface Poster {
  /** Rejects when there is no answer: not reached, cut off, or too late. */
  post(url: URL, headers: OutgoingHttpHeaders, body: Buffer): Promise<Answer>;
  close(): void;
}

export function createPoster(timeout_ms: number): Poster {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: IDLE_MS };
  const plain = new Agent(options);
  const secure = new SecureAgent(options);

  return {
    post: (url, headers, body) =>
      new Promise((resolve, reject) => {
        const [send, agent] = url.protocol === 'https:' ? [httpsRequest, secure] : [httpRequest, plain];
        const request = send(url, { method: 'POST', agent, headers, timeout: timeout_ms }, (response) => void read(response).then(resolve, reject));
        const late = setTimeout(() => request.destroy(new Error(`no answer within ${timeout_ms / 1000} s`)), timeout_ms);
        request.on('error', reject).on('close', () => clearTimeout(late));
        request.end(body);
      }),
    close: () => {
      plain.destroy();
      secure.destroy();
    },
  };
}

async function read(response: IncomingMessage): Promise<Answer> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) if (text.length < MAX_ANSWER) text += (chunk as string).slice(0, MAX_ANSWER - text.length);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
