// A watcher on a real API server, that sees one namespace of the test's own; its broker records.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { sayUnfit } from '../../../functions/watcher/changes/unfit.ts';
import { withSharedWatches } from '../../../functions/watcher/follow/shared.ts';
import { kubernetesLease } from '../../../functions/watcher/lease/kubernetes-lease.ts';
import { kubernetesEvents } from '../../../functions/watcher/notes/kubernetes-events.ts';
import { createWatcher, type Watcher, type WatcherOptions } from '../../../functions/watcher/watcher.ts';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { createKubernetesObjects, type KubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import type { Kind, Obj } from '../../../shared/objects/kinds.ts';
import type { Broker } from '../../../shared/ports/broker.ts';
import { followTaskRuns } from '../../../shared/tekton/follow-taskruns.ts';
import type { LogArchive } from '../../../shared/tekton/logs/archive.ts';
import { taskRunEnd } from '../../../shared/tekton/taskrun/end.ts';
import { sha } from '../../fakes/events.ts';

export const HEADS = [
  { ref: 'refs/heads/main', sha: sha('a') },
  { ref: 'refs/heads/next', sha: sha('b') },
];
const quiet = { info() {}, warn() {}, error() {} };
const run = promisify(execFile);

/** The client with streams that can be cut, as a lost connection cuts them. */
export function cuttable(client: KubeClient): KubeClient & { cut(): void; streams(of?: string): number } {
  const cuts = new Map<() => void, string>();
  return {
    ...client,
    stream: async function* (path, options) {
      const lost = Promise.withResolvers<never>();
      lost.promise.catch(() => undefined);
      const cut = () => lost.reject(new KubeError({ status: 0, reason: 'NoAnswer', message: `${path}: the test cut it`, uncertain: false }));
      cuts.set(cut, path);
      const stop = new AbortController();
      const signal = options?.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
      const lines = client.stream(path, { ...options, signal });
      try {
        for (;;) {
          const { done, value } = await Promise.race([lines.next(), lost.promise]);
          if (done) return;
          yield value;
        }
      } finally {
        cuts.delete(cut);
        stop.abort();
      }
    },
    streams: (of = '') => [...cuts.values()].filter((path) => path.endsWith(of)).length,
    cut: () => {
      for (const cut of cuts.keys()) cut();
    },
  };
}

/** Objects whose watches see this namespace alone: the cluster is others' too. */
function within(namespace: string, objects: KubernetesObjects): KubernetesObjects {
  return { ...objects, watch: (kind, options) => objects.watch(kind, { ...options, namespace }) };
}

export type More = Partial<WatcherOptions> & {
  /** Where the logs of TaskRuns are followed into. Absent: they are not. */
  logs?: LogArchive;
};

/** A watcher that is not started yet; several of one lease are candidates. */
export function candidate(client: KubeClient, namespace: string, broker: Broker, identity: string, { logs, ...more }: More = {}): Watcher {
  const now = () => new Date().toISOString();
  const seen = within(namespace, createKubernetesObjects({ client, log: quiet, onUnfit: (unfit) => watcher.unfit(unfit), watch: { timeout_ms: 5000 } }));
  const objects = withSharedWatches(seen, ['TaskRun', 'Project']);
  const followed = (archive: LogArchive) => ({ name: 'logs', run: (signal: AbortSignal) => followTaskRuns({ client, objects, archive, signal, log: quiet }) });
  const watcher: Watcher = createWatcher({
    objects,
    broker,
    lease: kubernetesLease(client, namespace),
    identity,
    git: { heads: async () => ({ heads: HEADS, defaultBranch: 'main' }) },
    secrets: { delete: async () => undefined },
    taskRunEnd,
    notes: kubernetesEvents(client, identity),
    sayUnfit: sayUnfit(client, now),
    lasting: logs ? [followed(logs)] : [],
    now,
    log: quiet,
    times: { unresolved_ms: 3000, stuck_ms: 3000, outbox_ms: 2000 },
    election: { duration_ms: 3000, deadline_ms: 2000, retry_ms: 300 },
    ...more,
  });
  return watcher;
}

export function newClient(): KubeClient {
  return createKubeClient({ connect: anywhere() });
}

/** kubectl in a namespace; YAML or JSON goes to its standard input. Throws with what it printed. */
export async function kubectl(namespace: string, args: string[], input?: object): Promise<string> {
  const child = run('kubectl', ['-n', namespace, ...args], { maxBuffer: 10_000_000 });
  child.child.stdin?.end(input === undefined ? '' : JSON.stringify(input));
  return (await child).stdout;
}

export const apply = (namespace: string, kind: string, name: string, spec: object, apiVersion = 'tidemill.dev/v1alpha1') =>
  kubectl(namespace, ['apply', '-f', '-'], { apiVersion, kind, metadata: { name, namespace }, spec });

export async function read<K extends Kind>(client: KubeClient, kind: K, namespace: string, name: string): Promise<Obj<K> | undefined> {
  return createKubernetesObjects({ client }).get(kind, { namespace, name });
}
