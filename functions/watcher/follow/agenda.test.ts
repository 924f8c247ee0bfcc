import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Agenda, createAgenda } from './agenda.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
let end: AbortController;
let agenda: Agenda;
beforeEach(() => {
  end = new AbortController();
  agenda = createAgenda(log, end.signal);
});
afterEach(async () => {
  end.abort();
  await agenda.stop();
});

/** Until the agenda is empty, or for ten seconds. */
async function done(): Promise<void> {
  const until = performance.now() + 10_000;
  while (agenda.size > 0 && performance.now() < until) await sleep(5);
  expect(agenda.size).toBe(0);
}

it('does more than there is room for, whether it comes at once or falls due at once', async () => {
  const seen: number[] = [];
  let together = 0;
  let most = 0;
  for (let n = 0; n < 200; n++) {
    agenda.put(`key ${n}`, n % 2 === 0 ? 0 : 20, async () => {
      most = Math.max(most, ++together);
      await sleep(2);
      together--;
      seen.push(n);
      return undefined;
    });
  }
  await done();
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  expect(most).toBe(16);
});

it('does a key by one at a time, and what is put meanwhile afterwards', async () => {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  agenda.put('key', 0, async () => {
    seen.push('first begins');
    await promise;
    seen.push('first ends');
    return 1;
  });
  agenda.put('key', 0, async () => void seen.push('never, as something newer was put'));
  agenda.put('key', 0, async () => void seen.push('second'));
  await sleep(30);
  expect(seen).toEqual(['first begins']);
  resolve();
  await done();
  expect(seen).toEqual(['first begins', 'first ends', 'second']);
});

it('does again what asks for it, and what failed', async () => {
  let times = 0;
  agenda.put('again', 0, async () => (++times < 3 ? 1 : undefined));
  let failures = 0;
  agenda.put('fails', 0, async () => {
    if (++failures < 2) throw new Error('not now');
    return undefined;
  });
  await done();
  expect([times, failures]).toEqual([3, 2]);
});
