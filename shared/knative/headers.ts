// CloudEvents over HTTP: attributes as headers and back, in binary mode, and a body in structured mode.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { InvalidEvent, type TidemillEvent } from '../events/event.ts';

const PREFIX = 'ce-';
const ATTRIBUTE_NAME = /^[a-z0-9]{1,40}$/;
export const STRUCTURED = 'application/cloudevents+json';

/** One value of a header that was sent once; several, and it is an array. */
export type Headers = NodeJS.Dict<string[]> | IncomingHttpHeaders;

/** An event as it came: every attribute that was there, and its data, not checked in any way. */
export interface RawEvent {
  [attribute: string]: unknown;
  data?: unknown;
}

/** Attributes as headers, body beside them. */
export function toBinary(event: TidemillEvent, extensions: Readonly<Record<string, string>> = {}): { headers: OutgoingHttpHeaders; body: Buffer } {
  const { data, datacontenttype, ...attributes } = event;
  const headers: OutgoingHttpHeaders = { 'content-type': datacontenttype };
  for (const [name, value] of Object.entries({ ...attributes, ...extensions })) if (value !== undefined) headers[PREFIX + name] = encode(value);
  const body = Buffer.from(JSON.stringify(data));
  headers['content-length'] = body.length;
  return { headers, body };
}

/** The event of a request in binary or structured mode. Throws InvalidEvent when it is neither, or is JSON that cannot be read. */
export function fromRequest(headers: Headers, body: Buffer): RawEvent {
  const type = mediaType(one(headers, 'content-type') ?? '');
  if (type.name.startsWith('application/cloudevents-batch')) throw new InvalidEvent('A batch of events is not taken here: send one');
  if (type.charset && !/^"?utf-?8"?$/i.test(type.charset)) throw new InvalidEvent(`The charset ${type.charset.slice(0, 40)} is not taken: send UTF-8`);
  if (type.name.startsWith('application/cloudevents')) return fromStructured(type.name, body);
  const event: RawEvent = { datacontenttype: type.name };
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(PREFIX)) continue;
    const attribute = name.slice(PREFIX.length);
    if (!ATTRIBUTE_NAME.test(attribute) || attribute === 'data') throw new InvalidEvent(`"${name.slice(0, 60)}" is no name of an attribute`);
    if (attribute !== 'datacontenttype') event[attribute] = decode(one(headers, name) ?? '');
  }
  if (event.specversion === undefined)
    throw new InvalidEvent('Not a CloudEvent: there is no ce-specversion, and the content type is not application/cloudevents+json');
  if (body.length > 0) event.data = isJson(type.name) ? json(body) : { base64: body.toString('base64') };
  return event;
}

function fromStructured(type: string, body: Buffer): RawEvent {
  if (type !== STRUCTURED) throw new InvalidEvent(`Events in ${type.slice(0, 60)} are not taken: send application/cloudevents+json, or binary mode`);
  const value = json(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InvalidEvent('Not a CloudEvent: it is no JSON object');
  const { data_base64, ...event } = value as RawEvent;
  if (data_base64 === undefined) return { datacontenttype: 'application/json', ...event };
  if (event.data !== undefined) throw new InvalidEvent('It has both data and data_base64');
  if (typeof data_base64 !== 'string') throw new InvalidEvent('data_base64 is no text');
  const data = Buffer.from(data_base64, 'base64');
  return {
    ...event,
    data: isJson(mediaType(typeof event.datacontenttype === 'string' ? event.datacontenttype : '').name) ? json(data) : { base64: data_base64 },
  };
}

function json(body: Buffer): unknown {
  try {
    // Bytes that are no UTF-8 are refused: they would verify as other bytes.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new InvalidEvent(`The body is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const isJson = (type: string) => type === 'application/json' || type === 'text/json' || type.endsWith('+json');

function mediaType(value: string): { name: string; charset?: string } {
  const [name = '', ...parameters] = value.split(';').map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))?.slice('charset='.length);
  return { name: name.toLowerCase(), ...(charset !== undefined && { charset }) };
}

/** The header's only value. Throws when it was sent twice: which of them would be the event's? */
function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  if (!Array.isArray(value)) return value;
  if (value.length > 1) throw new InvalidEvent(`The header ${name.slice(0, 60)} was sent ${value.length} times`);
  return value[0];
}

/** Section 3.1.3.2: what is no printable ASCII, and space, quote and percent, as percent-encoded UTF-8. */
function encode(value: string): string {
  return value.replaceAll(/[^\u0021-\u007e]|["%]/gu, (character) =>
    [...new TextEncoder().encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

function decode(value: string): string {
  const plain = /^".*"$/.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
  if (!plain.includes('%')) return plain;
  try {
    return decodeURIComponent(plain);
  } catch {
    // Not encoded by these rules: many senders write the value as it is.
    return plain;
  }
}
