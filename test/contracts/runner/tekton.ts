// A runner on the cluster of KUBECONFIG, in a namespace of its own that goes with it, for tests.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { type KubeClient, createKubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import type { TidemillEvent } from '../../../shared/events/event.ts';
import { taskRunEnd } from '../../../shared/tekton/taskrun/end.ts';
import { type RawTaskRun, taskRunOf, taskRunPath } from '../../../shared/tekton/taskrun/object.ts';
import { secretReader } from '../../../shared/tekton/logs/secrets.ts';
import { type TektonRunnerOptions, createTektonRunner } from '../../../shared/tekton/runner.ts';
import { fromEnv } from '../../cluster/env.ts';
import type { RunnerUnderTest } from '../runner.ts';

export interface TektonUnderTest extends RunnerUnderTest {
  client: KubeClient;
}

/** The service account of a new namespace is there a moment after it, and no pod starts before. */
const READY_MS = 30_000;

export async function openTektonRunner(options: Partial<TektonRunnerOptions> = {}): Promise<TektonUnderTest> {
  fromEnv('KUBECONFIG');
  const image = fromEnv('TIDEMILL_TEST_BUILD_IMAGE');
  const client = createKubeClient({ connect: anywhere() });
  const namespace = await createNamespace(client);
  const controller = new AbortController();
  const events: TidemillEvent[] = [];
  const telling = tell(client, namespace, events, controller.signal);
  const runner = createTektonRunner({ client, readSecret: secretReader(client), ...options });
  const apply = (path: string, body: object) => ignoreExisting(client.request('POST', path, { body }));
  return {
    runner,
    client,
    namespace,
    image,
    poll_ms: 300,
    short: '30s',
    events: () => events,
    async provide({ secrets = {}, configMaps = {}, stepActions = {} }) {
      const core = `/api/v1/namespaces/${namespace}`;
      for (const [name, stringData] of Object.entries(secrets)) await apply(`${core}/secrets`, { metadata: { name }, stringData });
      for (const [name, data] of Object.entries(configMaps)) await apply(`${core}/configmaps`, { metadata: { name }, data });
      for (const [name, spec] of Object.entries(stepActions))
        await apply(`/apis/tekton.dev/v1beta1/namespaces/${namespace}/stepactions`, {
          apiVersion: 'tekton.dev/v1beta1',
          kind: 'StepAction',
          metadata: { name },
          spec: { image, ...spec },
        });
    },
    async close() {
      controller.abort();
      await telling;
      await runner.stop(500);
      await client.request('DELETE', `/api/v1/namespaces/${namespace}`);
      client.close();
    },
  };
}

async function createNamespace(client: KubeClient): Promise<string> {
  const namespace = `runner-${randomBytes(4).toString('hex')}`;
  await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  for (let waited = 0; waited < READY_MS; waited += 100, await sleep(100)) {
    try {
      await client.request('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`);
      return namespace;
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 404)) throw error;
    }
  }
  throw new Error(`namespace ${namespace} got no service account within ${READY_MS} ms`);
}

/** What the watcher of a cluster tells, made of the same parts. */
async function tell(client: KubeClient, namespace: string, events: TidemillEvent[], signal: AbortSignal): Promise<void> {
  try {
    for await (const line of client.stream(taskRunPath(namespace), { query: { watch: true }, signal })) {
      const { object } = JSON.parse(line) as { object: RawTaskRun };
      const event = taskRunEnd(taskRunOf(object));
      if (event && !events.some((told) => told.id === event.id)) events.push(event);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function ignoreExisting(request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!(error instanceof KubeError && error.reason === 'AlreadyExists')) throw error;
  });
}
