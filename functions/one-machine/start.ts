// Everything in one process: the adapters of one machine, the functions of the graph, and one port for all of it.
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { dataPaths, removeServerInfo, writeServerInfo } from '../../shared/host/data-folder.ts';
import type { Log } from '../../shared/host/contract.ts';
import { type AnyHandler, startHost } from '../../shared/host/host.ts';
import { functions } from '../graph.ts';
import { createWebhook } from './webhook.ts';
import { type AdapterOptions, openAdapters } from './adapters.ts';
import { keepSecret } from './keep-secret.ts';
import { createListener } from './listener/listener.ts';
import { lazyApi, lazySite } from './lazy.ts';
import { createPublish } from './publish.ts';
import { createRepositoryWatch } from '../repository-watch/watch.ts';
import { siteLinks } from './site-links.ts';

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

const DRAIN_SHARE = 0.5;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log } = options;
  const paths = dataPaths(options.data);
  const firstStart = (await mkdir(paths.root, { recursive: true, mode: 0o700 })) !== undefined;
  const now = () => new Date().toISOString();
  const [token, webhookSecret] = await Promise.all([keepSecret(paths.token), options.webhookSecret ?? keepSecret(paths.webhookSecret)]);
  const adapters = openAdapters({ paths, log, now, slots: options.slots ?? Math.max(2, Math.ceil(availableParallelism() / 2)), instrument: options.instrument });
  const { objects, storage, runner, git, secrets, broker, commit } = adapters;
  const ports = { objects, storage, runner, git, secrets };

  startHost({ functions, load: loadHandler, ports, broker, commit, log, now });
  const webhook = await createWebhook({ directory: join(paths.root, 'inbox'), secret: () => webhookSecret, storage, broker, log });
  const publish = createPublish(broker, now);
  let port = options.port;
  const address = (label: string) => `http://${label}.localhost:${port}/`;
  const listener = await createListener({
    webhook: webhook.accept,
    site: lazySite({ objects, storage, log }),
    api: lazyApi({ ...ports, publish, deadLetters: webhook.deadLetters, redrive: webhook.redrive, now, log, newId: randomUUID }),
    token,
    port: options.port,
    log,
    sites: () => siteLinks(objects, address),
  });
  port = listener.port;
  await writeServerInfo(paths.root, { url: listener.url, pid: process.pid, startedAt: now() });

  webhook.drain();
  await adapters.recover();
  const watch = createRepositoryWatch({ objects, git, publish: (events) => broker.publish(events), now, log });
  watch.start();
  return {
    url: listener.url,
    port,
    token,
    webhookSecret,
    firstStart,
    isolation: adapters.isolation,
    close: async (grace_ms) => {
      const until = Date.now() + grace_ms;
      const left = () => Math.max(0, until - Date.now());
      await watch.stop();
      await listener.close(left() * DRAIN_SHARE);
      await webhook.close();
      await broker.stop(left());
      await runner.stop(left());
      await removeServerInfo(paths.root);
      await adapters.close();
    },
  };
}

async function loadHandler(name: string): Promise<AnyHandler> {
  const module = (await import(`../${name}/handler.ts`)) as { handle: AnyHandler };
  return module.handle;
}
