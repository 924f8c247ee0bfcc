import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { taskRunName } from '../../shared/decisions/names.ts';
import { KubeError } from '../../shared/kubernetes/client/error.ts';
import { API_VERSION, LABEL } from '../../shared/objects/meta.ts';
import { MissingSecret } from '../../shared/ports/secrets.ts';
import type { Digest } from '../../shared/ports/storage.ts';
import { createBytes } from './bytes.ts';

const PASSWORD = 'very-secret';
const URL_OF_REPOSITORY = 'https://git.example.com/site.git';
const SHA = 'a'.repeat(40);
const TASKRUN = taskRunName('run', 'build', 'build');
const DIGEST: Digest = `sha256:${'b'.repeat(64)}`;

type Json = Record<string, any>; // eslint-disable-line typescript/no-explicit-any

/** A cluster in which one step of an execution runs; tests change what does not fit. */
function cluster() {
  const token = { projected: { sources: [{ serviceAccountToken: { audience: 'tidemill' } }] } };
  const step = (name: string, args: unknown[]) => ({ name, image: 'tidemill.dev/step:v1', args });
  return {
    review: {
      authenticated: true,
      audiences: ['tidemill'],
      user: {
        username: 'system:serviceaccount:shop:tidemill-build',
        extra: { 'authentication.kubernetes.io/pod-name': ['pod'], 'authentication.kubernetes.io/pod-uid': ['pod-uid'] },
      },
    } as Json,
    pod: {
      metadata: {
        uid: 'pod-uid',
        labels: { 'tekton.dev/taskRun': TASKRUN },
        ownerReferences: [{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', name: TASKRUN, uid: 'run-uid', controller: true }],
      },
      spec: {
        serviceAccountName: 'tidemill-build',
        volumes: [{ name: 'token', ...token }],
        initContainers: [{ name: 'prepare' }],
        containers: [
          { name: 'step-source', volumeMounts: [{ name: 'token' }] },
          { name: 'step-make', volumeMounts: [{ name: 'work' }] },
          { name: 'step-output', volumeMounts: [{ name: 'token' }] },
        ],
      },
      status: { containerStatuses: [] },
    } as Json,
    taskRun: {
      metadata: {
        uid: 'run-uid',
        labels: { [LABEL.execution]: 'run' },
        ownerReferences: [{ apiVersion: API_VERSION, kind: 'Execution', name: 'run', uid: 'execution-uid' }],
      },
      spec: {},
      status: { podName: 'pod', conditions: [{ type: 'Succeeded', status: 'Unknown' }] },
    } as Json,
    Execution: {
      metadata: { namespace: 'shop', name: 'run', uid: 'execution-uid' },
      spec: { project: 'site', source: 'run-source' },
      status: {
        phase: 'Running',
        definition: [
          {
            name: 'build',
            steps: [
              {
                name: 'build',
                taskSpec: {
                  steps: [
                    step('source', ['source', JSON.stringify({ url: URL_OF_REPOSITORY, sha: SHA, credential: 'mine' })]),
                    { name: 'make', image: 'x' },
                    step('output', ['output', '{}']),
                  ],
                },
              },
            ],
          },
        ],
      },
    } as Json,
    Artifact: { spec: { type: 'git', url: URL_OF_REPOSITORY, credential: 'mine' } } as Json,
    Project: { spec: { source: { url: URL_OF_REPOSITORY, credential: 'mine' } } } as Json,
    Credential: { spec: { type: 'basic', host: 'git.example.com', username: 'u', secret: 'kept' } } as Json,
  };
}

let world: ReturnType<typeof cluster>;
let now: number;
let calls: string[];
let logged: string;
let fail: Error | undefined;
let url: string;
let close: () => Promise<void>;

beforeEach(async () => {
  [world, now, calls, logged, fail] = [cluster(), Date.parse('2026-01-01T00:00:00Z'), [], '', undefined];
  const write = (fields: object, message: string) => void (logged += `${JSON.stringify(fields)} ${message}\n`);
  const missing = () => new KubeError({ status: 404, reason: 'NotFound', message: 'gone', uncertain: false });
  const bytes = createBytes({
    client: {
      request: async <T>(_method: string, path: string, options?: { body?: unknown }) => {
        calls.push(path);
        if (fail) throw fail;
        if (path.endsWith('/tokenreviews')) return { status: (options!.body as Json)['spec'].token === 'good' ? world.review : { authenticated: false } } as T;
        const found = path.includes('/pods/') ? world.pod : world.taskRun;
        if (!found) throw missing();
        return found as T;
      },
    },
    objects: { get: async (kind: string) => (world as Json)[kind] },
    secrets: {
      get: async (name, namespace) => {
        if (name !== 'kept' || namespace !== 'shop') throw new MissingSecret(name);
        return `${PASSWORD}\n`;
      },
    },
    storage: {
      findBlob: async (digest) => (digest === DIGEST ? 'absent' : 'sound'),
      presignPut: async () => ({ url: 'https://store/signed', headers: { 'if-none-match': '*' } }),
    },
    log: { info: write, warn: write, error: write },
    now: () => new Date(now).toISOString(),
  });
  const server = createServer((request, response) => void bytes(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
});
afterEach(() => close());

async function ask(path = '/v1/exchange', body: object = {}, token = 'good'): Promise<[number, Json]> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return [response.status, (await response.json()) as Json];
}
const askBlobs = (size = 1) => ask('/v1/blobs', { blobs: [{ digest: DIGEST, size }] });

describe('the exchange', () => {
  it('gives the source with its credential, and leave to store', async () => {
    expect(await ask()).toEqual([
      200,
      {
        source: { url: URL_OF_REPOSITORY, sha: SHA, credential: { name: 'mine', type: 'basic', host: 'git.example.com', username: 'u', password: PASSWORD } },
        output: { maxBlobs: 1000, maxBlobBytes: 5 * 1024 ** 3 },
      },
    ]);
    expect(await askBlobs()).toEqual([200, { blobs: [{ url: 'https://store/signed', headers: { 'if-none-match': '*' } }] }]);
    expect(logged).toContain('"credential":true');
    for (const secret of [PASSWORD, 'signed', 'good']) expect(logged).not.toContain(secret);
  });

  it('gives it while its step runs, and no longer', async () => {
    world.pod['status'].containerStatuses = [{ name: 'step-source', state: { terminated: {} } }];
    expect(await ask()).toEqual([200, { output: expect.anything() }]);
    world.pod['status'].containerStatuses.push({ name: 'step-output', state: { terminated: {} } });
    now += 6000;
    expect([await ask(), (await askBlobs())[0]]).toEqual([[200, {}], 403]);
  });

  const refusals: [string, () => unknown, number, RegExp][] = [
    ['a token that is none', () => (world.review['authenticated'] = false), 401, /no valid token/],
    ['a token for others', () => (world.review['audiences'] = ['kubernetes']), 401, /no valid token/],
    ['another service account', () => (world.review['user'].username = 'system:serviceaccount:shop:default'), 403, /not of the service account/],
    ['a user', () => (world.review['user'].username = 'admin'), 403, /not of the service account/],
    ['a name that only looks so', () => (world.review['user'].username = 'x:system:serviceaccount:shop:tidemill-build'), 403, /not of the service account/],
    ['a token of no pod', () => (world.review['user'].extra = {}), 403, /bound to no pod/],
    ['a pod of before', () => (world.pod['metadata'].uid = 'another'), 403, /pod of this token is gone/],
    ['a pod that runs as another', () => (world.pod['spec'].serviceAccountName = 'default'), 403, /does not run as/],
    ['a pod of nothing', () => (world.pod['metadata'].ownerReferences = []), 403, /no TaskRun/],
    ['a pod of another kind of TaskRun', () => (world.pod['metadata'].ownerReferences[0].apiVersion = 'mine.dev/v1'), 403, /no TaskRun/],
    ['a pod whose label says otherwise', () => (world.pod['metadata'].labels['tekton.dev/taskRun'] = 'other'), 403, /no TaskRun/],
    ['a TaskRun of before', () => (world.taskRun['metadata'].uid = 'another'), 403, /TaskRun of this pod is gone/],
    ['a TaskRun that ended', () => (world.taskRun['status'].conditions[0].status = 'False'), 403, /has ended/],
    ['a TaskRun that is being cancelled', () => (world.taskRun['spec'].status = 'TaskRunCancelled'), 403, /has ended/],
    ['a TaskRun that is being deleted', () => (world.taskRun['metadata'].deletionTimestamp = 'now'), 403, /has ended/],
    ['a TaskRun with another pod', () => (world.taskRun['status'].podName = 'pod-retry1'), 403, /not the pod/],
    ['a TaskRun whose pod is not recorded', () => delete world.taskRun['status'].podName, 503, /not recorded yet/],
    ['a TaskRun of no execution', () => (world.taskRun['metadata'].labels = {}), 403, /of no execution/],
    ['a TaskRun that nobody owns', () => (world.taskRun['metadata'].ownerReferences = []), 403, /of no execution/],
    ['an execution of before', () => (world.Execution['metadata'].uid = 'another'), 403, /of no execution/],
    ['an execution that is gone', () => ((world as Json)['Execution'] = undefined), 403, /of no execution/],
    ['an execution that ended', () => (world.Execution['status'].phase = 'Cancelled'), 403, /execution of this TaskRun has ended/],
    ['a step that the execution does not have', () => (world.Execution['status'].definition[0].steps[0].name = 'other'), 403, /no step of this name/],
    ['a build step with a token', () => world.pod['spec'].containers[1].volumeMounts.push({ name: 'token' }), 403, /container step-make has a token/],
    ['an init container with a token', () => (world.pod['spec'].initContainers[0].volumeMounts = [{ name: 'token' }]), 403, /container prepare has a token/],
    [
      'a debug container with a token',
      () => (world.pod['spec'].ephemeralContainers = [{ name: 'debug', volumeMounts: [{ name: 'token' }] }]),
      403,
      /container debug/,
    ],
    [
      'a credential that the project does not name',
      () => (world.Artifact['spec'].credential = world.Project['spec'].source.credential = 'other'),
      403,
      /does not name/,
    ],
    [
      'a repository that the project does not name',
      () => (world.Artifact['spec'].url = world.Project['spec'].source.url = 'https://git.example.com/x'),
      403,
      /does not name/,
    ],
    ['a credential for another host', () => (world.Credential['spec'].host = 'github.com'), 403, /is for github.com/],
    ['a credential that is gone', () => ((world as Json)['Credential'] = undefined), 403, /no credential mine/],
    ['a secret that is gone', () => (world.Credential['spec'].secret = 'lost'), 403, /no secret named lost/],
  ];
  it.each(refusals)('refuses %s', async (_what, change, status, why) => {
    change();
    expect(await ask()).toEqual([status, { error: expect.stringMatching(why) }]);
    expect(logged).not.toContain(PASSWORD);
  });

  it('gives no credential for a source that a Task wrote with variables in it', async () => {
    world.Execution['status'].definition[0].steps[0].taskSpec.steps[0].args[1] = '{"url":"$(params.url)","sha":"$(params.sha)","credential":"mine"}';
    expect(await ask()).toEqual([200, { output: expect.anything() }]);
  });

  it('says nothing of what is wrong with the cluster, and asks to come again', async () => {
    fail = new Error('connect ECONNREFUSED 10.0.0.1:6443 with good');
    expect(await ask()).toEqual([503, { error: expect.stringContaining('log of `bytes`') }]);
  });
});

describe('bounds', () => {
  it('a token is looked at again after five seconds', async () => {
    expect((await askBlobs())[0]).toBe(200);
    const once_ = calls.length;
    world.taskRun['status'].conditions[0].status = 'True';
    now += 4000;
    expect([(await askBlobs())[0], calls.length]).toEqual([200, once_]);
    now += 2000;
    expect((await askBlobs())[0]).toBe(403);
    expect((await ask('/v1/blobs', { blobs: [{ digest: DIGEST, size: 1 }] }, 'bad'))[0]).toBe(401);
  });

  it('a TaskRun asks so often, and stores so much', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 61; i++) statuses.push((await ask())[0]);
    expect(statuses).toEqual([...Array.from({ length: 60 }, () => 200), 429]);
    now += 1000;
    expect((await ask())[0]).toBe(200);
    const answers: number[] = [];
    for (let i = 0; i < 53; i++) {
      now += 1000;
      answers.push((await askBlobs(5 * 1024 ** 3))[0]);
    }
    expect(answers.indexOf(403)).toBe(51);
  });
});
