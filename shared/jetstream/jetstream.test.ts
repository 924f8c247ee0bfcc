// What of the JetStream broker needs no server: names, versions, reply subjects, and how a message is settled. The rest is in test/cluster.
import { JetStreamApiError } from '@nats-io/jetstream';
import type { Msg } from 'nats';
import { describe, expect, it, test } from 'vitest';
import { refusalOf } from './connection.ts';
import { receivedOf } from './delivery.ts';
import { isFinal, isStoredAlready } from './errors.ts';
import { checkSubscriptionName, namesOf, subjectsOf } from './options.ts';
import { type Held, settle } from './settle.ts';

describe('names', () => {
  const subjects = subjectsOf();
  const event = { type: 'dev.tidemill.git.push.v1', source: '/a b.*.>', id: '1' };

  it('gives each source and id a subject of its own, of words that NATS takes', () => {
    const subject = subjects.event(event);
    expect(subject).toMatch(/^tidemill\.events\.dev\.tidemill\.git\.push\.v1\.[0-9a-z]{26}$/);
    const others = [
      { ...event, id: '2' },
      { ...event, source: '/other' },
      { ...event, source: `${event.source}1`, id: '' },
    ];
    expect(new Set([subject, ...others.map((other) => subjects.event(other))]).size).toBe(4);
  });

  it('lets a subscription hear its types and its own redriven letters', () => {
    expect(subjects.filters({ name: 'one', types: ['dev.tidemill.git.push.v1', 'dev.tidemill.git.push.v1'] })).toEqual([
      'tidemill.events.dev.tidemill.git.push.v1.*',
      'tidemill.redrive.one.*',
    ]);
  });

  it('refuses what would be wild', () => {
    for (const prefix of ['', 'a.b', '*', '>', 'A', 'a b']) expect(() => namesOf(prefix)).toThrow(/cannot begin the subjects/);
    for (const name of ['', 'a.b', '*', 'a b', 'x'.repeat(65)]) expect(() => checkSubscriptionName(name)).toThrow(/cannot be the name/);
  });
});

test.each([
  ['2.9.25', /too old/],
  ['1.4.1', /too old/],
  ['', /too old/],
  ['2.10.0', undefined],
  ['2.10.19', undefined],
  ['2.10.20', /loses streams/],
  ['2.10.22-beta.1', /loses streams/],
  ['2.10.23', undefined],
  ['2.15.2', undefined],
  ['3.0.0', undefined],
])('server %s', (version, refused) => {
  const refusal = refusalOf(version);
  if (refused) expect(refusal).toMatch(refused);
  else expect(refusal).toBeUndefined();
});

test('what a refused publish means', () => {
  const error = (err_code: number, description: string, code = 400) => new JetStreamApiError({ err_code, description, code });
  expect(isStoredAlready(error(10_071, 'wrong last sequence: 17'))).toBe(true);
  // On its way, or not to be read: stored only when the server says where.
  expect(isStoredAlready(error(10_071, 'wrong last sequence: 0'))).toBe(false);
  expect(isStoredAlready(error(10_164, 'wrong last sequence'))).toBe(false);
  expect([error(10_164, 'wrong last sequence'), error(10_077, 'maximum bytes exceeded', 503), new Error('jetstream is not enabled')].map(isFinal)).toEqual([
    false,
    false,
    false,
  ]);
  expect(isFinal(error(10_052, 'invalid configuration'))).toBe(true);
});

const messageOf = (reply: string, said: string[] = []) =>
  ({ reply, data: new Uint8Array(), respond: (text: string) => (said.push(text), true) }) as unknown as Msg;

test('a delivery is read from its reply subject, of old and new servers', () => {
  expect(receivedOf(messageOf('$JS.ACK.TIDEMILL.one.3.41.7.1763719200000000001.0'))).toMatchObject({
    deliveries: 3,
    sequence: 41,
    stored: '1763719200000000001',
  });
  expect(receivedOf(messageOf('$JS.ACK._.hash.TIDEMILL.one.3.41.7.1763719200000000001.0.random'))).toMatchObject({ deliveries: 3, sequence: 41 });
  expect(receivedOf(messageOf('_INBOX.x'))).toBeUndefined();
});

describe('settling', () => {
  const counted: unknown[] = [];
  const buried: unknown[] = [];
  const settling = {
    subscription: { name: 'one', types: [], concurrency: 1, maxAttempts: 3 },
    counts: { read: async () => ({ waits: 0, suspected: 0 }), write: async (_s: unknown, _n: string, _q: number, count: unknown) => void counted.push(count) },
    deadLetters: { bury: async (_s: unknown, letter: unknown) => void buried.push(letter), list: async () => [], redrive: async () => {} },
    backoff: { base_ms: 1, cap_ms: 1 },
    now: () => 0,
  };
  const held = (attempt: number, said: string[]): Held => ({
    received: receivedOf(messageOf(`$JS.ACK.S.one.${attempt}.41.7.1.0`, said))!,
    count: { waits: 0, suspected: 0 },
    attempt,
  });

  it.each([
    [{ kind: 'done' } as const, 1, '+ACK'],
    [{ kind: 'retry', after_ms: 1500, reason: 'r' } as const, 2, '-NAK {"delay":1500000000}'],
    [{ kind: 'retry', after_ms: 0, reason: 'r' } as const, 2, '-NAK'],
    [{ kind: 'retry', after_ms: Number.NaN, reason: 'r' } as const, 2, '-NAK'],
    [{ kind: 'retry', after_ms: 1e12, reason: 'r' } as const, 2, '-NAK {"delay":86400000000000}'],
    [{ kind: 'retry', after_ms: 5, reason: 'r' } as const, 3, '+TERM'],
    [{ kind: 'retry', after_ms: 5, reason: 'r', waiting: true } as const, 3, '-NAK {"delay":5000000}'],
    [{ kind: 'dead', reason: 'r' } as const, 1, '+TERM'],
  ])('%j at attempt %i answers %s', async (settlement, attempt, answer) => {
    const said: string[] = [];
    await settle({} as never, held(attempt, said), settlement, settling);
    expect(said).toEqual([answer]);
  });

  it('buries before it terminates, and not at all when that fails', async () => {
    const said: string[] = [];
    const failing = { ...settling, deadLetters: { ...settling.deadLetters, bury: () => Promise.reject(new Error('full')) } };
    await expect(settle({} as never, held(1, said), { kind: 'dead', reason: 'r' }, failing)).rejects.toThrow('full');
    expect(said).toEqual([]);
  });
});
