// tidemill task run --runner tekton: the same files and the same output as on this machine, and nothing left in the cluster.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runProgram } from '../../cli/program.ts';
import { anywhere } from '../../shared/kubernetes/client/anywhere.ts';
import { type KubeClient, createKubeClient } from '../../shared/kubernetes/client/client.ts';
import { KubeError } from '../../shared/kubernetes/client/error.ts';
import { fromEnv } from './env.ts';

const IMAGE = fromEnv('TIDEMILL_TEST_BUILD_IMAGE');
let client: KubeClient;
let namespace: string;
let folder: string;

beforeAll(async () => {
  fromEnv('KUBECONFIG');
  client = createKubeClient({ connect: anywhere() });
  namespace = `task-run-${randomBytes(4).toString('hex')}`;
  folder = await mkdtemp(join(tmpdir(), 'tidemill-task-run-'));
  await client.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  await until(() => get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`));
});
afterAll(async () => {
  await client.request('DELETE', `/api/v1/namespaces/${namespace}`);
  client.close();
  await rm(folder, { recursive: true, force: true });
});

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const began = Date.now(); Date.now() - began < 60_000; await sleep(100)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error('it did not come about within a minute');
}

async function get(path: string): Promise<object | undefined> {
  return client.request<object>('GET', path).catch((error: unknown) => {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  });
}

/** Names of all that a run could have left. */
async function left(): Promise<string[]> {
  const kinds = ['/apis/tekton.dev/v1|taskruns', '/apis/tekton.dev/v1|tasks', '/apis/tekton.dev/v1beta1|stepactions', '/api/v1|secrets', '/api/v1|configmaps'];
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const [group, plural] = kind.split('|');
      const { items } = await client.request<{ items: { metadata: { name: string } }[] }>('GET', `${group}/namespaces/${namespace}/${plural}`);
      return items.map((item) => `${plural}/${item.metadata.name}`);
    }),
  );
  return lists.flat().filter((name) => name !== 'configmaps/kube-root-ca.crt');
}

async function run(text: string, ...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  await writeFile(join(folder, 'task.yaml'), text);
  const io = {
    stdout: { write: (part: string) => (out += part) },
    stderr: { write: (part: string) => (err += part) },
    stdin: Readable.from(['']),
    env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C' },
    cwd: folder,
  };
  const code = await runProgram(['task', 'run', 'task.yaml', ...words], io);
  return { code, out, err };
}

const onCluster = (text: string, ...words: string[]) => run(text, '--runner', 'tekton', '--namespace', namespace, ...words);
const here = (text: string, ...words: string[]) => run(text, '--isolation', 'bubblewrap', ...words);

const ALL = `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: { generateName: all- }
spec:
  taskRef: { name: all }
  params: [{ name: times, value: 2 }]
  workspaces:
    - { name: keep, emptyDir: {} }
    - { name: conf, configMap: { name: settings } }
---
apiVersion: tekton.dev/v1
kind: Task
metadata: { name: all }
spec:
  params: [{ name: times }, { name: list, type: array, default: [1, two] }]
  results: [{ name: said }]
  workspaces: [{ name: keep }, { name: conf }]
  steps:
    - name: greet
      ref: { name: greeting }
      params: [{ name: word, value: "hi $(params.times)" }]
    - name: read
      image: ${IMAGE}
      args: ["$(params.list[*])"]
      env: [{ name: S, valueFrom: { secretKeyRef: { name: safe, key: word } } }]
      script: |
        cat $(workspaces.conf.path)/colour
        echo "secret: $S $*"
        printf '%s' "$(context.task.name)" > $(results.said.path)
---
apiVersion: tekton.dev/v1beta1
kind: StepAction
metadata: { name: greeting }
spec: { params: [{ name: word }], image: ${IMAGE}, env: [{ name: W, value: $(params.word) }], script: 'echo "$W"' }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: settings }, data: { colour: "blue\\n" } }
---
{ apiVersion: v1, kind: Secret, metadata: { name: safe }, data: { word: aHVzaC1odXNo } }
`;

const TASK = `apiVersion: tekton.dev/v1
kind: Task
metadata: { name: hello }
spec:
  params: [{ name: who, default: world }]
  steps:
    - { name: ok, image: ${IMAGE}, script: 'echo "hello $(params.who)"' }
    - { name: bad, image: ${IMAGE}, script: 'for i in $(seq 12); do echo line $i; done; exit 3' }
    - { name: after, image: ${IMAGE}, script: 'true' }
`;

const OWN = `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: { name: own }
spec:
  taskSpec:
    steps:
      - name: a
        image: tidemill.dev/other
        script: 'true'
`;

describe('the same file', () => {
  test('gives the same output, and leaves nothing behind', async () => {
    const [local, cluster] = [await here(ALL), await onCluster(ALL)];
    expect(cluster).toMatchObject({ code: 0, err: expect.stringContaining('Succeeded in') });
    expect(cluster.out).toBe(local.out);
    expect(cluster.out).toBe('[greet] hi 2\n[read] blue\n[read] secret: *** 1 two\n');
    expect(cluster.err).toContain('said = all\n');
    await until(async () => ((await left()).length === 0 ? true : undefined));
  });

  test('fails in the same way', async () => {
    const [local, cluster] = [await here(TASK, '-p', 'who=you'), await onCluster(TASK, '-p', 'who=you')];
    expect(cluster.code).toBe(1);
    expect(local.code).toBe(1);
    expect(cluster.out).toBe(local.out);
    expect(cluster.err).toMatch(/Step bad ended with exit code 3 \(Error\); its last lines:\n {2}line 3\n/);
    expect(cluster.err).toMatch(/StepFailed after .*"step-bad" exited with code 3/);
  });

  test('with -o json, stdout is the TaskRun; with --keep it stays', async () => {
    const text = TASK.replace('exit 3', 'exit 0');
    const { code, out } = await onCluster(text, '-o', 'json', '--keep');
    expect(code).toBe(0);
    const { metadata, ...taskRun } = JSON.parse(out) as { metadata: { name: string; namespace: string } };
    expect(metadata).toMatchObject({ name: expect.stringMatching(/^hello-run-/), namespace });
    expect(taskRun).toMatchObject({
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      spec: { taskRef: { name: 'hello' } },
      status: { conditions: [{ status: 'True' }] },
    });
    expect((await left()).toSorted()).toEqual([`taskruns/${metadata.name}`, 'tasks/hello']);
    // The Task that is there says the same: used, and not taken away.
    expect((await onCluster(text)).code).toBe(0);
    await until(async () => ((await left()).length === 2 ? true : undefined));
    const other = await onCluster(TASK);
    expect(other).toMatchObject({ code: 2, out: '' });
    expect(other.err).toContain('task.yaml:3:19: Task "hello" is in namespace');
    await client.request('DELETE', `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns/${metadata.name}`);
    // The Task that was applied for it goes with it.
    await until(async () => ((await left()).length === 0 ? true : undefined));
  });
});

describe('what Tekton does not take is 2, with its place in the file', () => {
  test.each([
    [
      'a field that is not there',
      TASK.replace('name: ok,', 'name: ok, imagePolicy: Never,'),
      /^error {2}task\.yaml:7:\d+: .*unknown field "spec\.steps\[0\]\.imagePolicy"/,
    ],
    ['a variable that is not there', TASK.replace('$(params.who)', '$(params.whom)'), /^error {2}task\.yaml:7:\d+: .*params\.whom/],
    ['no image', TASK.replace(`image: ${IMAGE}, script: 'echo`, `script: 'echo`), /^error {2}task\.yaml:7:\d+: missing field\(s\): spec\.steps\[0\]\.image/],
    ['an image of ours that there is not', OWN, /^error {2}task\.yaml:8:16: spec\.taskSpec\.steps\[0\]\.image: tidemill\.dev\/other/],
  ])('%s', async (_name, text, message) => {
    const { code, out, err } = await onCluster(text);
    expect({ code, out, err }).toMatchObject({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(await left()).toEqual([]);
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s cancels what runs, and leaves nothing behind', async (signal) => {
  const text = TASK.replace('echo "hello $(params.who)"', 'echo begun; while true; do sleep 0.2; done');
  await writeFile(join(folder, 'long.yaml'), text);
  const main = fileURLToPath(new URL('../../cli/main.mjs', import.meta.url));
  const child = spawn(process.execPath, [main, 'task', 'run', 'long.yaml', '--runner', 'tekton', '--namespace', namespace], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: fromEnv('KUBECONFIG') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (err += part));
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), exited]);
  child.kill(signal);
  expect(await exited).toBe(130);
  expect(err).toContain('TaskRunCancelled');
  await until(async () => ((await left()).length === 0 ? true : undefined));
});
