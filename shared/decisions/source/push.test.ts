import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Obj, StatusOf } from '../../objects/kinds.ts';
import { addTeller, isAnswered, recognise, type Tell } from './push.ts';

type Status = StatusOf<'Push'>;

const T1 = '2026-11-03T10:00:00Z';
const T2 = '2026-11-03T10:05:00Z';
const webhook = (event: string, pushedAt = T1): Tell => ({ event, teller: 'webhook', at: T2, pushedAt });
const poll = (event: string): Tell => ({ event, teller: 'poll', at: T2 });
const EMPTY: Status = { told: [], results: [] };
const answered = (status: Status): Status => ({ ...status, results: [{ namespace: 'default', project: 'site', execution: 'site-1' }] });
const toldBy = (...tells: Tell[]) => tells.reduce(addTeller, EMPTY);
const push = (status: Status): Obj<'Push'> => ({ kind: 'Push', status }) as Obj<'Push'>;

describe('recognise', () => {
  it('goes on with its own push until that is answered', () => {
    const mine = toldBy(webhook('w1'));
    expect(recognise(push(mine), webhook('w1'), false)).toEqual({ kind: 'mine' });
    expect(recognise(push(answered(mine)), webhook('w1'), false)).toEqual({ kind: 'told', status: undefined });
    expect(recognise(push({ ...mine, skipped: 'nobody builds it' }), webhook('w1'), false)).toEqual({ kind: 'told', status: undefined });
  });

  it.each([
    ['a second webhook', toldBy(webhook('w1')), webhook('w2')],
    ['the same time in another zone', toldBy(webhook('w1')), webhook('w2', '2026-11-03T12:00:00+02:00')],
    ['a poll after the webhook', toldBy(webhook('w1')), poll('p1')],
    ['a webhook after the poll', toldBy(poll('p1')), webhook('w1')],
    ['a second poll', toldBy(poll('p1')), poll('p2')],
  ])('takes %s for the same push, and remembers the teller', (_, status, tell) => {
    for (const each of [status, answered(status)]) {
      const recognised = recognise(push(each), tell, true);
      expect(recognised).toMatchObject({ kind: 'told', status: { told: [{ event: status.told[0]!.event }, { event: tell.event, teller: tell.teller }] } });
      expect(recognised.kind === 'told' && recognised.status?.results).toEqual(each.results);
    }
  });

  it('fills in the time when a webhook comes after the poll', () => {
    expect(recognise(push(toldBy(poll('p1'))), webhook('w1'), true)).toMatchObject({ status: { pushedAt: T1 } });
  });

  it('takes two times for two pushes', () => {
    expect(recognise(push(answered(toldBy(webhook('w1', T1)))), webhook('w2', T2), true)).toEqual({ kind: 'other' });
    expect(recognise(push(toldBy(poll('p1'), webhook('w1', T1))), webhook('w2', T2), true)).toEqual({ kind: 'other' });
  });

  it('takes a poll for a new push when the ref has moved away since', () => {
    expect(recognise(push(answered(toldBy(webhook('w1')))), poll('p1'), false)).toEqual({ kind: 'other' });
    expect(recognise(push(answered(toldBy(poll('p1')))), poll('p2'), false)).toEqual({ kind: 'other' });
  });

  it('waits with that until the first is answered: where the head is says nothing before', () => {
    expect(recognise(push(toldBy(webhook('w1'))), poll('p1'), false)).toMatchObject({ kind: 'told' });
  });

  it('keeps the digest of the body that told', () => {
    const body = `sha256:${'a'.repeat(64)}`;
    expect(recognise(push(toldBy(poll('p1'))), { ...webhook('w1'), body }, true)).toMatchObject({ status: { told: [{}, { body }] } });
  });

  it('remembers 32 tellers, and recognises the push all the same', () => {
    const many = toldBy(...Array.from({ length: 32 }, (_, n) => webhook(`w${n}`)));
    expect(recognise(push(answered(many)), webhook('one-more'), true)).toEqual({ kind: 'told', status: undefined });
  });

  it('makes one push of one move, by whomever and however often it is told', () => {
    const tell = fc.oneof(
      fc.nat({ max: 5 }).map((n) => webhook(`w${n}`)),
      fc.nat({ max: 5 }).map((n) => poll(`p${n}`)),
    );
    fc.assert(
      fc.property(fc.array(tell, { minLength: 1, maxLength: 40 }), fc.nat({ max: 40 }), (tells, answeredAt) => {
        let status = toldBy(tells[0]!);
        for (const [n, each] of tells.entries()) {
          if (n === answeredAt) status = answered(status);
          const recognised = recognise(push(status), each, true);
          expect(recognised.kind).not.toBe('other');
          if (recognised.kind === 'mine') expect(isAnswered(status)).toBe(false);
          if (recognised.kind === 'told' && recognised.status) status = recognised.status;
        }
        const events = status.told.map((told) => told.event);
        expect(new Set(events).size).toBe(events.length);
        expect(new Set(events)).toEqual(new Set(tells.map((each) => each.event)));
      }),
    );
  });
});
