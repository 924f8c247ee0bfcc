// The one process of a cluster that is always there.
import { hostname } from 'node:os';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import type { Log } from '../../../shared/host/contract.ts';
import { createDead } from '../../../shared/knative/dead.ts';
import { createLater } from '../../../shared/knative/later.ts';
import type { Broker } from '../../../shared/ports/broker.ts';
import type { S3Storage } from '../../../shared/s3/storage.ts';
import { followTaskRuns } from '../../../shared/tekton/follow-taskruns.ts';
import { taskRunEnd } from '../../../shared/tekton/taskrun/end.ts';
import { ringInbox } from '../../github-webhook/storage-inbox.ts';
import { createRepositoryWatch } from '../../repository-watch/watch.ts';
import { kubernetesLease } from '../../watcher/lease/kubernetes-lease.ts';
import { kubernetesEvents } from '../../watcher/notes/kubernetes-events.ts';
import { createWatcher } from '../../watcher/watcher.ts';
import { openAdapters } from '../adapters.ts';
import { functionAddress, openBroker } from '../broker.ts';
import { ringKeptEvents } from '../kept-events.ts';
import { runProcess } from '../process.ts';
import { sendText } from '../server.ts';
import type { Settings } from '../settings.ts';

const SECOND_MS = 1000;
/** What github-webhook, or the API, has in hand itself is left to it for so long. */
const LEFT_MS = 10_000;

await runProcess('watcher', async ({ settings, log, now, server, checks }) => {
  const adapters = openAdapters(settings, log);
  const { client, objects } = adapters;
  const [storage, secrets, git, archive] = await Promise.all([adapters.storage(), adapters.secrets(), adapters.git(), adapters.logArchive()]);
  const { broker } = await openBroker(settings, adapters, log);
  const publish = (events: readonly TidemillEvent[]) => broker.publish(events);
  const watcher = createWatcher({
    objects,
    broker,
    git,
    secrets,
    lease: kubernetesLease(client, settings.systemNamespace),
    identity: hostname(),
    taskRunEnd,
    notes: kubernetesEvents(client, hostname()),
    periodic: [inbox(storage, broker, log), ...(settings.broker === 'knative' ? [keptEvents(storage, broker, log), delayQueue(settings, storage, log)] : [])],
    ...(archive && { lasting: [{ name: 'logs', run: (signal) => followTaskRuns({ client, objects, archive, signal, log }) }] }),
    polling: () => createRepositoryWatch({ objects, git, publish, now, log }),
    now,
    log,
  });
  watcher.start();
  Object.assign(checks, {
    lease: async () => {
      const why = watcher.notReady();
      if (why) throw new Error(why);
    },
    storage: () => storage.list('inbox/', { limit: 1 }),
  });
  server.open((_request, response) => sendText(response, 404, 'The watcher is asked for nothing but /healthz and /readyz.\n'));
  return {
    stop: async (grace_ms) => {
      await watcher.stop(grace_ms);
      await broker.stop(grace_ms);
      client.close();
    },
  };
});

function inbox(storage: S3Storage, broker: Broker, log: Log) {
  return { name: 'inbox', every_ms: 5 * SECOND_MS, run: () => ringInbox(leftBefore(), { storage, broker, log }) };
}

function keptEvents(storage: S3Storage, broker: Broker, log: Log) {
  return { name: 'root events', every_ms: 5 * SECOND_MS, run: () => ringKeptEvents(leftBefore(), { storage, broker, log }) };
}

const leftBefore = () => new Date(Date.now() - LEFT_MS).toISOString();

function delayQueue(settings: Settings, storage: S3Storage, log: Log) {
  const later = createLater({ storage, address: functionAddress(settings), dead: createDead(storage), log });
  return { name: 'delay queue', every_ms: SECOND_MS, run: () => later.deliverDue(Date.now()) };
}
