// The one process of a cluster that is always there.
import { hostname } from 'node:os';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import { createArchive } from '../../../shared/host/archive.ts';
import type { Log } from '../../../shared/host/contract.ts';
import { createDead } from '../../../shared/knative/dead.ts';
import { createLater } from '../../../shared/knative/later.ts';
import type { Broker } from '../../../shared/ports/broker.ts';
import type { S3Storage } from '../../../shared/s3/storage.ts';
import { followTaskRuns } from '../../../shared/tekton/follow-taskruns.ts';
import { secretReader } from '../../../shared/tekton/logs/secrets.ts';
import { taskRunEnd } from '../../../shared/tekton/taskrun/end.ts';
import { keepTime } from '../../../shared/ticks/clock.ts';
import { ringInbox } from '../../github-webhook/storage-inbox.ts';
import { ticks } from '../../graph.ts';
import { createRepositoryWatch } from '../../repository-watch/watch.ts';
import { withSharedWatches } from '../../watcher/follow/shared.ts';
import { kubernetesLease } from '../../watcher/lease/kubernetes-lease.ts';
import { kubernetesEvents } from '../../watcher/notes/kubernetes-events.ts';
import type { Periodic } from '../../watcher/rings/periodic.ts';
import { sayUnfit } from '../../watcher/changes/unfit.ts';
import { createWatcher, type Watcher } from '../../watcher/watcher.ts';
import { openFollowing } from '../adapters.ts';
import { functionAddress, openBroker } from '../broker.ts';
import { ringKeptEvents } from '../kept-events.ts';
import { runProcess } from '../process.ts';
import { sendText } from '../server.ts';
import type { Settings } from '../settings.ts';

const SECOND_MS = 1000;
/** What JetStream takes is taken at once. */
const AT_ONCE_MS = 10_000;
/** A publish on Knative lasts until all who hear of it have answered, with those who had to be woken for it. */
const DOORBELL_MS = 60_000;
/** JetStream delivers a cause until what it came to is published: what stands in an outbox so long has been told, unless the server lost it. */
const INSURANCE_MS = 600_000;

void runProcess('watcher', async ({ settings, log, now, server, checks }) => {
  const watching: { watcher?: Watcher } = {};
  const adapters = openFollowing(settings, log, (unfit) => watching.watcher?.unfit(unfit));
  const { client, namespaces } = adapters;
  // The duties and those who follow logs and repositories hear of the same.
  const objects = withSharedWatches(adapters.objects, ['TaskRun', 'Project']);
  const [storage, secrets, git, logs] = await Promise.all([adapters.storage(), adapters.secrets(), adapters.git(), adapters.logArchive()]);
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
    periodic: periodicOf(settings, storage, broker, log),
    times: { outbox_ms: settings.broker === 'knative' ? DOORBELL_MS : INSURANCE_MS },
    lasting: [
      ...(logs
        ? [{ name: 'logs', run: (signal: AbortSignal) => followTaskRuns({ client, objects, archive: logs, readSecret: secretReader(client), signal, log }) }]
        : []),
      // On Knative each tick has a PingSource.
      ...(settings.broker === 'jetstream'
        ? [{ name: 'clock', run: (signal: AbortSignal) => keepTime({ ticks, namespace: settings.systemNamespace, broker, now, log, signal }) }]
        : []),
    ],
    ...(logs && {
      archive: { archive: createArchive({ storage }), isLogged: (ref) => logs.isWhole(ref) },
    }),
    // The repositories of a pod's own disk are nobody's.
    polling: () => createRepositoryWatch({ objects, git, publish, now, log, home: settings.systemNamespace, allowLocal: false }),
    sayUnfit: sayUnfit(client, now),
    now,
    log,
  });
  watching.watcher = watcher;
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
      namespaces.stop();
      client.close();
    },
  };
});

function periodicOf(settings: Settings, storage: S3Storage, broker: Broker, log: Log): Periodic[] {
  const left = { storage, broker, log };
  const isDoorbell = settings.broker === 'knative';
  // What a process that took it has in hand itself is left to it for so long.
  const before = () => new Date(Date.now() - (isDoorbell ? DOORBELL_MS : AT_ONCE_MS)).toISOString();
  const inbox = { name: 'inbox', every_ms: 5 * SECOND_MS, run: () => ringInbox(before(), left) };
  if (!isDoorbell) return [inbox];
  const later = createLater({ storage, address: functionAddress(settings), dead: createDead(storage), log });
  return [
    inbox,
    { name: 'root events', every_ms: 5 * SECOND_MS, run: () => ringKeptEvents(before(), left) },
    { name: 'delay queue', every_ms: SECOND_MS, run: () => later.deliverDue(Date.now()) },
  ];
}
