// A proxy before an S3 server that does to single requests what networks and servers in trouble do.
import { createServer, type IncomingMessage, request as open, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Fault =
  /** An answer of its own; the server never hears of the request. */
  | { answer: number; code: string }
  /** The connection ends after so many bytes of the request's body; the server gets nothing. */
  | { cutRequest: number }
  /** The server does what it is asked, and nobody hears of it. */
  | 'lose-answer'
  /** The server does it, and the answer is a 200 with an error in it. */
  | 'error-in-200'
  /** Nothing is done, and the answer is a 200 with an error in it. */
  | 'undone-in-200'
  /** The answer ends after so many bytes of its body. */
  | { cutAnswer: number };

export interface Rule {
  /** Of method and path with query: "PUT /bucket/key?partNumber=1". */
  match: RegExp;
  fault: Fault;
  /** So many requests. Default 1. */
  times?: number;
}

export interface FaultProxy {
  endpoint: string;
  /** Requests so far, as "METHOD /path?query". */
  seen: string[];
  rule(rule: Rule): void;
  /** Asked for each request that no rule is about; set it anew at any time. */
  decide: (what: string) => Fault | undefined;
  /** Takes away all rules. */
  heal(): void;
  close(): Promise<void>;
}

/** Listens on a free port of `host`. */
export async function startFaultProxy(target: string, host = '127.0.0.1'): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  let rules: { match: RegExp; fault: Fault; left: number }[] = [];
  const seen: string[] = [];

  const faultFor = (what: string): Fault | undefined => {
    const rule = rules.find(({ match, left }) => left > 0 && match.test(what));
    if (!rule) return proxy.decide(what);
    rule.left--;
    return rule.fault;
  };

  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    seen.push(what);
    const fault = faultFor(what);
    if (typeof fault === 'object' && 'answer' in fault) return refuse(request, response, fault.answer, fault.code);
    if (typeof fault === 'object' && 'cutRequest' in fault) return cutRequest(request, fault.cutRequest);
    if (fault === 'undone-in-200') return refuse(request, response, 200, 'InternalError');
    // As it came, its Host too: that is part of what was signed.
    const upstream = open({ hostname, port, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      if (fault === 'lose-answer') return answer.resume().on('end', () => request.socket.destroy());
      if (fault === 'error-in-200') return answer.resume().on('end', () => sendError(response, 200, 'InternalError'));
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      if (typeof fault === 'object') return cutAnswer(answer, response, fault.cutAnswer);
      return answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const proxy: FaultProxy = {
    endpoint: `http://${host}:${(server.address() as AddressInfo).port}`,
    seen,
    decide: () => undefined,
    rule: ({ match, fault, times = 1 }) => void rules.push({ match, fault, left: times }),
    heal: () => {
      rules = [];
      proxy.decide = () => undefined;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, code: string): void {
  request.resume().on('end', () => sendError(response, status, code));
}

function sendError(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>not today</Message></Error>`);
}

function cutRequest(request: IncomingMessage, bytes: number): void {
  if (bytes === 0) return void request.socket.destroy();
  let got = 0;
  request.on('data', (chunk: Buffer) => {
    got += chunk.length;
    if (got >= bytes) request.socket.destroy();
  });
}

function cutAnswer(answer: IncomingMessage, response: ServerResponse, bytes: number): void {
  let sent = 0;
  // One that is shorter loses its end.
  answer.on('end', () => response.destroy());
  answer.on('data', (chunk: Buffer) => {
    response.write(chunk.subarray(0, bytes - sent));
    sent += chunk.length;
    if (sent < bytes) return;
    answer.destroy();
    // What was written goes out first.
    setTimeout(() => response.destroy(), 20);
  });
}
