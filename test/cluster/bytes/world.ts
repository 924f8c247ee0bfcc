// What stands around the edge `bytes` in its tests: a namespace of a project with its service account, a private repository, a bucket, and the edge itself.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bytes, createBytes } from '../../../functions/bytes/bytes.ts';
import { completeStages } from '../../../shared/decisions/plan/steps.ts';
import { stageTaskRuns } from '../../../shared/decisions/taskruns.ts';
import { anywhere } from '../../../shared/kubernetes/client/anywhere.ts';
import { createKubeClient, type KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../../shared/kubernetes/client/error.ts';
import { createKubernetesObjects, type KubernetesObjects } from '../../../shared/kubernetes/objects/objects.ts';
import { createKubernetesSecrets } from '../../../shared/kubernetes/secrets.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { API_VERSION } from '../../../shared/objects/meta.ts';
import type { Step } from '../../../shared/objects/pipeline.ts';
import { isDone, type TaskSpec } from '../../../shared/objects/taskrun.ts';
import type { Runner } from '../../../shared/ports/runner.ts';
import { createS3Storage, type S3Storage } from '../../../shared/s3/storage.ts';
import { createTektonRunner } from '../../../shared/tekton/runner.ts';
import { TASK_RUN_DEFAULTS } from '../../../shared/tekton/taskrun/defaults.ts';
import { makeRepository, type TestRepository } from '../../contracts/git-repository.ts';
import { type GitServer, startGitServer } from '../../contracts/git-server.ts';
import { fromEnv } from '../env.ts';
import { ensureCrds } from '../objects/crds.ts';
import { dropNamespaces, makeNamespaces } from '../objects/namespaces.ts';
import { makeBucket, type TestBucket } from '../s3/bucket.ts';
import { withStepProgram } from './step-image.ts';

export const PASSWORD = 'not-for-any-eyes-7f3a';
const WAIT_MS = 120_000;

export interface World {
  namespace: string;
  client: KubeClient;
  objects: KubernetesObjects;
  storage: S3Storage;
  store: TestBucket;
  runner: Runner;
  git: GitServer;
  repository: TestRepository;
  image: string;
  /** Address of the edge. */
  url: string;
  /** Every line that the edge logged, as JSON. */
  logged: string[];
  /** Makes an Execution that runs, of this one step, and starts its TaskRun. */
  begin(name: string, task: TaskSpec, more?: Partial<Step> & { sha?: string; url?: string; credential?: string }): Promise<Begun>;
  /** The pod of a TaskRun, once its containers run. */
  podOf(taskRun: string): Promise<{ name: string; uid: string }>;
  ended(taskRun: string): Promise<Obj<'TaskRun'>>;
  /** A real token for the service account, bound to the pod where there is one. */
  token(pod?: { name: string; uid: string }, options?: { audience?: string; account?: string }): Promise<string>;
  /** A pod that sleeps. */
  pod(name: string, spec?: object, metadata?: object): Promise<{ name: string; uid: string }>;
  dispose(): Promise<void>;
}

export interface Begun {
  execution: Obj<'Execution'>;
  taskRun: string;
}

export async function makeWorld(): Promise<World> {
  const host = fromEnv('TIDEMILL_TEST_HOST');
  const image = fromEnv('TIDEMILL_TEST_BUILD_IMAGE');
  const client = createKubeClient({ connect: anywhere() });
  await ensureCrds(client);
  const [namespace] = await makeNamespaces(client, 'bytes', ['project']);
  const core = `/api/v1/namespaces/${namespace}`;
  await client.request('POST', `${core}/serviceaccounts`, { body: { metadata: { name: 'tidemill-build' }, automountServiceAccountToken: false } });
  const objects = createKubernetesObjects({ client });
  const secrets = createKubernetesSecrets({ client });
  const store = await makeBucket();
  const storage = createS3Storage({ endpoint: store.endpoint, bucket: store.bucket, region: store.region });
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-bytes-'));
  const repository = await makeRepository(join(folder, 'site.git'));
  const git = await startGitServer({ root: folder, address: host, basic: { username: 'builder', password: PASSWORD } });
  const project = { source: { url: `${git.url}/site.git`, credential: 'repository' } };
  await secrets.set('repository-password', PASSWORD, namespace);
  await objects.create({
    kind: 'Credential',
    metadata: { namespace, name: 'repository' },
    spec: { type: 'basic', host: git.host, username: 'builder', secret: 'repository-password' },
  });
  await objects.create({
    kind: 'Credential',
    metadata: { namespace, name: 'elsewhere' },
    spec: { type: 'basic', host: 'git.example.com', secret: 'repository-password' },
  });
  await objects.create({ kind: 'Project', metadata: { namespace, name: 'site' }, spec: project });
  const logged: string[] = [];
  const write = (fields: object, message: string) => void logged.push(JSON.stringify({ ...fields, message }));
  const edge = await serve(
    createBytes({ client, objects, secrets, storage, log: { info: write, warn: write, error: write }, now: () => new Date().toISOString() }),
    host,
  );
  const runner = createTektonRunner({
    client: await withStepProgram(client, namespace),
    own: { image, bytesUrl: edge.url },
    buildImage: image,
    defaults: TASK_RUN_DEFAULTS,
  });

  const poll = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    for (const until = Date.now() + WAIT_MS; Date.now() < until; await sleep(300)) {
      const found = await look();
      if (found !== undefined) return found;
    }
    throw new Error(`${what} did not come within ${WAIT_MS / 1000} s`);
  };
  const running = (name: string) =>
    poll(`the pod ${name}`, async () => {
      const pod = await client.request<Pod>('GET', `${core}/pods/${name}`).catch((error: unknown) => {
        if (error instanceof KubeError && error.status === 404) return undefined;
        throw error;
      });
      const states = pod?.status?.containerStatuses ?? [];
      return pod?.status?.phase === 'Running' && states.length > 0 && states.every(({ state }) => !state?.waiting)
        ? { name, uid: pod.metadata.uid }
        : undefined;
    });

  return {
    namespace,
    client,
    objects,
    storage,
    store,
    runner,
    git,
    repository,
    image,
    url: edge.url,
    logged,
    begin: async (name, taskSpec, { sha = '0'.repeat(40), url = project.source.url, credential = project.source.credential, ...step } = {}) => {
      const planned = completeStages([{ name: 'build', steps: [{ name: 'build', taskSpec, ...step }] }], { project: { source: { url, credential } }, sha });
      if ('error' in planned) throw new Error(planned.error);
      await objects.create({
        kind: 'Artifact',
        metadata: { namespace, name: `${name}-source` },
        spec: { type: 'git', project: 'site', execution: name, ref: sha, ...project.source },
      });
      const execution = await objects.create({
        kind: 'Execution',
        metadata: { namespace, name },
        spec: { project: 'site', lane: 'main', number: 1, ref: 'main', source: `${name}-source`, trigger: 'user' },
        status: { phase: 'Running', sha, definition: planned.stages },
      });
      const [taskRun] = stageTaskRuns(execution, execution.status!, 0, { chainid: name });
      const owner = { apiVersion: API_VERSION, kind: 'Execution', name, uid: execution.metadata.uid, controller: true };
      await runner.start({ ...taskRun!, metadata: { ...taskRun!.metadata, ownerReferences: [owner] } });
      return { execution, taskRun: taskRun!.metadata.name };
    },
    podOf: async (taskRun) => {
      const pod = await poll(`the pod of ${taskRun}`, async () => (await runner.get({ namespace, name: taskRun }))?.status?.podName);
      return running(pod);
    },
    ended: (taskRun) =>
      poll(`the end of ${taskRun}`, async () => {
        const found = await runner.get({ namespace, name: taskRun });
        return found && isDone(found.status) ? found : undefined;
      }),
    token: async (pod, { audience = 'tidemill', account = 'tidemill-build' } = {}) => {
      const spec = { audiences: [audience], expirationSeconds: 600, ...(pod && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod } }) };
      const { status } = await client.request<{ status: { token: string } }>('POST', `${core}/serviceaccounts/${account}/token`, {
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
      });
      return status.token;
    },
    pod: async (name, spec = {}, metadata = {}) => {
      const container = { name: 'sleep', image, imagePullPolicy: 'IfNotPresent', command: ['sleep', '600'] };
      const body = {
        metadata: { name, ...metadata },
        spec: { serviceAccountName: 'tidemill-build', restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers: [container], ...spec },
      };
      await client.request('POST', `${core}/pods`, { body });
      return running(name);
    },
    dispose: async () => {
      await runner.stop(500);
      await edge.close();
      await git.close();
      await dropNamespaces(client, [namespace]);
      await store.dispose();
      await rm(folder, { recursive: true, force: true });
      client.close();
    },
  };
}

interface Pod {
  metadata: { uid: string };
  status?: { phase?: string; containerStatuses?: { state?: { waiting?: object } }[] };
}

async function serve(bytes: Bytes, host: string): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer({ maxHeaderSize: 65_536 }, (request, response) => void bytes(request, response));
  server.listen(0, host);
  await once(server, 'listening');
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
