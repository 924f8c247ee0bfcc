// One HTTP request with a body that can be sent again, and the few words of its answer.
import process from 'node:process';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { pipeline, type Readable } from 'node:stream';

// Importing them by name would load HTTP clients that nobody here uses: it shows in every step's start.
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');

export interface Sent {
  method: 'POST' | 'PUT';
  url: string;
  headers: Record<string, string>;
  /** A function makes the stream anew for each attempt. */
  body: Uint8Array | (() => Readable);
  signal: AbortSignal;
}

export interface Answered {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

const SOCKETS = 32;
/** Neither side said anything for so long. */
const IDLE_MS = 60_000;
const MAX_ANSWER = 8 * 1024 * 1024;
const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: SOCKETS }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: SOCKETS }),
};

/** Throws what the network, or the body, threw; never anything with the URL in it. */
export function send({ method, url, headers, body, signal }: Sent): Promise<Answered> {
  const target = new URL(url);
  const protocol = target.protocol === 'https:' ? 'https:' : 'http:';
  return new Promise((resolve, reject) => {
    const { request: open } = protocol === 'https:' ? https : http;
    const request = open(target, { method, headers, agent: agents[protocol], timeout: IDLE_MS, signal });
    let source: Readable | undefined;
    const fail = (error: Error): void => {
      source?.destroy();
      reject(error);
    };
    request.once('timeout', () => request.destroy(new Error(`no sign of life for ${IDLE_MS / 1000} s`)));
    request.on('error', fail);
    request.once('response', (response) => {
      collect(response).then((bytes) => {
        // An early answer, as a refusal is: what was not sent yet need not be.
        if (!request.writableFinished) request.destroy();
        source?.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes });
      }, fail);
    });
    if (body instanceof Uint8Array) request.end(body);
    else source = stream(request, body(), fail);
  });
}

function stream(request: ClientRequest, body: Readable, fail: (error: Error) => void): Readable {
  pipeline(body, request, (error) => {
    if (error && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') fail(error);
  });
  return body;
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_ANSWER) throw new Error(`the answer is longer than ${MAX_ANSWER} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
