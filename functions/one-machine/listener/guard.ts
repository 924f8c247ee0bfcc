// Who may ask for what: the checks that keep web pages, and names that resolve to this machine, away from the API. Pure.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What a Host header means here. `name`: the host without its port. */
export type HostKind =
  | { kind: 'own' }
  /** A site: the one label before ".localhost". */
  | { kind: 'site'; label: string }
  | { kind: 'foreign'; name: string };

export interface Refusal {
  status: 400 | 401 | 403 | 405 | 415 | 421;
  /** A word for programs. */
  word: string;
  /** What failed, why, and what to do. */
  detail: string;
}

const OWN_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/;
const SITE = /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.localhost$/;

export function hostKind(header: string | undefined): HostKind {
  const name = HOST.exec((header ?? '').toLowerCase())?.[1];
  if (name === undefined) return { kind: 'foreign', name: header ?? '' };
  if (OWN_NAMES.has(name)) return { kind: 'own' };
  const label = SITE.exec(name)?.[1];
  return label === undefined ? { kind: 'foreign', name } : { kind: 'site', label };
}

export function foreignHost(name: string): Refusal {
  return {
    status: 421,
    word: 'foreign-host',
    detail: `This server does not answer for the host ${JSON.stringify(name.slice(0, 100))}. Use http://localhost, http://127.0.0.1 or <site>.localhost with its port.`,
  };
}

/** Compares in a time that says nothing of where two tokens differ, nor of their length. */
export function tokenCheck(token: string): (given: string) => boolean {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  const wanted = digest(token);
  return (given) => timingSafeEqual(digest(given), wanted);
}

/** Where the token is, for those who have none or a wrong one. */
export interface TokenPlace {
  place: string;
  /** A question that may help. */
  other: string;
}

const ONE_MACHINE: TokenPlace = { place: 'the file "token" of the data folder', other: 'Is this the server of another folder?' };

export interface ApiRequest {
  method: string;
  headers: IncomingHttpHeaders;
}

/**
 * Why a request to the API is refused; undefined: it may pass. Sites are on the same machine and "same-site" for a browser,
 * so what a browser would allow is no measure here: no page of another origin may pass, with or without the token.
 */
export function apiRefusal(request: ApiRequest, isToken: (given: string) => boolean, where: TokenPlace = ONE_MACHINE): Refusal | undefined {
  return fromElsewhere(request.headers) ?? withoutToken(request.headers, isToken, where) ?? otherBody(request);
}

function fromElsewhere(headers: IncomingHttpHeaders): Refusal | undefined {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (origin !== undefined && origin.toLowerCase() !== `http://${host ?? ''}`.toLowerCase())
    return {
      status: 403,
      word: 'foreign-origin',
      detail: `A page of ${JSON.stringify(origin.slice(0, 100))} may not use this API. Use the command line, or a page of this server.`,
    };
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return { status: 403, word: 'foreign-origin', detail: 'A page of another origin may not use this API. Use the command line, or a page of this server.' };
  return undefined;
}

function withoutToken(headers: IncomingHttpHeaders, isToken: (given: string) => boolean, { place, other }: TokenPlace): Refusal | undefined {
  const given = /^Bearer +([^\s]+)$/i.exec(headers.authorization ?? '')?.[1];
  if (given === undefined)
    return {
      status: 401,
      word: 'no-token',
      detail: `The API wants "Authorization: Bearer <token>"; the token is in ${place}, where the tidemill command finds it.`,
    };
  if (isToken(given)) return undefined;
  return {
    status: 401,
    word: 'wrong-token',
    detail: `The token is not that of this server; it is in ${place}. ${other}`,
  };
}

/** Only JSON: a form or plain text is what a page may send anywhere without asking first. */
function otherBody({ method, headers }: ApiRequest): Refusal | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  const type = headers['content-type'];
  if (type === undefined ? !hasBody : /^application\/json[ \t]*(?:;|$)/i.test(type)) return undefined;
  return {
    status: 415,
    word: 'media-type',
    detail: `The body must be sent as application/json, not ${type ? JSON.stringify(type.slice(0, 100)) : 'without a content type'}.`,
  };
}
