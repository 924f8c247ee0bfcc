// A server of one machine: the port answers at once, and what stands behind it is loaded while the first requests may wait.
import { mkdir } from 'node:fs/promises';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { dataPaths, removeServerInfo, writeServerInfo } from '../../shared/host/machine/data-folder.ts';
import type { Log } from '../../shared/host/contract.ts';
import type { AdapterOptions } from './adapters.ts';
import type { Core, CoreOptions } from './core.ts';
import { keepSecret } from './keep-secret.ts';
import { createListener } from './listener/listener.ts';

export interface ServerOptions {
  /** The data folder. Made where there is none. */
  data: string;
  /** Port wanted; a free one is taken where it is in use, and 0 asks for any. */
  port: number;
  log: Log;
  /** TaskRuns at once. Default: one for each two processors, two at least. */
  slots?: number;
  /** Overrides the secret of the data folder: TIDEMILL_WEBHOOK_SECRET. */
  webhookSecret?: string;
  /** For tests: stands between each adapter and those who use it. */
  instrument?: AdapterOptions['instrument'];
}

export interface RunningServer {
  /** http://localhost:PORT */
  url: string;
  port: number;
  token: string;
  webhookSecret: string;
  /** The data folder was made by this start. */
  firstStart: boolean;
  /** What a runner here isolates, and what not: a sentence. */
  isolation: () => Promise<string>;
  /** Takes nothing more, lets what is in hand finish for so long, and closes. What was running goes on at the next start. */
  close(grace_ms: number): Promise<void>;
}

/** Whoever waits for the port is answered before the first import takes the event loop. */
const FIRST_ANSWERS_MS = 3;
/** Of the grace, for answers that are on their way. */
const LISTENER_SHARE = 0.5;

/** Resolves when all of it is ready. Throws when the folder is another server's, or cannot be used. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log } = options;
  const paths = dataPaths(options.data);
  const firstStart = (await mkdir(paths.root, { recursive: true, mode: 0o700 })) !== undefined;
  const [token, webhookSecret] = await Promise.all([keepSecret(paths.token), options.webhookSecret ?? keepSecret(paths.webhookSecret)]);

  const opening = Promise.withResolvers<Core>();
  const listener = await listen(opening.promise, { token, port: options.port, log });
  const address = (label: string) => `http://${label}.localhost:${listener.port}/`;
  try {
    const { openCore } = await loadCore();
    const { slots, instrument } = options;
    opening.resolve(await openCore({ paths, log, webhookSecret, address, slots, instrument } satisfies CoreOptions));
  } catch (error) {
    opening.reject(error);
    await listener.close(0);
    throw error;
  }
  const core = await opening.promise;
  await writeServerInfo(paths.root, { url: listener.url, pid: process.pid, startedAt: new Date().toISOString() });
  return {
    url: listener.url,
    port: listener.port,
    token,
    webhookSecret,
    firstStart,
    isolation: core.isolation,
    close: async (grace_ms) => {
      const until = Date.now() + grace_ms;
      await listener.close(grace_ms * LISTENER_SHARE);
      await core.close(Math.max(0, until - Date.now()));
      await removeServerInfo(paths.root);
    },
  };
}

/** In pieces, so that the port answers /healthz in between: an import keeps the event loop until all of it is there. */
async function loadCore() {
  const pieces = [() => import('../../shared/objects/kinds.ts'), () => import('../../shared/store/store.ts'), () => import('./adapters.ts')];
  await sleep(FIRST_ANSWERS_MS);
  for (const load of pieces) {
    await load();
    await turn();
  }
  return import('./core.ts');
}

/** A listener whose requests wait for the core while that is being opened. */
async function listen(opening: Promise<Core>, options: { token: string; port: number; log: Log }) {
  let core: Core | undefined;
  // Whoever started the server is told of a failure; the requests that wait end with the listener.
  opening.then((opened) => (core = opened)).catch(() => undefined);
  return createListener({
    ...options,
    webhook: (request, response) => (core ? core.webhook(request, response) : opening.then(({ webhook }) => webhook(request, response))),
    site: (request, response, label) => (core ? core.site(request, response, label) : opening.then(({ site }) => site(request, response, label))),
    api: async (request) => (await opening).api(request),
    sites: async () => (await opening).sites(),
    notReady: () => (core ? undefined : 'starting: the store is being opened, and what was under way is taken up again'),
  });
}
