import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStatus, type StatusOf } from '../objects/kinds.ts';
import {
  deleteHead,
  emptyLane,
  enterLane,
  type Entered,
  type HeadMove,
  headOf,
  isAdmitted,
  LaneFull,
  lanePolicy,
  type LanePolicy,
  leaveLane,
  whyBehind,
  whyOutdated,
} from './lane.ts';

type Lane = StatusOf<'Lane'>;

const sha = (letter: string) => letter.repeat(40);
const [A, B, C, D] = [sha('a'), sha('b'), sha('c'), sha('d')];
const NONE = sha('0');
const move = (before: string, after: string, pushedAt?: string): HeadMove => ({ before, after, ...(pushedAt && { pushedAt }) });
const at = (minute: number) => `2026-11-03T10:${String(minute).padStart(2, '0')}:00Z`;
const queue: LanePolicy = { mode: 'queue', slots: 1 };
const supersede: LanePolicy = { mode: 'supersede', slots: 1 };

const policy = fc.record({ mode: fc.constantFrom('queue', 'supersede', 'parallel'), slots: fc.integer({ min: 1, max: 5 }) }) as fc.Arbitrary<LanePolicy>;
const execution = fc.integer({ min: 0, max: 12 }).map((n) => `site-${n}`);
const operation = fc.oneof(fc.record({ enter: execution, policy }), fc.record({ leave: execution }));

const names = (entries: { execution: string }[]) => entries.map((entry) => entry.execution);
const inside = (lane: Lane) => [...lane.running, ...lane.waiting];

/** Enters each move's execution in the order given; returns the answers by execution. */
function told(moves: [string, HeadMove][], how: LanePolicy = queue): { lane: Lane; answers: Record<string, Entered> } {
  let lane = emptyLane(how);
  const answers: Record<string, Entered> = {};
  for (const [name, moved] of moves) {
    answers[name] = enterLane(lane, name, how, moved);
    lane = answers[name].lane;
  }
  return { lane, answers };
}

describe('a lane, whatever happens in it', () => {
  it('gives growing numbers, fills no more than its slots, keeps the order, and stays valid', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        let lane = emptyLane(queue);
        let last = 0;
        for (const each of operations) {
          const before = lane;
          if ('enter' in each) {
            const wasIn = inside(before).find((entry) => entry.execution === each.enter);
            const entered = enterLane(before, each.enter, each.policy);
            lane = entered.lane;
            if (wasIn) expect(entered).toMatchObject({ lane: before, number: wasIn.number });
            else expect(entered.number).toBe(++last);
          } else lane = leaveLane(before, each.leave);
          // A slot that is taken is never taken from its holder by another's coming or going.
          const kept = before.running.filter((entry) => !('leave' in each) || entry.execution !== each.leave);
          expect(lane.running.slice(0, kept.length)).toEqual(kept);
          expect(lane.running.length).toBeLessThanOrEqual(Math.max(lane.slots, kept.length));
          if (lane.waiting.length > 0) expect(lane.running.length).toBeGreaterThanOrEqual(lane.slots);
          const numbers = inside(lane).map((entry) => entry.number);
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
          expect(new Set(names(inside(lane))).size).toBe(numbers.length);
          expect(parseStatus('Lane', JSON.parse(JSON.stringify(lane)))).toEqual(JSON.parse(JSON.stringify(lane)));
        }
      }),
    );
  });

  it('is not changed by entering or leaving again', () => {
    fc.assert(
      fc.property(fc.array(execution, { minLength: 1, maxLength: 20 }), policy, (executions, how) => {
        let lane = emptyLane(how);
        for (const each of executions) lane = enterLane(lane, each, how).lane;
        for (const each of executions) expect(enterLane(lane, each, how).lane).toBe(lane);
        const left = leaveLane(lane, executions[0]!);
        expect(leaveLane(left, executions[0]!)).toEqual(left);
        expect(leaveLane(left, 'never-was-here')).toEqual(left);
      }),
    );
  });

  it('admits first who came first', () => {
    fc.assert(
      fc.property(fc.uniqueArray(execution, { minLength: 1 }), fc.integer({ min: 1, max: 4 }), (executions, slots) => {
        let lane = emptyLane({ mode: 'parallel', slots });
        for (const each of executions) lane = enterLane(lane, each, { mode: 'parallel', slots }).lane;
        const started: string[] = names(lane.running);
        while (lane.running.length > 0) {
          const before = new Set(names(lane.running));
          lane = leaveLane(lane, lane.running[0]!.execution);
          started.push(...names(lane.running).filter((name) => !before.has(name)));
        }
        expect(started).toEqual(executions);
      }),
    );
  });

  it('takes a larger or smaller number of slots from the project at the next entry, and takes none away', () => {
    let lane = emptyLane({ mode: 'parallel', slots: 3 });
    for (const name of ['a', 'b', 'c', 'd']) lane = enterLane(lane, name, { mode: 'parallel', slots: 3 }).lane;
    lane = enterLane(lane, 'e', queue).lane;
    expect(names(lane.running)).toEqual(['a', 'b', 'c']);
    lane = leaveLane(leaveLane(lane, 'a'), 'b');
    expect(names(lane.running)).toEqual(['c']);
    lane = enterLane(lane, 'f', { mode: 'parallel', slots: 2 }).lane;
    expect(names(lane.running)).toEqual(['c', 'd']);
  });

  it('says that it is full rather than lose one', () => {
    let lane = emptyLane(queue);
    for (let n = 0; n <= 1000; n++) lane = enterLane(lane, `site-${n}`, queue).lane;
    expect(() => enterLane(lane, 'one-more', queue)).toThrow(LaneFull);
    expect(enterLane(lane, 'site-1000', queue).number).toBe(1001);
    expect(parseStatus('Lane', lane).waiting).toHaveLength(1000);
  });

  it('knows who is admitted', () => {
    const { lane } = told([
      ['first', move(NONE, A)],
      ['second', move(A, B)],
    ]);
    expect([isAdmitted(lane, 'first'), isAdmitted(lane, 'second'), isAdmitted(undefined, 'first')]).toEqual([true, false, false]);
  });
});

describe('lanePolicy', () => {
  it.each([
    [undefined, { mode: 'queue', slots: 1 }],
    [{}, { mode: 'queue', slots: 1 }],
    [{ slots: 3 }, { mode: 'queue', slots: 3 }],
    [{ mode: 'parallel' }, { mode: 'parallel', slots: 4 }],
    [
      { mode: 'parallel', slots: 9 },
      { mode: 'parallel', slots: 9 },
    ],
    [
      { mode: 'supersede', slots: 9 },
      { mode: 'supersede', slots: 1 },
    ],
  ] as const)('%j is %j', (lane, expected) => {
    expect(lanePolicy(lane)).toEqual(expected);
  });
});

describe('supersede', () => {
  it('replaces exactly those with a lower number', () => {
    fc.assert(
      fc.property(fc.uniqueArray(execution, { minLength: 1 }), (executions) => {
        let lane = emptyLane(supersede);
        for (const [n, each] of executions.entries()) {
          const entered = enterLane(lane, each, supersede);
          expect(names(entered.superseded)).toEqual(executions.slice(0, n));
          lane = entered.lane;
        }
      }),
    );
  });

  it('says again whom it replaces when it is asked again', () => {
    const { lane } = told([
      ['first', move(NONE, A)],
      ['second', move(A, B)],
    ]);
    expect(names(enterLane(lane, 'second', supersede).superseded)).toEqual(['first']);
    expect(enterLane(lane, 'first', supersede).superseded).toEqual([]);
  });

  it('lets an outdated push replace nobody: the one with the lower number is the newer commit', () => {
    const { lane, answers } = told(
      [
        ['newer', move(B, C, at(2))],
        ['older', move(A, B, at(1))],
      ],
      supersede,
    );
    expect(answers['older']).toMatchObject({ superseded: [], number: 2, outdated: expect.stringContaining(C.slice(0, 12)) });
    expect(names(lane.running)).toEqual(['newer']);
    expect(names(enterLane(lane, 'newest', supersede, move(C, D, at(3))).superseded)).toEqual(['newer', 'older']);
  });

  it.each(['queue', 'parallel'] as const)('is no matter in mode %s', (mode) => {
    const how = { mode, slots: 2 };
    const lane = enterLane(emptyLane(how), 'first', how).lane;
    expect(enterLane(lane, 'second', how).superseded).toEqual([]);
  });
});

describe('whyOutdated', () => {
  it('is never said of pushes that come in order, with times or without', () => {
    const commits = fc.array(fc.constantFrom(A, B, C, D, sha('e')), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(commits, fc.boolean(), (heads, timed) => {
        const moves = heads.map((after, n): [string, HeadMove] => [`site-${n}`, move(heads[n - 1] ?? NONE, after, timed ? at(n) : undefined)]);
        const { answers, lane } = told(moves);
        for (const answer of Object.values(answers)) expect(answer.outdated).toBeUndefined();
        expect(lane.head).toBe(heads.at(-1));
      }),
    );
  });

  it('leaves the newest commit as the head in whatever order timed pushes come', () => {
    const history = [move(NONE, A, at(1)), move(A, B, at(2)), move(B, C, at(3)), move(C, D, at(4)), move(D, B, at(5)), move(B, sha('e'), at(6))];
    fc.assert(
      fc.property(fc.shuffledSubarray(history, { minLength: 1 }), (order) => {
        const { lane } = told(order.map((each, n) => [`site-${n}`, each]));
        const newest = order.toSorted((a, b) => (a.pushedAt! < b.pushedAt! ? 1 : -1))[0]!;
        // What follows directly on the head is believed to be newer, so that a server's clock may step back: B → C on the second B.
        const believed = newest.after === B ? [C, D] : [];
        expect([newest.after, ...believed]).toContain(lane.head);
        expect(lane.headPushedAt).toBe(newest.pushedAt);
      }),
    );
  });

  it('keeps the later time of a commit that the branch was at twice', () => {
    const { lane, answers } = told([
      ['again', move(C, A, at(4))],
      ['first', move(NONE, A, at(1))],
      ['between', move(B, C, at(3))],
      ['polled', move(D, A)],
    ]);
    expect(answers['between']!.outdated).toBeDefined();
    expect(lane).toMatchObject({ head: A, headPushedAt: at(4) });
  });

  it.each([true, false])('A → B told after B → C is outdated (times: %s)', (timed) => {
    const { answers, lane } = told([
      ['c', move(B, C, timed ? at(2) : undefined)],
      ['b', move(A, B, timed ? at(1) : undefined)],
    ]);
    expect(answers['c']!.outdated).toBeUndefined();
    expect(answers['b']!.outdated).toMatch(/moved on to c{12} before this push was told/);
    expect(lane.head).toBe(C);
  });

  it.each([true, false])('force-pushed back and forth is not: A → B, B → A, A → B (times: %s)', (timed) => {
    const moves: [string, HeadMove][] = [move(A, B), move(B, A), move(A, B)].map((each, n) => [`site-${n}`, { ...each, ...(timed && { pushedAt: at(n) }) }]);
    const { answers, lane } = told(moves);
    expect(Object.values(answers).map((answer) => answer.outdated)).toEqual([undefined, undefined, undefined]);
    expect(lane.head).toBe(B);
  });

  it('of a poll without a time is told by the moves that were seen', () => {
    const { lane } = told([
      ['a', move(NONE, A, at(1))],
      ['c', move(B, C, at(3))],
    ]);
    expect(whyOutdated(lane, move(A, B))).toBeDefined();
    expect(whyOutdated(lane, move(C, D))).toBeUndefined();
    expect(whyOutdated(lane, move(B, C))).toBeUndefined();
    // A jump that nobody saw before is news: a poll tells what is there now.
    expect(whyOutdated(lane, move(A, D))).toBeUndefined();
  });

  it('is said again when the same execution is entered again, though the head has moved meanwhile', () => {
    const { lane, answers } = told([
      ['c', move(B, C, at(2))],
      ['b', move(A, B, at(1))],
      ['d', move(C, D, at(3))],
    ]);
    expect(enterLane(lane, 'b', queue, move(A, B, at(1)))).toMatchObject({ number: 2, outdated: answers['b']!.outdated });
    expect(enterLane(lane, 'c', queue, move(B, C, at(2))).outdated).toBeUndefined();
  });

  it('remembers sixteen moves and no more', () => {
    const moves = Array.from({ length: 80 }, (_, n): [string, HeadMove] => [`site-${n}`, move(sha(String(n % 10)), sha(String((n + 1) % 10)))]);
    expect(told(moves).lane.recent).toHaveLength(16);
  });

  it('is said of a push of before a deletion, and not of the branch that is made anew', () => {
    const { lane } = told([['a', move(NONE, A, at(1))]]);
    const deleted = deleteHead(lane, { before: A, pushedAt: at(5) });
    expect(deleted).toMatchObject({ last: 1, running: [{ execution: 'a', number: 1 }], head: NONE, headPushedAt: at(5) });
    expect([headOf(lane), headOf(deleted), headOf(undefined)]).toEqual([A, undefined, undefined]);
    for (const late of [move(NONE, B, at(4)), move(A, B, at(4)), move(D, A)])
      expect(whyOutdated(deleted, late), JSON.stringify(late)).toMatch(/had been deleted/);
    for (const anew of [move(NONE, A, at(6)), move(NONE, B), move(NONE, A), move(B, C, at(6))])
      expect(whyOutdated(deleted, anew), JSON.stringify(anew)).toBeUndefined();
  });
});

describe('whyBehind', () => {
  const { lane } = told([['a', move(NONE, A, at(1))]]);
  it('is said of another commit than the head', () => {
    expect(whyBehind(lane, B, undefined)).toContain(A.slice(0, 12));
    expect(whyBehind(lane, A, 'it was then')).toBeUndefined();
  });
  it('is what it was where no head is known', () => {
    expect(whyBehind(emptyLane(queue), B, 'it was then')).toBe('it was then');
    expect(whyBehind(emptyLane(queue), B, undefined)).toBeUndefined();
  });
  it('is said of every commit of a branch that was deleted', () => {
    expect(whyBehind(deleteHead(lane, { before: A }), A, undefined)).toBe('the branch was deleted');
  });
  it('is kept with the entry', () => {
    const entered = enterLane(lane, 'again', supersede, undefined, 'behind');
    expect(entered).toMatchObject({ outdated: 'behind', superseded: [] });
    expect(enterLane(entered.lane, 'again', supersede).outdated).toBe('behind');
  });
});
