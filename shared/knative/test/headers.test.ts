// Binary and structured mode, held against the SDK of CloudEvents on valid events, and against what others send on invalid ones.
import { CloudEvent, HTTP } from 'cloudevents';
import { describe, expect, it, test } from 'vitest';
import { event } from '../../../test/contracts/broker.ts';
import { InvalidEvent } from '../../events/event.ts';
import { fromRequest, toBinary } from '../headers.ts';
import { readEvent } from '../incoming.ts';

const json = { 'content-type': 'application/json' };
const valid = {
  ...json,
  'ce-specversion': '1.0',
  'ce-id': '1',
  'ce-source': '/test',
  'ce-type': 'dev.tidemill.artifact.requested.v1',
  'ce-time': '2026-11-21T10:00:00Z',
  'ce-chainid': 'c',
};
const body = Buffer.from(JSON.stringify(event('1').data));
const strings = (headers: object) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

describe('binary mode', () => {
  test('comes back as it was sent', () => {
    const told = { ...event('1'), subject: 'grün 100% "sure" 😀', traceparent: '00-0f8fad5bd9cb469fa165708677289500-0f8fad5bd9cb469f-01' };
    const { headers, body: sent } = toBinary(told);
    for (const value of Object.values(headers)) expect(String(value)).toMatch(/^[\u0020-\u007e]*$/);
    expect(readEvent(strings(headers), sent)).toEqual(told);
  });

  test('is read by the SDK as it was sent', () => {
    const told = event('1', { source: '/a/b?c=d' });
    const { headers, body: sent } = toBinary(told, { extra: 'yes' });
    const read = HTTP.toEvent({ headers: strings(headers), body: sent.toString() }) as CloudEvent<unknown>;
    expect(read.toJSON()).toMatchObject({ ...told, extra: 'yes' });
  });

  test('is read as the SDK sends it', () => {
    const told = event('1');
    for (const message of [HTTP.binary(new CloudEvent({ ...told })), HTTP.structured(new CloudEvent({ ...told }))])
      expect(readEvent(message.headers as Record<string, string>, Buffer.from(message.body as string))).toEqual(told);
  });

  it.each([
    ['no specversion', { 'ce-specversion': undefined }],
    ['another specversion', { 'ce-specversion': '0.3' }],
    ['no id', { 'ce-id': undefined }],
    ['an empty id', { 'ce-id': '' }],
    ['no source', { 'ce-source': undefined }],
    ['a source that is none', { 'ce-source': 'a b' }],
    ['no type', { 'ce-type': undefined }],
    ['a type that nobody knows', { 'ce-type': 'org.example.unknown' }],
    ['no chain', { 'ce-chainid': undefined }],
    ['a time that is none', { 'ce-time': 'yesterday' }],
    ['control characters', { 'ce-subject': 'a%00b' }],
    ['no content type', { 'content-type': undefined }],
    ['text', { 'content-type': 'text/plain' }],
    ['another charset', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['a batch', { 'content-type': 'application/cloudevents-batch+json' }],
    ['a name in capitals or signs', { 'ce-not_a_name': 'x' }],
    ['data as an attribute', { 'ce-data': '{}' }],
  ])('refuses %s', (_what, change) => {
    const headers = Object.fromEntries(Object.entries({ ...valid, ...change }).filter(([, value]) => value !== undefined)) as Record<string, string>;
    expect(() => readEvent(headers, body)).toThrow(InvalidEvent);
  });

  it('takes a charset, extensions of others, and a traceparent that is none as not there', () => {
    const more = { 'content-type': 'application/json; charset=UTF-8', 'ce-knativearrivaltime': '2026-11-21T10:00:00Z', 'ce-traceparent': 'x' };
    expect(readEvent({ ...valid, ...more }, body)).toEqual({ ...event('1'), chainid: 'c' });
  });

  it('refuses a header that came twice, and bytes that are no UTF-8', () => {
    expect(() => fromRequest({ ...valid, 'ce-id': ['1', '2'] } as never, body)).toThrow(/sent 2 times/);
    expect(() => readEvent(valid, Buffer.from([0x22, 0xff, 0x22]))).toThrow(InvalidEvent);
  });
});

describe('structured mode', () => {
  const structured = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
  const read = (value: unknown) => readEvent(structured, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

  it('takes data, and data in base64', () => {
    const { data, ...rest } = event('1');
    expect(read({ ...rest, data })).toEqual(event('1'));
    expect(read({ ...rest, data_base64: Buffer.from(JSON.stringify(data)).toString('base64') })).toEqual(event('1'));
    const { datacontenttype: _, ...bare } = event('1');
    expect(read(bare)).toEqual(event('1'));
  });

  it.each([
    ['[]'],
    ['null'],
    ['"text"'],
    ['{'],
    [''],
    ['{}'],
    [{ ...event('1'), data_base64: 'e30=' }],
    [{ ...event('1'), id: 7 }],
    [{ ...event('1'), data: null }],
    ['{"__proto__":{"id":"1"}}'],
  ])('refuses %j', (value) => {
    expect(() => read(value)).toThrow(InvalidEvent);
  });

  it('refuses XML, and nesting without end', () => {
    expect(() => readEvent({ 'content-type': 'application/cloudevents+xml' }, body)).toThrow(InvalidEvent);
    expect(() => read('['.repeat(100_000))).toThrow(InvalidEvent);
  });
});
