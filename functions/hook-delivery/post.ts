// An HTTP POST that reaches public addresses only, checked on the address that is really connected to.
import { lookup as dnsLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { whyNotAddress } from './addresses.ts';

const TIMEOUT_MS = 15_000;

export type Answer = { status: number; retryAfter_ms?: number } | { error: string; refused?: boolean };

interface Options {
  /** Default: the system's. */
  lookup?: LookupFunction;
  /** For connecting, sending and the answer's head together. Default 15 s. */
  timeout_ms?: number;
}

/** Never throws, follows no redirect, reads nothing of the answer's body. `refused`: trying again cannot help. */
export function post(url: URL, headers: Record<string, string>, body: Buffer, { lookup = dnsLookup, timeout_ms = TIMEOUT_MS }: Options = {}): Promise<Answer> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const why = isIP(host) ? whyNotAddress(host) : undefined;
  if (why) return Promise.resolve({ error: why, refused: true });
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeout_ms);
    const request = send(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': body.length, 'user-agent': 'tidemill' },
      lookup: guarded(lookup),
      signal,
      agent: false,
    });
    const late = `no answer within ${timeout_ms / 1000} s`;
    request.on('response', (response) => {
      response.destroy();
      resolve({ status: response.statusCode ?? 0, ...retryAfter(response) });
    });
    request.on('error', (error) =>
      resolve(error instanceof RefusedAddress ? { error: error.message, refused: true } : { error: signal.aborted ? late : error.message }),
    );
    // Some ends have neither an answer nor an error, such as a server that switches protocols unasked.
    request.on('close', () => resolve({ error: signal.aborted ? late : 'the connection was closed without an answer' }));
    request.end(body);
  });
}

class RefusedAddress extends Error {}

/** DNS may answer otherwise the next time, so the check is made on the very answer that is connected to. */
function guarded(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, answer) => {
      if (error) return callback(error, '', 0);
      const found = Array.isArray(answer) ? answer : [];
      const allowed = found.filter(({ address }) => !whyNotAddress(address));
      const first = allowed[0];
      if (!first) return callback(new RefusedAddress(whyNotAddress(found[0]?.address ?? '') ?? ''), '', 0);
      return options.all ? callback(null, allowed) : callback(null, first.address, first.family);
    });
  };
}

/** RFC 9110 10.2.3: seconds, or a date. */
function retryAfter(response: IncomingMessage): { retryAfter_ms?: number } {
  const value = response.headers['retry-after'];
  if (!value) return {};
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? { retryAfter_ms: ms } : {};
}
