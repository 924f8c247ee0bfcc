// What stands behind the port: the adapters of one machine, the functions of the graph, and what brings them their events.
import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { dataPaths } from '../../shared/host/machine/data-folder.ts';
import type { Log } from '../../shared/host/contract.ts';
import { createPublish } from '../../shared/host/root-events.ts';
import { type AnyHandler, inOneTransaction, startHost } from '../../shared/host/host.ts';
import { keepTime } from '../../shared/ticks/clock.ts';
import type { GithubWebhook } from '../github-webhook/accept.ts';
import { functions, ticks } from '../graph.ts';
import { createRepositoryWatch } from '../repository-watch/watch.ts';
import { type AdapterOptions, openAdapters } from './adapters.ts';
import { type Api, lazyApi, type LazySite, lazySite } from './lazy.ts';
import { siteLinks } from './site-links.ts';
import { createWebhook } from './webhook.ts';

export interface CoreOptions {
  paths: ReturnType<typeof dataPaths>;
  log: Log;
  webhookSecret: string;
  /** Address of the site of a host label. */
  address: (label: string) => string;
  /** TaskRuns at once. Default: one for each two processors, two at least. */
  slots?: number | undefined;
  instrument?: AdapterOptions['instrument'];
}

export interface Core {
  webhook: GithubWebhook;
  site: LazySite['serve'];
  api: Api;
  sites: () => Promise<{ name: string; url: string }[]>;
  isolation: () => Promise<string>;
  /** Lets what is in hand finish for at most so long. */
  close(grace_ms: number): Promise<void>;
}

/** What a cluster has tidemill's own in: a tick's source names it. */
const NAMESPACE = 'tidemill-system';

/** Throws StoreError when another server has the folder. What was under way goes on when it resolves. */
export async function openCore(options: CoreOptions): Promise<Core> {
  const { paths, log, webhookSecret } = options;
  const now = () => new Date().toISOString();
  const slots = options.slots ?? Math.max(2, Math.ceil(availableParallelism() / 2));
  const adapters = openAdapters({ paths, log, now, slots, instrument: options.instrument });
  const { objects, storage, runner, git, secrets, broker, commit } = adapters;
  const ports = { objects, storage, runner, git, secrets };

  startHost({ functions, load: loadHandler, ports, broker, begin: inOneTransaction(commit), log, now });
  const webhook = await createWebhook({ directory: join(paths.root, 'inbox'), secret: () => webhookSecret, storage, broker, log });
  const site = lazySite({ objects, storage, log });
  const watch = createRepositoryWatch({ objects, git, publish: (events) => broker.publish(events), now, log });
  webhook.drain();
  await adapters.recover();
  watch.start();
  const closing = new AbortController();
  const clock = keepTime({ ticks, namespace: NAMESPACE, broker, now, log, signal: closing.signal });
  const { accept, deadLetters, redrive } = webhook;
  return {
    webhook: accept,
    site: site.serve,
    api: lazyApi({ ...ports, publish: createPublish(broker, now), deadLetters, redrive, now, log, newId: randomUUID }),
    sites: () => siteLinks(objects, options.address),
    isolation: adapters.isolation,
    close: async (grace_ms) => {
      const until = Date.now() + grace_ms;
      const left = () => Math.max(0, until - Date.now());
      closing.abort();
      await Promise.all([watch.stop(), site.close(), clock]);
      await webhook.close();
      await broker.stop(left());
      await runner.stop(left());
      await adapters.close();
    },
  };
}

async function loadHandler(name: string): Promise<AnyHandler> {
  const module = (await import(`../${name}/handler.ts`)) as { handle: AnyHandler };
  return module.handle;
}
