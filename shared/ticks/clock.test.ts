import { describe, expect, it } from 'vitest';
import type { TidemillEvent } from '../events/event.ts';
import { type AnyHandler, inOneTransaction, startHost } from '../host/host.ts';
import type { Ports } from '../host/contract.ts';
import { openStore } from '../store/store.ts';
import { type ClockOptions, keepTime } from './clock.ts';

const HOUR_MS = 3_600_000;
const BEGIN = Date.UTC(2026, 10, 3, 11, 20);
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** Hours pass in no time: whoever sleeps moves the clock. Ends when `hours` are over. */
function fastTime(hours: number, begin = BEGIN) {
  const end = new AbortController();
  const time = {
    now_ms: begin,
    now: () => new Date(time.now_ms).toISOString(),
    signal: end.signal,
    sleeps: [] as number[],
    sleep: async (ms: number) => {
      time.sleeps.push(ms);
      time.now_ms += ms;
      if (time.now_ms - begin > hours * HOUR_MS) end.abort();
      await Promise.resolve();
    },
  };
  return time;
}

/** Which times were told, as HH:MM. */
async function told(time: ReturnType<typeof fastTime>, schedule = '17 * * * *', more: Partial<ClockOptions> = {}): Promise<string[]> {
  const events: TidemillEvent[] = [];
  const broker = { publish: async (published: readonly TidemillEvent[]) => void events.push(...published) };
  const { now, signal, sleep } = time;
  await keepTime({ ticks: { sweep: { schedule } }, namespace: 'mill', broker, log: quiet, now, signal, sleep, ...more });
  return events.map((event) => event.time.slice(11, 16));
}

describe('a clock', () => {
  it('tells the last that was due when it begins, and then each when it is due', async () => {
    const time = fastTime(3);
    expect(await told(time)).toEqual(['11:17', '12:17', '13:17', '14:17']);
    expect(Math.max(...time.sleeps)).toBeLessThanOrEqual(60_000);
  });

  it('tells of all that was missed while its machine slept no more than the last', async () => {
    const time = fastTime(30);
    let slept = false;
    const sleep = async (ms: number) => {
      await time.sleep(ms);
      if (slept || time.now_ms < BEGIN + HOUR_MS) return;
      slept = true;
      time.now_ms += 26 * HOUR_MS;
    };
    expect(await told(time, undefined, { sleep })).toEqual(['11:17', '12:17', '14:17', '15:17', '16:17', '17:17']);
  });

  it('begins with nothing where nothing was ever due', async () => {
    expect(await told(fastTime(3), '0 0 30 2 *')).toEqual([]);
  });

  it('keeps to UTC, to weekdays and to steps', async () => {
    expect(await told(fastTime(24), '*/20 3 * * 3')).toEqual(['03:40', '03:00', '03:20', '03:40']);
  });

  it('tells again what could not be told, ever more seldom, and of several only the last', async () => {
    const time = fastTime(4);
    const events: string[] = [];
    let tries = 0;
    const broker = {
      publish: async ([event]: readonly TidemillEvent[]) => {
        tries++;
        if (time.now_ms < BEGIN + 2.5 * HOUR_MS) throw new Error('the broker is away');
        events.push(event!.time.slice(11, 16));
      },
    };
    await told(time, undefined, { broker });
    expect(events).toEqual(['13:17', '14:17', '15:17']);
    expect(tries).toBeLessThan(200);
  });

  it('ends at once when it is told to, before its first tick too', async () => {
    const stop = new AbortController();
    const events: TidemillEvent[] = [];
    const options = { ticks: { sweep: { schedule: '* * * * *' } }, namespace: 'mill', log: quiet, now: () => new Date().toISOString(), signal: stop.signal };
    const clock = keepTime({ ...options, broker: { publish: async (all) => void events.push(...all) } });
    stop.abort();
    await clock;
    expect(events).toEqual([]);
  });

  it.each(['* * * * * *', '61 * * * *', '@hourly please', '', 'x'])('refuses the schedule "%s"', async (schedule) => {
    await expect(told(fastTime(1), schedule)).rejects.toThrow('is no schedule: it has to be five fields of cron');
  });
});

describe('two clocks and a restart, over one broker', () => {
  it('make one tick of each time, which wakes the function that it is for', async () => {
    const store = openStore(':memory:');
    const swept: TidemillEvent[] = [];
    const functions = Object.fromEntries(
      ['sweep', 'other'].map((name) => [name, { consumes: ['dev.knative.sources.ping' as const], emits: [], needs: ['storage' as const] }]),
    );
    const handle: AnyHandler = async (event: TidemillEvent) => {
      swept.push(event);
      return {};
    };
    const { broker } = store;
    const ports = { storage: {} } as Ports;
    startHost({
      functions,
      load: async () => handle,
      ports,
      broker,
      begin: inOneTransaction(store.commit),
      log: quiet,
      now: () => new Date().toISOString(),
    });
    const clock = (time = fastTime(3)) =>
      keepTime({ ticks: { sweep: { schedule: '17 * * * *' } }, namespace: 'mill', broker, log: quiet, now: time.now, signal: time.signal, sleep: time.sleep });
    await Promise.all([clock(), clock()]);
    await clock(fastTime(3, BEGIN + HOUR_MS));
    await expect.poll(() => swept.length).toBe(5);
    expect(swept.map(({ time }) => time.slice(11, 16)).toSorted()).toEqual(['11:17', '12:17', '13:17', '14:17', '15:17']);
    expect(swept[0]).toMatchObject({
      source: '/apis/v1/namespaces/mill/pingsources/sweep',
      type: 'dev.knative.sources.ping',
      datacontenttype: 'application/json',
      data: { tick: 'sweep' },
    });
    await broker.stop(1000);
    await store.close();
  });
});
