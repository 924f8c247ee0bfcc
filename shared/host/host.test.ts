import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventOf, minute } from '../../test/fakes/events.ts';
import { outputId } from '../events/ids.ts';
import type { TidemillEvent } from '../events/event.ts';
import type { Obj } from '../objects/kinds.ts';
import type { Delivery } from '../ports/broker.ts';
import { Conflict } from '../ports/objects.ts';
import type { ChaosOptions } from '../store/broker/chaos.ts';
import { openStore } from '../store/store.ts';
import { NotYet, type Outcome, type Ports, Refused } from './contract.ts';
import { type AnyHandler, type Commit, type Entry, inOneTransaction, startHost } from './host.ts';

const CONSUMED = 'dev.tidemill.artifact.failed.v1';
const EMITTED = 'dev.tidemill.execution.finished.v1';
const NOT_ITS = 'dev.tidemill.artifact.requested.v1';
const entry: Entry = { consumes: [CONSUMED], emits: [EMITTED], needs: ['objects'], maxAttempts: 3 };
const REF = { namespace: 'default', name: 'counter' };
const WAIT_MS = 10_000;

let store: ReturnType<typeof openStore>;
let failures: { message: string; fields: object }[];
let emitted: TidemillEvent[];
const open = (chaos?: ChaosOptions) => {
  store = openStore(':memory:', { backoff: { base_ms: 1, cap_ms: 5 }, ...(chaos && { chaos }) });
};
beforeEach(() => {
  failures = [];
  emitted = [];
  open();
});
afterEach(() => store.close());

const event = (n = 0) => eventOf(CONSUMED, { namespace: 'default', project: 'site', execution: 'site-1', artifact: 'site-1-source', reason: `no ${n}` });
const finished = (execution = 'site-1') => ({ namespace: 'default', project: 'site', execution, lane: 'l', number: 1, outcome: 'Failed' as const });
const output = (execution?: string): Outcome<typeof EMITTED> => ({ outputs: [{ type: EMITTED, data: finished(execution) }] });

/** Runs one function on the real host, broker and store; its outputs are collected. */
function start(
  handle: AnyHandler,
  { of = entry, commit = store.commit, load }: { of?: Entry; commit?: Commit; load?: (name: string) => Promise<AnyHandler> } = {},
): void {
  const log = {
    info: () => {},
    warn: (fields: object, message: string) => void failures.push({ fields, message }),
    error: (fields: object, message: string) => void failures.push({ fields, message }),
  };
  store.broker.subscribe({ name: 'collector', types: [EMITTED], concurrency: 1, maxAttempts: 1 }, async ({ event: one }) => {
    emitted.push(one);
    return { kind: 'done' };
  });
  const ports = { objects: store.objects, secrets: 'a secret port' } as unknown as Ports;
  startHost({
    functions: { tested: of },
    load: load ?? (async () => handle),
    ports,
    broker: store.broker,
    begin: inOneTransaction(commit),
    log,
    now: () => minute(30),
  });
}
async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + WAIT_MS; !(await what()); await pause(2)) if (Date.now() > end) throw new Error(`It did not come about within ${WAIT_MS} ms`);
}
const publish = (...events: TidemillEvent[]) => store.broker.publish(events);
const dead = () => store.broker.deadLetters();
const makeCounter = () =>
  store.objects.create<'Release'>({ kind: 'Release', metadata: REF, spec: { project: 'p', environment: 'e', host: 'h' }, status: { history: [] } });
/** A Release whose history's length is the count. */
const counted = (release: Obj<'Release'>): Obj<'Release'> => ({
  ...release,
  status: { history: [...release.status!.history, { artifact: 'a', version: 'v', manifest: `sha256:${'a'.repeat(64)}`, at: minute(0), trigger: 'auto' }] },
});
const count = async () => (await store.objects.get('Release', REF))!.status!.history.length;

describe('the host', () => {
  it('gives a function what it needs and nothing else', async () => {
    let given: object = {};
    start(async (_, deps: object) => {
      given = deps;
      return {};
    });
    await publish(event());
    await until(() => Object.keys(given).length > 0);
    expect(Object.keys(given).toSorted()).toEqual(['attempt', 'home', 'lastAttempt', 'log', 'now', 'objects']);
    expect(given).toMatchObject({ attempt: 1, lastAttempt: 3 });
  });

  it('derives the outputs from their cause, and carries its chain on', async () => {
    const cause = { ...event(), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
    start(async () => ({
      outputs: [
        { type: EMITTED, subject: 'site-1', data: finished() },
        { type: EMITTED, key: 'other', data: finished('site-2') },
      ],
    }));
    await publish(cause);
    await until(() => emitted.length === 2);
    expect(emitted.find((one) => one.subject)).toEqual({
      specversion: '1.0',
      id: outputId(cause, EMITTED, 'site-1'),
      source: '/functions/tested',
      type: EMITTED,
      subject: 'site-1',
      time: minute(30),
      datacontenttype: 'application/json',
      chainid: cause.chainid,
      traceparent: cause.traceparent,
      data: finished(),
    });
    expect(emitted.find((one) => !one.subject)!.id).toBe(outputId(cause, EMITTED, 'other'));
  });

  it('loads a function when its first event comes, once; and again when that failed', async () => {
    let loads = 0;
    start(undefined as never, {
      load: async () => {
        if (++loads === 1) throw new Error('EMFILE');
        return async () => output();
      },
    });
    expect(loads).toBe(0);
    await publish(event(1), event(2));
    await until(() => emitted.length === 2);
    await publish(event(3));
    await until(() => emitted.length === 3);
    expect(loads).toBe(2);
  });

  it('writes all of an outcome or nothing of it', async () => {
    await makeCounter();
    const create = [{ kind: 'Lane' as const, metadata: { name: 'new', namespace: 'default' }, spec: { project: 'p', ref: 'main' } }];
    let tries = 0;
    start(async () => {
      const release = (await store.objects.get('Release', REF))!;
      if (++tries === 1) await store.objects.updateStatus({ ...release, status: { ...release.status!, refused: { reason: 'in between', at: minute(0) } } });
      return { ...output(), create, status: counted(release) };
    });
    await publish(event());
    await until(() => emitted.length === 1);
    expect(tries).toBe(2);
    expect(await count()).toBe(1);
    expect(await store.objects.get('Lane', { namespace: 'default', name: 'new' })).toBeDefined();
  });

  it('decides again at a conflict, twenty times, and then lets others go first without counting that as an attempt', async () => {
    let tries = 0;
    let attempt = 0;
    const commit: Commit = async (delivery, outcome) => {
      attempt = delivery.attempt;
      if (++tries <= 40) throw new Conflict('Release', REF);
      await store.commit(delivery, outcome);
    };
    start(async () => output(), { commit });
    await publish(event());
    await until(() => emitted.length === 1);
    expect([tries, attempt]).toEqual([41, 1]);
  });
});

describe('one event, delivered twice at once', () => {
  const twice = async (handle: AnyHandler): Promise<PromiseSettledResult<unknown>[]> => {
    let deliver!: (delivery: Delivery) => Promise<unknown>;
    startHost({
      functions: { tested: entry },
      load: async () => handle,
      ports: { objects: store.objects } as unknown as Ports,
      broker: { ...store.broker, subscribe: (_subscription, given) => void (deliver = given) },
      begin: inOneTransaction(async () => {}),
      log: { info: () => {}, warn: () => {}, error: () => {} },
      now: () => minute(30),
    });
    return Promise.allSettled([1, 2].map((attempt) => deliver({ event: event(), attempt, subscription: 'tested' })));
  };

  it('is handled once, and then again', async () => {
    const seen: string[] = [];
    await twice(async () => {
      seen.push('begin');
      await pause(20);
      seen.push('end');
      return {};
    });
    expect(seen).toEqual(['begin', 'end', 'begin', 'end']);
  });

  it('is handled again when the first comes to nothing', async () => {
    let calls = 0;
    const answers = await twice(async () => {
      if (++calls === 1) throw new Error('not now');
      return {};
    });
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });
});

describe('a read that may lag', () => {
  const lags = async (handle: (read: () => Promise<unknown>) => Promise<Outcome<typeof EMITTED>>, commit?: Commit) => {
    const asked: boolean[] = [];
    const { get } = store.objects;
    store.objects.get = (kind, ref, options) => {
      asked.push(options?.mayLag ?? false);
      return get(kind, ref, options);
    };
    start(async (_event: unknown, { objects }: Pick<Ports, 'objects'>) => handle(() => objects.get('Release', REF, { mayLag: true })), commit && { commit });
    await publish(event());
    await until(() => emitted.length === 1);
    return asked;
  };

  it('is the newest after a conflict: what somebody else wrote in between is not missed again', async () => {
    let tries = 0;
    const commit: Commit = async (delivery, outcome) => {
      if (++tries <= 2) throw new Conflict('Release', REF);
      await store.commit(delivery, outcome);
    };
    expect(await lags(async (read) => (await read(), output()), commit)).toEqual([true, false, false]);
  });

  it('is the newest when the event is handled again', async () => {
    let tries = 0;
    const handle = async (read: () => Promise<unknown>) => {
      await read();
      if (++tries === 1) throw new Error('not now');
      return output();
    };
    expect(await lags(handle)).toEqual([true, false]);
  });
});

describe('the host gives up', () => {
  const reason = async () => (await dead()).map((letter) => letter.reason);

  it('at once on what is refused for good', async () => {
    let calls = 0;
    start(async () => {
      calls++;
      throw new Refused('There is no such project');
    });
    await publish(event());
    await until(async () => (await dead()).length === 1);
    expect(await dead()).toMatchObject([{ subscription: 'tested', attempts: 1, reason: 'There is no such project', event: { id: event().id } }]);
    expect(calls).toBe(1);
    expect(failures).toMatchObject([{ message: 'refused for good', fields: { function: 'tested', reason: 'There is no such project' } }]);
  });

  it.each([
    ['an envelope', { time: 'yesterday' }, /Not a valid CloudEvent: time/],
    ['data', { data: { namespace: 'default' } }, /Invalid data of dev\.tidemill\.artifact\.failed\.v1/],
  ])('at once on %s that is not valid: no function sees it', async (_, broken, why) => {
    let calls = 0;
    start(async () => {
      calls++;
      return {};
    });
    await publish({ ...event(), ...broken } as unknown as TidemillEvent);
    await until(async () => (await dead()).length === 1);
    expect(await reason()).toEqual([expect.stringMatching(why)]);
    expect(calls).toBe(0);
  });

  it('at once on an object that does not fit its schema, and on outputs that do not', async () => {
    await makeCounter();
    start(async (one: TidemillEvent<typeof CONSUMED>) => {
      if (one.data.reason === 'no 1') return { outputs: [{ type: EMITTED, data: { ...finished(), number: -1 } }] };
      const release = (await store.objects.get('Release', REF))!;
      return { status: { ...release, status: { history: 'none' } } as unknown as Obj };
    });
    await publish(event(0), event(1));
    await until(async () => (await dead()).length === 2);
    expect((await reason()).toSorted()).toEqual([expect.stringMatching(/^Invalid data of .*number/), expect.stringMatching(/^Release\.status\.history/)]);
    expect(await count()).toBe(0);
  });

  it.each([
    [
      'emits what the graph does not allow it',
      { outputs: [{ type: NOT_ITS, data: {} }] },
      /emitted dev\.tidemill\.artifact\.requested\.v1, which the graph does not allow it/,
    ],
    [
      'emits two events that could not be told apart',
      {
        outputs: [
          { type: EMITTED, data: finished() },
          { type: EMITTED, data: finished() },
        ],
      },
      /two events of one type with one key/,
    ],
  ])('after all attempts on a function that %s', async (_, outcome, why) => {
    start(async () => outcome as Outcome<typeof EMITTED>);
    await publish(event());
    await until(async () => (await dead()).length === 1);
    expect(await dead()).toMatchObject([{ attempts: 3, reason: expect.stringMatching(why) }]);
    expect(emitted).toEqual([]);
  });

  it('after all attempts on what fails, telling the function which attempt it is', async () => {
    const attempts: number[] = [];
    start(async (_, { attempt }: { attempt: number }) => {
      attempts.push(attempt);
      throw attempt === 2 ? new NotYet('later', 1) : new Error('broken');
    });
    await publish(event());
    await until(async () => (await dead()).length === 1);
    expect(attempts).toEqual([1, 2, 3]);
    expect(failures).toMatchObject([{ message: 'failed; it is tried again' }, { message: 'failed; it is tried again' }]);
  });

  it('never while a function only waits', async () => {
    let calls = 0;
    start(async (_, { attempt }: { attempt: number }) => {
      expect(attempt).toBe(1);
      if (++calls < 10) throw new NotYet('not its turn', 1, true);
      return output();
    });
    await publish(event());
    await until(() => emitted.length === 1);
    expect([calls, await dead()]).toEqual([10, []]);
  });
});

describe('the single effect', () => {
  it.each([1, 2, 3])('is made of deliveries that come twice and in any order (seed %i)', async (seed) => {
    await store.close();
    open({ duplicate: 0.7, reorder: 0.7, seed });
    await makeCounter();
    let calls = 0;
    start(
      async (one: TidemillEvent<typeof CONSUMED>) => {
        calls++;
        const release = (await store.objects.get('Release', REF))!;
        if (calls % 7 === 0) throw new Error('a fault after reading');
        return { ...output(`site-${one.data.reason.slice(3)}`), status: counted(release) };
      },
      { of: { ...entry, maxAttempts: 50 } },
    );
    const events = Array.from({ length: 60 }, (_, n) => event(n));
    await publish(...events, ...events);
    await publish(...events.toReversed());
    await until(async () => (await count()) === 60 && new Set(emitted.map((one) => one.id)).size === 60);
    await pause(120); // the copies come up to 50 ms later
    expect(await count()).toBe(60);
    expect(await dead()).toEqual([]);
    expect(calls).toBeGreaterThan(60);
  });
});
