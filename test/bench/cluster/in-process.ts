// The functions between a webhook and its TaskRun in this process, on the cluster's API server, NATS and S3, with every request to the API server counted.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { functions } from '../../../functions/graph.ts';
import { handle as artifactRequested } from '../../../functions/artifact-requested/handler.ts';
import { handle as artifactResolved } from '../../../functions/artifact-resolved/handler.ts';
import { handle as gitPush } from '../../../functions/git-push/handler.ts';
import { createStorageInbox } from '../../../functions/github-webhook/storage-inbox.ts';
import { handle as hookDispatch } from '../../../functions/hook-dispatch/handler.ts';
import { executionName, projectLabels, pushName, taskRunName } from '../../../shared/decisions/names.ts';
import type { Log, Ports } from '../../../shared/host/contract.ts';
import { type AnyHandler, type Entry, startHost } from '../../../shared/host/host.ts';
import { beginWithOutbox } from '../../../shared/host/outbox.ts';
import { createGit } from '../../../shared/git/git.ts';
import { createJetStreamBroker } from '../../../shared/jetstream/broker.ts';
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { createKubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import type { SpecOf } from '../../../shared/objects/kinds.ts';
import { createS3Storage } from '../../../shared/s3/storage.ts';
import { createTektonRunner } from '../../../shared/tekton/runner.ts';
import { TASK_RUN_DEFAULTS } from '../../../shared/tekton/taskrun/defaults.ts';
import { startGitServer } from '../../contracts/git-server.ts';
import { pushBody } from '../../support/github.ts';
import { createRepository } from '../../support/repository.ts';
import { fromEnv } from '../../cluster/env.ts';
import { someSha } from './cold-chain.ts';
import type { Ground } from './ground.ts';
import { removePushes, removeStreams } from './installed.ts';

export interface InProcess {
  /** One webhook, verified already. Resolves when every function has handled what came of it. */
  push(): Promise<{ ms: number; requests: number; events: number }>;
  /** From now on other branches are pushed, each of them once before this resolves: lanes as long as those of the time before. */
  otherBranches(): Promise<void>;
}

const PROJECT = 'kept';
const BRANCHES = 16;
const LIMIT_MS = 60_000;
const HANDLERS: Record<string, unknown> = {
  'git-push': gitPush,
  'artifact-requested': artifactRequested,
  'artifact-resolved': artifactResolved,
  'hook-dispatch': hookDispatch,
};
/** What hook-dispatch hears of at the end of a push. */
const LAST = 'dev.tidemill.execution.started.v1';

export const quiet: Log = { info: () => {}, warn: () => {}, error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`) };

/** The client with its requests counted. */
export function counting(client: KubeClient): { client: KubeClient; count(): number } {
  let requests = 0;
  const request: KubeClient['request'] = (...call) => {
    requests += 1;
    return client.request(...call);
  };
  return { client: { ...client, request }, count: () => requests };
}

export async function openInProcess(ground: Ground, namespace: string, bucket: string): Promise<InProcess> {
  const { later } = ground;
  const { client, count } = counting(ground.client);
  const objects = createKubernetesObjects({ client, log: quiet });
  const directory = mkdtempSync(join(tmpdir(), 'tidemill-bench-git-'));
  later('git folder', async () => rmSync(directory, { recursive: true, force: true }));
  const repository = createRepository({ 'readme.md': 'pushed again and again\n' });
  later('repository', async () => repository.remove());
  const server = await startGitServer({ root: dirname(repository.path) });
  later('git server', () => server.close());
  const url = `${server.url}/${basename(repository.path)}`;
  const git = createGit({ directory, credentials: async () => Promise.reject(new Error('none is needed')), allowLocal: false });
  const runner = createTektonRunner({ client, own: { image: 'tidemill:bench', bytesUrl: 'http://bytes' }, defaults: TASK_RUN_DEFAULTS });
  const wired = Object.fromEntries(Object.entries(functions).filter(([name]) => name in HANDLERS)) as Record<string, Entry>;
  const subscriptions = Object.entries(wired).map(([name, { consumes }]) => ({ name, types: consumes }));
  const broker = createJetStreamBroker({ url: fromEnv('TIDEMILL_TEST_NATS_URL'), prefix: namespace, subscriptions, log: quiet });
  later('streams', () => removeStreams(namespace));
  later('broker', () => broker.stop(5000));
  const now = () => new Date().toISOString();
  const ended = new Map<string, () => void>();
  let events = 0;
  startHost({
    functions: wired,
    load: async (name) => HANDLERS[name] as AnyHandler,
    ports: { objects, git, runner } as unknown as Ports,
    broker: {
      ...broker,
      subscribe: (subscription, deliver) =>
        broker.subscribe(subscription, async (delivery) => {
          const settlement = await deliver(delivery);
          events += 1;
          const { type, subject = '' } = delivery.event as { type: string; subject?: string };
          if (type === LAST) ended.get(subject)?.();
          return settlement;
        }),
    },
    begin: beginWithOutbox({ broker, durable: true, now, log: quiet }),
    log: quiet,
    now,
  });
  const taskSpec = { steps: [{ name: 'hello', image: 'busybox', script: 'echo hello\n' }] };
  const spec: SpecOf<'Project'> = {
    source: { url },
    lane: { mode: 'parallel', slots: 100 },
    stages: [{ name: 'build', steps: [{ name: 'hello', taskSpec }] }],
  };
  await objects.create({ kind: 'Project', metadata: { name: PROJECT, namespace, labels: projectLabels(spec) }, spec });
  later('pushes', () => removePushes(ground, url));
  const sha = repository.git('rev-parse', 'HEAD');
  const inbox = createStorageInbox({ storage: createS3Storage({ endpoint: fromEnv('TIDEMILL_TEST_S3_ENDPOINT'), bucket }), broker, log: quiet, durable: true });
  let told = 0;
  let block = 0;
  const push: InProcess['push'] = async () => {
    const ref = `refs/heads/branch-${block}-${told++ % BRANCHES}`;
    const before = someSha();
    const execution = executionName(PROJECT, pushName(url, ref, before, sha, 0));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    ended.set(execution, resolve);
    const timer = setTimeout(
      () => reject(new Error(`Nothing came of a push within ${LIMIT_MS / 1000} s; wanted ${taskRunName(execution, 'build', 'hello')}`)),
      LIMIT_MS,
    );
    const at = { events, requests: count() };
    const began = performance.now();
    const body = pushBody({ repository: url, ref, before, after: sha, pushedAt: 1_790_000_000 + told });
    await inbox.append({ event: 'push', delivery: undefined, contentType: 'json', received: now() }, { chunks: [body], bytes: body.length, crc: 0 });
    await promise;
    clearTimeout(timer);
    ended.delete(execution);
    return { ms: performance.now() - began, requests: count() - at.requests, events: events - at.events };
  };
  return {
    push,
    otherBranches: async () => {
      block += 1;
      for (let i = 0; i < BRANCHES; i++) await push();
    },
  };
}
