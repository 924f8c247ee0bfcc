// One POST over connections that are kept, with a bound on everything: time, connections, and what is read of the answer.
import type { Agent, IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import process from 'node:process';

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
  const agents = new Map<string, Agent>();

  /** Opened when first needed, and by getBuiltinModule: importing by name looks at every export, and TLS is much to load where nobody uses it. */
  const clientOf = (protocol: string) => {
    const { request, Agent: Kept } = protocol === 'https:' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
    const agent = agents.get(protocol) ?? new Kept(options);
    agents.set(protocol, agent);
    return { request, agent };
  };

  return {
    post: (url, headers, body) =>
      new Promise((resolve, reject) => {
        const { request: send, agent } = clientOf(url.protocol);
        const request = send(url, { method: 'POST', agent, headers, timeout: timeout_ms }, (response) => void read(response).then(resolve, reject));
        const late = setTimeout(() => request.destroy(new Error(`no answer within ${timeout_ms / 1000} s`)), timeout_ms);
        request.on('error', reject).on('close', () => clearTimeout(late));
        request.end(body);
      }),
    close: () => {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

async function read(response: IncomingMessage): Promise<Answer> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) if (text.length < MAX_ANSWER) text += (chunk as string).slice(0, MAX_ANSWER - text.length);
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}
