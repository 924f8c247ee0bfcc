import { afterEach, describe, expect, it } from 'vitest';
import { ELECTION, memoryLease, quiet, until } from '../../../test/support/watcher.ts';
import { createElection, type Election } from './election.ts';

const log = { info() {}, warn() {}, error() {} };
const elections: Election[] = [];
afterEach(async () => void (await Promise.all(elections.splice(0).map((election) => election.stop(1000)))));

/** A candidate that says when its terms begin and end; `skew_ms`: how far its clock is off. */
function candidate(lease: ReturnType<typeof memoryLease>, identity: string, terms: string[], skew_ms = 0, work?: (signal: AbortSignal) => Promise<void>) {
  const election = createElection({ lease, identity, log, now: () => new Date(Date.now() + skew_ms).toISOString(), ...ELECTION });
  elections.push(election);
  election.start(async (signal) => {
    terms.push(`${identity} begins`);
    await (work?.(signal) ?? new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })));
    terms.push(`${identity} ends`);
  });
  return election;
}

describe('an election', () => {
  it('has one leader, and the next one at once when that stops', async () => {
    const lease = memoryLease();
    const terms: string[] = [];
    const a = candidate(lease, 'a', terms);
    await until(() => a.leads());
    const b = candidate(lease, 'b', terms);
    await quiet(300);
    expect(b.leads()).toBe(false);
    const began = performance.now();
    await a.stop(1000);
    await until(() => b.leads());
    expect(performance.now() - began).toBeLessThan(ELECTION.duration_ms * 0.6);
    expect(terms).toEqual(['a begins', 'a ends', 'b begins']);
    expect(lease.record).toMatchObject({ holder: 'b', transitions: 1 });
  });

  it('goes to another when the leader is killed, not before its lease has ended', async () => {
    const lease = memoryLease();
    // The record of one that was killed.
    await lease.write({ holder: 'killed', duration_s: 1, acquired: '', renewed: '1', transitions: 4 }, undefined, AbortSignal.timeout(1000));
    const began = performance.now();
    const b = candidate(lease, 'b', []);
    await until(() => b.leads());
    expect(performance.now() - began).toBeGreaterThan(ELECTION.duration_ms - 20);
    expect(lease.record).toMatchObject({ holder: 'b', transitions: 5 });
  });

  it.each([-600_000, 600_000])('does not look at clocks: one that is %d ms off neither steals nor loses it', async (skew_ms) => {
    const lease = memoryLease();
    const terms: string[] = [];
    const a = candidate(lease, 'a', terms, skew_ms);
    await until(() => a.leads());
    const b = candidate(lease, 'b', terms, -skew_ms);
    await quiet(ELECTION.duration_ms * 1.5);
    expect(terms).toEqual(['a begins']);
    expect([a.leads(), b.leads()]).toEqual([true, false]);
  });

  it.each(['refuses', 'hangs'] as const)('is lost before others may take it, when the API server %s; and won again', async (how) => {
    const lease = memoryLease();
    const terms: string[] = [];
    const a = candidate(lease, 'a', terms);
    await until(() => a.leads());
    await quiet(150);
    lease.failing = how;
    const began = performance.now();
    await until(() => !a.leads());
    expect(performance.now() - began).toBeLessThan(ELECTION.duration_ms);
    expect(terms).toEqual(['a begins', 'a ends']);
    lease.failing = 'no';
    await until(() => a.leads());
  });

  it('is lost at once when somebody else stands in the lease', async () => {
    const lease = memoryLease();
    const terms: string[] = [];
    const a = candidate(lease, 'a', terms);
    await until(() => a.leads());
    lease.record = { ...lease.record!, holder: 'thief', version: 'x' };
    await until(() => !a.leads(), undefined, ELECTION.retry_ms * 4);
  });

  it('of ten has one winner', async () => {
    const lease = memoryLease();
    const terms: string[] = [];
    const all = Array.from({ length: 10 }, (_, i) => candidate(lease, `c${i}`, terms));
    await until(() => all.some((each) => each.leads()));
    await quiet(300);
    expect(terms).toHaveLength(1);
  });

  it('waits for what its leader has in hand before it gives the lease back, and keeps it when that takes too long', async () => {
    const lease = memoryLease();
    const a = candidate(lease, 'a', [], 0, () => new Promise((resolve) => setTimeout(resolve, 800)));
    await until(() => a.leads());
    await a.stop(100);
    expect(lease.record?.holder).toBe('a');
  });

  it('begins another term when the duties fail', async () => {
    const lease = memoryLease();
    const terms: string[] = [];
    let fails = true;
    const work = (signal: AbortSignal) => {
      if (!fails) return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      fails = false;
      return Promise.reject(new Error('broken'));
    };
    candidate(lease, 'a', terms, 0, work);
    await until(() => terms.length === 2);
    expect(terms).toEqual(['a begins', 'a begins']);
  });
});
