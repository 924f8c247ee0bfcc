// Ticks as a PingSource of Knative 1.22 sends them through a Broker: random ids, no subject, and no chain.
import { expect, test } from 'vitest';
import { InvalidEvent } from '../../events/event.ts';
import { tickEvent } from '../../events/tick.ts';
import { readEvent } from '../incoming.ts';

const headers = {
  'content-type': 'application/json',
  'ce-specversion': '1.0',
  'ce-id': '4f8d9ad1-6d2c-4b8f-9a52-3d1f5f0f8a11',
  'ce-source': '/apis/v1/namespaces/mill/pingsources/storage-sweep',
  'ce-time': '2026-11-21T10:17:00.223456789Z',
  'ce-type': 'dev.knative.sources.ping',
  'ce-tidemilltick': 'storage-sweep',
  'ce-knativearrivaltime': '2026-11-21T10:17:00.3Z',
};
const read = (more: Record<string, string> = {}, data: unknown = { tick: 'storage-sweep' }) =>
  readEvent({ ...headers, ...more }, Buffer.from(JSON.stringify(data)));

test('a tick begins a chain, the same however often the broker delivers it', () => {
  const tick = read();
  expect(read()).toEqual(tick);
  expect(tick).toMatchObject({ id: headers['ce-id'], source: headers['ce-source'], time: '2026-11-21T10:17:00.223Z', data: { tick: 'storage-sweep' } });
  expect(tick.chainid).toMatch(/^[0-9a-f-]{36}$/);
  expect(read({ 'ce-id': 'another' }).chainid).not.toBe(tick.chainid);
  const traceparent = '00-0f8fad5bd9cb469fa165708677289500-0f8fad5bd9cb469f-01';
  expect(read({ 'ce-traceparent': traceparent }).traceparent).toBe(traceparent);
});

test('it has the form of the tick that our own clock tells', () => {
  const own = tickEvent('storage-sweep', Date.UTC(2026, 10, 21, 10, 17), 'mill');
  const { id: _id, time: _time, chainid: _chain, traceparent: _trace, ...form } = own;
  expect(read()).toMatchObject(form);
  expect(Object.keys(read()).toSorted()).toEqual(Object.keys(own).toSorted());
  // One of our own keeps the chain that it has.
  expect(read({ 'ce-chainid': own.chainid }).chainid).toBe(own.chainid);
});

test.each([[null], [{}], [{ tick: '' }], [{ tick: 'A B' }], [{ tick: 7 }], ['storage-sweep'], [[]]])(
  'a ping of somebody else, which says %j, is none',
  (data) => {
    expect(() => read({}, data)).toThrow(InvalidEvent);
  },
);
