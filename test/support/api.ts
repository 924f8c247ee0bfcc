// The API for tests, over a real store, real files and real git; only the runner is one whose lines a test writes itself.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '../../functions/api/api.ts';
import { createPublish } from '../../shared/host/root-events.ts';
import { functions } from '../../functions/graph.ts';
import type { TidemillEvent } from '../../shared/events/event.ts';
import { createFileSecrets } from '../../shared/host/machine/file-secrets.ts';
import { type AnyHandler, inOneTransaction, startHost } from '../../shared/host/host.ts';
import { within } from '../../shared/kubernetes/namespaces/within.ts';
import type { LogLine, Runner } from '../../shared/ports/runner.ts';
import { createGit } from '../../shared/git/git.ts';
import { createFsStorage } from '../../shared/storage/fs.ts';
import { openStore } from '../../shared/store/store.ts';

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

export interface TestApi {
  fetch(request: Request): Promise<Response>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** The JSON of a call; throws unless its status is as expected. */
  json<T = Record<string, never>>(status: number, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T>;
  store: ReturnType<typeof openStore>;
  storage: ReturnType<typeof createFsStorage>;
  secrets: ReturnType<typeof createFileSecrets>;
  published: TidemillEvent[];
  runner: ReturnType<typeof scriptedRunner>;
  close(): Promise<void>;
}

/** `run`: functions that handle what the API publishes; the others' events wait. `namespaces`: those of projects, as in a cluster. */
export function openTestApi(run: (keyof typeof functions)[] = [], more: { namespaces?: ReadonlySet<string>; siteHost?: string } = {}): TestApi {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-api-'));
  const store = openStore(':memory:');
  const { objects, broker } = store;
  const storage = createFsStorage({ directory: join(folder, 'storage') });
  const secrets = createFileSecrets(join(folder, 'secrets'));
  const git = createGit({ directory: join(folder, 'git'), allowLocal: true, credentials: () => Promise.reject(new Error('no credentials here')) });
  const runner = scriptedRunner();
  const now = () => new Date().toISOString();
  const ports = { objects, storage, runner, git, secrets };
  const load = async (name: string) => ((await import(`../../functions/${name}/handler.ts`)) as { handle: AnyHandler }).handle;
  const chosen = Object.fromEntries(run.map((name) => [name, functions[name]]));
  startHost({ functions: chosen, load, ports, broker, begin: inOneTransaction(store.commit), log: quiet, now });
  const publishNow = createPublish(broker, now);
  const published: TidemillEvent[] = [];
  const publish: typeof publishNow = async (outputs, options) => {
    const events = await publishNow(outputs, options);
    published.push(...events);
    return events;
  };
  const { namespaces, siteHost } = more;
  const prepared = namespaces && { all: () => Promise.resolve(namespaces) };
  const api = createApi({
    ...ports,
    ...(prepared && { objects: within(objects, prepared, 'default'), namespaces: prepared.all }),
    ...(siteHost && { siteHost }),
    publish,
    deadLetters: (page) => broker.deadLetters(page),
    redrive: (id) => broker.redrive(id),
    now,
    log: quiet,
    newId: randomUUID,
  });
  const call: TestApi['call'] = (method, path, body, headers = {}) =>
    api.fetch(
      new Request(`http://127.0.0.1:8433/api/v1${path}`, {
        method,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    );
  return {
    fetch: api.fetch,
    call,
    json: async (status, method, path, body, headers) => {
      const response = await call(method, path, body, headers);
      const text = await response.text();
      if (response.status !== status) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return (text ? JSON.parse(text) : undefined) as never;
    },
    store,
    storage,
    secrets,
    published,
    runner,
    close: async () => {
      await broker.stop(2000);
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Gives out the lines that a test wrote; with `follow` until the test ended the TaskRun. */
export function scriptedRunner() {
  const runs = new Map<string, { lines: LogLine[]; ended: boolean; wake: (() => void)[] }>();
  const cancelled: string[] = [];
  /** How many lines were taken by readers. */
  const taken = { count: 0 };
  const run = (name: string) => {
    const known = runs.get(name) ?? { lines: [], ended: false, wake: [] };
    runs.set(name, known);
    return known;
  };
  const wake = (name: string) => {
    for (const waiting of run(name).wake.splice(0)) waiting();
  };
  const runner: Runner = {
    start: () => Promise.resolve(),
    get: () => Promise.resolve(undefined),
    cancel: async (ref) => void cancelled.push(ref.name),
    async *logs({ name }, { after = 0, follow = false, signal } = {}) {
      for (let next = after; !signal?.aborted;) {
        const { lines, ended, wake: waiting } = run(name);
        const line = lines[next];
        if (line) {
          next++;
          taken.count++;
          yield line;
        } else if (ended || !follow) return;
        else
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
            signal?.addEventListener('abort', () => resolve(), { once: true });
          });
      }
    },
    stop: () => Promise.resolve(),
  };
  return {
    ...runner,
    cancelled,
    taken,
    say: (name: string, text: string) => {
      const { lines } = run(name);
      lines.push({ seq: lines.length + 1, step: 'main', stream: 'stdout', time: '2026-01-01T00:00:00Z', text });
      wake(name);
    },
    end: (name: string) => {
      run(name).ended = true;
      wake(name);
    },
  };
}
