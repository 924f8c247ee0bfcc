// TaskRuns of executions on real Tekton: without rights, our own steps alone with their token, and logs that outlive restarts, pods and the kubelet.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKubernetesObjects } from '../../shared/kubernetes/objects/objects.ts';
import type { NewObj, Obj } from '../../shared/objects/kinds.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { isDone, succeeded } from '../../shared/objects/taskrun.ts';
import { InvalidTaskRun, type LogLine } from '../../shared/ports/runner.ts';
import { createFsStorage } from '../../shared/storage/fs.ts';
import { followTaskRuns } from '../../shared/tekton/follow-taskruns.ts';
import { type LogArchive, createLogArchive } from '../../shared/tekton/logs/archive.ts';
import { secretReader } from '../../shared/tekton/logs/secrets.ts';
import { createTektonRunner } from '../../shared/tekton/runner.ts';
import { TASK_RUN_DEFAULTS } from '../../shared/tekton/taskrun/defaults.ts';
import { type TektonUnderTest, openTektonRunner } from '../contracts/runner/tekton.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

let under: TektonUnderTest;
let directory: string;
let archive: LogArchive;
let followers: { stop: () => Promise<void> }[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemill-taskruns-'));
  archive = createLogArchive({ storage: createFsStorage({ directory }) });
  // A stand-in for our program, in an image that has Node: it tells what it finds.
  const own = { image: process.env['TIDEMILL_TEST_BUILD_IMAGE'] ?? '', bytesUrl: 'http://bytes.example', command: ['node', '-e', PROGRAM] };
  under = await openTektonRunner({ archive, own, defaults: TASK_RUN_DEFAULTS, buildImage: process.env['TIDEMILL_TEST_BUILD_IMAGE'] ?? '' });
  const accounts = `/api/v1/namespaces/${under.namespace}/serviceaccounts`;
  await under.client.request('POST', accounts, { body: { metadata: { name: TASK_RUN_DEFAULTS.serviceAccountName }, automountServiceAccountToken: false } });
  follow();
});
afterAll(async () => {
  for (const follower of followers) await follower.stop();
  await under.close();
  await rm(directory, { recursive: true, force: true });
});

const PROGRAM = `
const { readFileSync, writeFileSync } = require('node:fs');
const token = JSON.parse(Buffer.from(readFileSync(process.env.TIDEMILL_TOKEN_FILE, 'utf8').split('.')[1], 'base64url'));
const [source] = [JSON.parse(process.env.TIDEMILL_WORKSPACES).source];
writeFileSync(source + '/from-us', 'x');
writeFileSync('/tmp/y', 'y');
let root = 'read-only';
try { writeFileSync('/z', 'z'); root = 'writable'; } catch {}
writeFileSync(JSON.parse(process.env.TIDEMILL_RESULTS).found, JSON.stringify({
  args: process.argv.slice(1), audience: token.aud, seconds: token.exp - token.iat, pod: token['kubernetes.io'].pod.name, uid: process.getuid(), root,
}));
`;

/** A watcher's follower of logs. */
function follow(): { stop: () => Promise<void> } {
  const controller = new AbortController();
  const { client, namespace } = under;
  const objects = createKubernetesObjects({ client, log });
  const following = followTaskRuns({ client, objects, archive, namespaces: [namespace], readSecret: secretReader(client), signal: controller.signal, log });
  const follower = {
    stop: async () => {
      controller.abort();
      followers = followers.filter((each) => each !== follower);
      await following;
    },
  };
  followers.push(follower);
  return follower;
}

const ref = (name: string) => ({ namespace: under.namespace, name });

function taskRun(name: string, taskSpec: object, spec: object = {}): NewObj<'TaskRun'> {
  return { kind: 'TaskRun', metadata: { ...ref(name), labels: { [LABEL.execution]: `of-${name}` } }, spec: { taskSpec, ...spec } as NewObj<'TaskRun'>['spec'] };
}

const step = (script: string, name = 'a', more: object = {}) => ({ name, image: under.image, script, ...more });

test('a StepAction of the namespace that names what a credential is kept in is no step of a build', async () => {
  const { client, namespace } = under;
  const runner = createTektonRunner({ client, reserved: () => Promise.resolve(new Set(['github-token'])) });
  const clone = { image: under.image, script: 'true', env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'github-token', key: 'value' } } }] };
  for (const [name, spec] of Object.entries({ clone, greet: { image: under.image, script: 'true' } }))
    await client.request('POST', `/apis/tekton.dev/v1beta1/namespaces/${namespace}/stepactions`, {
      body: { apiVersion: 'tekton.dev/v1beta1', kind: 'StepAction', metadata: { name }, spec },
    });
  await expect(runner.start(taskRun('clones', { steps: [{ name: 'a', ref: { name: 'clone' } }] }))).rejects.toThrow(InvalidTaskRun);
  expect(await runner.get(ref('clones'))).toBeUndefined();
  await runner.start(taskRun('greets', { steps: [{ name: 'a', ref: { name: 'greet' } }] }));
  await expect.poll(() => runner.get(ref('greets')).then((found) => succeeded(found?.status)?.status), { timeout: 60_000 }).toBe('True');
});

async function ended(name: string): Promise<Obj<'TaskRun'>> {
  return until(async () => {
    const found = await under.runner.get(ref(name));
    return found && isDone(found.status) ? found : undefined;
  });
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const began = Date.now(); Date.now() - began < 110_000; await sleep(200)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error('it did not come about');
}

async function lines(name: string): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const line of under.runner.logs(ref(name), { follow: true })) found.push(line);
  return found;
}

const texts = (found: readonly LogLine[]) => found.map(({ text }) => text);
/** Waits for a line. */
async function told(name: string, text: string): Promise<void> {
  for await (const line of under.runner.logs(ref(name), { follow: true })) if (line.text === text) return;
  throw new Error(`${text} was not told`);
}

describe('a TaskRun of an execution', () => {
  test('runs as nobody, and our step alone has the token that it needs', async () => {
    const task = {
      results: [{ name: 'found' }],
      workspaces: [{ name: 'source' }],
      steps: [
        { name: 'source', image: 'tidemill.dev/step:v1', args: ['source', '{"a":1}'] },
        {
          name: 'build',
          image: 'tidemill.dev/node:24',
          script: `id -u; touch "$HOME/f" && echo "home $HOME"; ls $(workspaces.source.path)
grep CapEff /proc/self/status | tr -s '\\t' ' '; grep NoNewPrivs /proc/self/status | tr -s '\\t' ' '
test -e /var/run/tidemill && echo "our token is here"; test -e /var/run/secrets/kubernetes.io && echo "a token is here"; echo done`,
        },
      ],
    };
    await under.runner.start(taskRun('ours', task, { workspaces: [{ name: 'source', emptyDir: {} }] }));
    const { status, spec } = await ended('ours');
    expect(succeeded(status)).toMatchObject({ status: 'True' });
    expect(texts(await lines('ours')).filter((text) => text !== '')).toEqual([
      '65532',
      'home /tekton/home',
      'from-us',
      'CapEff: 0000000000000000',
      'NoNewPrivs: 1',
      'done',
    ]);
    const found: unknown = JSON.parse(status!.results![0]!.value as string);
    expect(found).toEqual({
      args: ['source', '{"a":1}'],
      audience: ['tidemill'],
      seconds: expect.any(Number),
      pod: 'ours-pod',
      uid: 65_532,
      root: 'read-only',
    });
    expect((found as { seconds: number }).seconds).toBeLessThanOrEqual(600);
    expect(spec).toMatchObject({ serviceAccountName: 'tidemill-build' });
  });

  test('goes with its owner', async () => {
    const maps = `/api/v1/namespaces/${under.namespace}/configmaps`;
    const { metadata } = await under.client.request<{ metadata: { uid: string } }>('POST', maps, { body: { metadata: { name: 'owner' } } });
    const owned = taskRun('owned', { steps: [step('sleep 60')] });
    owned.metadata.ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: metadata.uid, controller: true }];
    await under.runner.start(owned);
    await under.runner.start(owned);
    await under.client.request('DELETE', `${maps}/owner`);
    await until(async () => ((await under.runner.get(ref('owned'))) ? undefined : true));
  });

  test('a name that is another one’s is refused, and left alone', async () => {
    const stranger = { kind: 'TaskRun', metadata: ref('taken'), spec: { taskSpec: { steps: [step('true')] } } } as NewObj<'TaskRun'>;
    await under.runner.start(stranger);
    const refused = await under.runner.start(taskRun('taken', { steps: [step('echo mine')] })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidTaskRun);
    expect((refused as Error).message).toContain('is not ours');
    await expect(under.runner.start(taskRun('Bad_Name', { steps: [step('true')] }))).rejects.toThrow('metadata.name');
  });
});

describe('logs in the archive', () => {
  test('are whole and without doubles, though who writes them is stopped again and again', async () => {
    const task = { steps: [step('for i in $(seq 1 120); do echo "line $i"; sleep 0.1; done'), step('echo last', 'b')] };
    await under.runner.start(taskRun('restarted', task));
    await told('restarted', 'line 5');
    for (const n of [20, 45, 70]) {
      for (const follower of followers) await follower.stop();
      await sleep(700);
      follow();
      await told('restarted', `line ${n}`);
    }
    await ended('restarted');
    const found = await lines('restarted');
    expect(texts(found)).toEqual([...Array.from({ length: 120 }, (_, index) => `line ${index + 1}`), 'last']);
    expect(found.map(({ seq }) => seq)).toEqual(found.map((_, index) => index + 1));
  });

  test('of what ended while nobody wrote are written when somebody does', async () => {
    for (const follower of followers) await follower.stop();
    await under.runner.start(taskRun('unwatched', { steps: [step('echo one; echo two')] }));
    await ended('unwatched');
    follow();
    expect(texts(await lines('unwatched'))).toEqual(['one', 'two']);
  });

  test('are kept when a cancelled pod is deleted, with what it says in the end', async () => {
    const script = 'trap "echo goodbye; exit 0" TERM; echo begun; while true; do sleep 0.1; done';
    await under.runner.start(taskRun('cancelled', { steps: [step(script), step('echo never', 'b')] }));
    await told('cancelled', 'begun');
    await under.runner.cancel(ref('cancelled'), 'a newer push');
    await under.runner.cancel(ref('cancelled'), 'again');
    const { status } = await ended('cancelled');
    expect(succeeded(status)).toMatchObject({ reason: 'TaskRunCancelled', message: expect.stringContaining('a newer push') });
    const all = await lines('cancelled');
    expect(texts(all)).toEqual(expect.arrayContaining(['begun', 'goodbye']));
    await until(async () => ((await podOf('cancelled')) ? undefined : true));
    const again = createTektonRunner({ client: under.client, archive });
    const kept: LogLine[] = [];
    for await (const line of again.logs(ref('cancelled'), { after: 1 })) kept.push(line);
    expect(kept).toEqual(all.slice(1));
  });

  test('tell the attempts of a retried TaskRun apart, and mask its secrets', async () => {
    await under.provide({ secrets: { sesame: { word: 'open-sesame' } } });
    const env = [{ name: 'S', valueFrom: { secretKeyRef: { name: 'sesame', key: 'word' } } }];
    const task = { steps: [step('echo "try $(context.task.retry-count) $S"; test $(context.task.retry-count) = 1', 'a', { env })] };
    await under.runner.start(taskRun('retried', task, { retries: 2 }));
    expect((await ended('retried')).status?.retriesStatus).toHaveLength(1);
    expect(texts(await lines('retried'))).toEqual(['try 0 ***', 'attempt 1 failed (StepFailed); trying again', 'try 1 ***']);
  });
});

interface Pod {
  metadata: { uid: string };
}

async function podOf(name: string): Promise<Pod | undefined> {
  const path = `/api/v1/namespaces/${under.namespace}/pods`;
  const { items } = await under.client.request<{ items: Pod[] }>('GET', path, { query: { labelSelector: `tekton.dev/taskRun=${name}` } });
  return items[0];
}

describe('when a pod is lost', () => {
  const script = 'echo begun; sleep 15; echo through';
  const podPath = (name: string) => `/api/v1/namespaces/${under.namespace}/pods/${name}-pod`;

  test.concurrent.each(['deleted', 'evicted'])('%s: the TaskRun fails once, with its log up to then', async (how) => {
    await under.runner.start(taskRun(how, { steps: [step(script)] }));
    await told(how, 'begun');
    if (how === 'deleted') await under.client.request('DELETE', podPath(how));
    else {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: `${how}-pod` } };
      await under.client.request('POST', `${podPath(how)}/eviction`, { body });
    }
    const { status } = await ended(how);
    expect(succeeded(status)?.status).toBe('False');
    expect(texts(await lines(how))).toEqual(['begun']);
    const uid = (await under.runner.get(ref(how)))!.metadata.uid;
    const told_ = () =>
      under.events().filter((event) => event.subject === how && (event.data as { taskRun: { metadata: { uid: string } } }).taskRun.metadata.uid === uid);
    await until(async () => (told_().length > 0 ? true : undefined));
    expect(told_().map(({ type }) => type)).toEqual(['dev.tekton.event.taskrun.failed.v1']);
  });

  test.concurrent('by force, as with a lost node: Tekton begins anew, and the log says so', async () => {
    await under.runner.start(taskRun('forced', { steps: [step(script)] }));
    await told('forced', 'begun');
    await under.client.request('DELETE', podPath('forced'), { body: { gracePeriodSeconds: 0 } });
    expect(succeeded((await ended('forced')).status)).toMatchObject({ status: 'True' });
    const all = texts(await lines('forced'));
    expect(all[0]).toBe('begun');
    expect(all.slice(-3)).toEqual(['the pod forced-pod was lost, and another one begins its steps anew', 'begun', 'through']);
  });
});

test('a name for a namespace that is not there is told as such, and is no fault of the TaskRun', async () => {
  const nowhere = { ...taskRun('x', { steps: [step('true')] }), metadata: { name: 'x', namespace: `gone-${randomBytes(4).toString('hex')}` } };
  const refused = await under.runner.start(nowhere).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Error);
  expect(refused).not.toBeInstanceOf(InvalidTaskRun);
  expect((refused as Error).message).toContain('not found');
});
