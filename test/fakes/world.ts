// The event functions on the real host, objects and storage, with git and runner played by the test, and events delivered when and as often as it says.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FunctionName, functions } from '../../functions/graph.ts';
import { hookLabels, projectLabels } from '../../shared/decisions/names.ts';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { EventType } from '../../shared/events/types.ts';
import { createFileSecrets } from '../../shared/host/machine/file-secrets.ts';
import { beginWithOutbox } from '../../shared/host/outbox.ts';
import { type AnyHandler, type Commit, type Entry, inOneTransaction, startHost } from '../../shared/host/host.ts';
import type { Kind, Obj, SpecOf, StatusOf } from '../../shared/objects/kinds.ts';
import type { Broker, Delivery, Settlement } from '../../shared/ports/broker.ts';
import { createFsStorage } from '../../shared/storage/fs.ts';
import { openStore } from '../../shared/store/store.ts';
import { REPOSITORY } from './events.ts';
import { createFakeGit } from './git.ts';
import { createFakeRunner } from './runner.ts';

export type World = ReturnType<typeof openWorld>;

interface Waiting {
  to: FunctionName;
  event: TidemillEvent;
  attempt: number;
}

const MAX_DELIVERIES = 5000;
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** Each call fails before it is made, or after, when `dies` says so. */
function killed<P extends object>(port: P, dies: () => boolean): P {
  const call =
    (fn: (...args: unknown[]) => Promise<unknown>) =>
    async (...args: unknown[]) => {
      if (dies()) throw new Error('killed before');
      const result = await fn(...args);
      if (dies()) throw new Error('killed after');
      return result;
    };
  return new Proxy(port, {
    get: (target, key) =>
      typeof target[key as keyof P] === 'function' ? call((target[key as keyof P] as () => Promise<unknown>).bind(target)) : target[key as keyof P],
  });
}

/** `outbox`: as in a cluster, where objects and broker share no transaction. */
export function openWorld({ outbox }: { outbox?: 'durable' | 'doorbell' } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-world-'));
  const store = openStore(':memory:');
  const { objects } = store;
  const storage = createFsStorage({ directory: join(folder, 'storage') });
  const secrets = createFileSecrets(join(folder, 'secrets'));
  const git = createFakeGit();
  const runner = createFakeRunner(objects);
  let seconds = 0;
  const now = () => new Date(Date.UTC(2026, 10, 3, 11, 0, seconds++)).toISOString();

  const deliver = new Map<string, (delivery: Delivery) => Promise<Settlement>>();
  const events: TidemillEvent[] = [];
  const seen = new Set<string>();
  const dead: { to: string; event: TidemillEvent; reason: string }[] = [];
  const handlers = new Map<string, AnyHandler>();
  /** Called before each commit: may throw a Conflict, or write something in between. */
  const hooks: { beforeCommit?: (() => Promise<void> | void) | undefined; kill?: (() => boolean) | undefined } = {};

  const publish = (told: readonly TidemillEvent[]) => {
    for (const event of told) {
      if (seen.has(`${event.source} ${event.id}`)) continue;
      seen.add(`${event.source} ${event.id}`);
      events.push(JSON.parse(JSON.stringify(event)) as TidemillEvent);
    }
  };
  const broker: Broker = {
    publish: async (told) => publish(told),
    subscribe: ({ name }, fn) => void deliver.set(name, fn),
    deadLetters: () => Promise.resolve([]),
    redrive: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  const commit: Commit = async (_delivery, outcome) => {
    await hooks.beforeCommit?.();
    await store.commit(undefined, outcome);
    publish(outcome.events);
  };
  // With an outbox every call of a port is a place to be killed at, before it or after.
  const mortal = <P extends object>(port: P): P => (outbox ? killed(port, () => hooks.kill?.() ?? false) : port);
  const begin = outbox ? beginWithOutbox({ broker: mortal(broker), durable: outbox === 'durable', now, log: quiet }) : inOneTransaction(commit);
  const load = async (name: string) => handlers.get(name) ?? ((await import(`../../functions/${name}/handler.ts`)) as { handle: AnyHandler }).handle;
  startHost({
    functions: functions as Record<string, Entry>,
    load,
    ports: { objects: mortal(objects), storage, runner: mortal(runner), git, secrets },
    broker,
    begin,
    log: quiet,
    now,
  });

  /** Delivers one event to one function; what the host answers, or throws. `emitted`: events that were not there before. */
  const run = async (to: FunctionName, event: TidemillEvent, attempt = 1): Promise<{ settled: Settlement; emitted: TidemillEvent[] }> => {
    const before = events.length;
    const settled = await deliver.get(to)!({ event, attempt, subscription: to });
    return { settled, emitted: events.slice(before) };
  };

  const consumers = (type: EventType) =>
    (Object.keys(functions) as FunctionName[]).filter((name) => (functions[name].consumes as readonly EventType[]).includes(type));

  let delivered = 0;
  const waiting: Waiting[] = [];
  const enqueueNew = (except: readonly string[]) => {
    for (; delivered < events.length; delivered++) {
      const event = events[delivered]!;
      for (const to of consumers(event.type)) if (!except.includes(to)) waiting.push({ to, event, attempt: 1 });
    }
  };

  /** Delivers all that was published, and what follows from it, until nothing is left; `pick` chooses which of so many is next. */
  const drain = async ({ pick = () => 0, except = ['hook-dispatch', 'hook-delivery'] }: { pick?: (count: number) => number; except?: string[] } = {}) => {
    enqueueNew(except);
    for (let n = 0; waiting.length > 0; n++) {
      if (n > MAX_DELIVERIES) throw new Error(`Nothing comes to an end: ${waiting.map(({ to, event }) => `${to} ${event.type}`).join(', ')}`);
      const [one] = waiting.splice(pick(waiting.length), 1) as [Waiting];
      const { settled } = await run(one.to, one.event, one.attempt).catch((error: unknown) => ({
        settled: { kind: 'retry', after_ms: 0, reason: String(error) } as Settlement,
      }));
      if (settled.kind === 'retry') {
        const attempt = one.attempt + (settled.waiting ? 0 : 1);
        const most = (functions[one.to] as Entry).maxAttempts ?? 10;
        if (attempt > most) dead.push({ ...one, reason: settled.reason });
        else waiting.push({ ...one, attempt });
      } else if (settled.kind === 'dead') dead.push({ ...one, reason: settled.reason });
      enqueueNew(except);
    }
  };

  const get = async <K extends Kind>(kind: K, name: string): Promise<Obj<K>> => {
    const found = await objects.get(kind, { namespace: 'default', name });
    if (!found) throw new Error(`There is no ${kind} ${name}`);
    return found;
  };

  return {
    store,
    objects,
    storage,
    secrets,
    git,
    runner,
    events,
    dead,
    hooks,
    handlers,
    publish,
    run,
    drain,
    get,
    all: async <K extends Kind>(kind: K): Promise<Obj<K>[]> => (await objects.list(kind)).items,
    /** All objects, without what differs with each write: to compare two ways of getting there. */
    picture: async (kinds: Kind[] = ['Push', 'Lane', 'Execution', 'Artifact', 'Release']) => {
      const of = await Promise.all(kinds.map(async (kind) => (await objects.list(kind)).items));
      return of.flat().map(({ kind, metadata: { name, labels }, spec, status }) => ({ kind, name, labels, spec, status }));
    },
    types: (told: TidemillEvent[] = events) => told.map((event) => event.type.replace(/^dev\.tidemill\.|\.v1$/g, '')),
    project: (name = 'site', spec: Partial<SpecOf<'Project'>> = {}, status: StatusOf<'Project'> = { defaultBranch: 'main' }): Promise<Obj<'Project'>> => {
      const whole = { source: { url: REPOSITORY }, ...spec };
      return objects.create<'Project'>({ kind: 'Project', metadata: { name, namespace: 'default', labels: projectLabels(whole) }, spec: whole, status });
    },
    hook: async (name: string, spec: Omit<SpecOf<'Hook'>, 'secret'>, secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`): Promise<Obj<'Hook'>> => {
      const whole = { ...spec, secret: `hook.${name}` };
      await secrets.set(whole.secret, secret);
      return objects.create<'Hook'>({ kind: 'Hook', metadata: { name, namespace: 'default', labels: hookLabels(whole) }, spec: whole });
    },
    close: async () => {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
