// The watcher on a real API server: what kubectl writes becomes the events of the API, whatever becomes of watches, leases and processes.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createApi } from '../../functions/api/api.ts';
import type { Watcher } from '../../functions/watcher/watcher.ts';
import type { EventData } from '../../shared/events/types.ts';
import { createPublish } from '../../shared/host/root-events.ts';
import { createKubernetesObjects } from '../../shared/kubernetes/objects/objects.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { createFsStorage } from '../../shared/storage/fs.ts';
import { createLogArchive } from '../../shared/tekton/logs/archive.ts';
import { REPOSITORY, sha } from '../fakes/events.ts';
import { quiet, recordingBroker, until } from '../support/watcher.ts';
import { fromEnv } from './env.ts';
import { ensureCrds } from './objects/crds.ts';
import { dropNamespaces, makeNamespaces } from './objects/namespaces.ts';
import { apply, candidate, cuttable, HEADS, kubectl, newClient, read } from './watcher/world.ts';

fromEnv('KUBECONFIG');

const client = cuttable(newClient());
const objects = createKubernetesObjects({ client });
let namespace: string;
let broker: ReturnType<typeof recordingBroker>;
let watchers: Watcher[];
let children: ChildProcess[];

beforeAll(async () => {
  await ensureCrds(client);
});
afterAll(() => client.close());
beforeEach(async () => {
  [namespace] = await makeNamespaces(client, 'watcher', ['test']);
  broker = recordingBroker();
  watchers = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(watchers.map((watcher) => watcher.stop(5000)));
  await dropNamespaces(client, [namespace]);
});

const start = async (identity = 'one', more: Parameters<typeof candidate>[4] = {}) => {
  const watcher = candidate(client, namespace, broker, identity, more);
  watchers.push(watcher);
  watcher.start();
  return watcher;
};
const leader = async (...args: Parameters<typeof start>) => {
  const watcher = await start(...args);
  await until(
    () => watcher.leads() && watcher.notReady() === undefined,
    () => watcher.notReady(),
    20_000,
  );
  return watcher;
};
const seen = (count: number) =>
  until(
    () => broker.events.length >= count,
    () => broker.events,
    20_000,
  );
const source = { source: { url: REPOSITORY } };
const git = { type: 'git', project: 'site', url: REPOSITORY, ref: 'refs/heads/main' };

describe('what kubectl writes', () => {
  it('a Project gets its label, its default branch and its first build; an annotation asks for a run', async () => {
    await leader();
    await apply(namespace, 'Project', 'site', source);
    await seen(1);
    expect(broker.events[0]).toMatchObject({
      type: 'dev.tidemill.execution.requested.v1',
      source: '/functions/api',
      data: { namespace, project: 'site', ref: 'refs/heads/main', trigger: 'auto' },
    });
    await until(async () => (await read(client, 'Project', namespace, 'site'))?.status?.defaultBranch === 'main');
    expect((await read(client, 'Project', namespace, 'site'))!.metadata.labels?.[LABEL.repository]).toMatch(/^[0-9a-z]{26}$/);
    await kubectl(namespace, ['annotate', 'projects', 'site', 'tidemill.dev/trigger=now', 'tidemill.dev/trigger-ref=next']);
    await seen(2);
    expect(broker.events[1]!.data).toEqual({ namespace, project: 'site', ref: 'refs/heads/next', trigger: 'user' });
    // Applied again it keeps what the watcher wrote, and asks for nothing.
    await apply(namespace, 'Project', 'site', { ...source, branches: ['main'] });
    await quiet(1500);
    expect(broker.told).toHaveLength(2);
    expect((await read(client, 'Project', namespace, 'site'))!.metadata.annotations).toMatchObject({ 'tidemill.dev/answered-trigger': 'now' });
  });

  it('a Project that the API writes is built by one event, the API’s or the watcher’s', async () => {
    await leader();
    const now = () => new Date().toISOString();
    const none = () => Promise.reject(new Error('not here'));
    const api = createApi({
      objects,
      git: { heads: async () => ({ heads: HEADS, defaultBranch: 'main' }) },
      publish: createPublish(broker, now),
      secrets: { get: none, set: none, delete: none },
      deadLetters: none,
      redrive: none,
      newId: () => 'id',
      now,
      log: { info() {}, warn() {}, error() {} },
      namespace,
    } as unknown as Parameters<typeof createApi>[0]);
    const body = JSON.stringify({ name: 'site', ...source });
    const response = await api.fetch(
      new Request('http://localhost/api/v1/projects', { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
    );
    expect(response.status).toBe(201);
    await quiet(2000);
    expect(broker.events).toHaveLength(1);
  });

  it('an Artifact is asked for at once', async () => {
    await leader();
    await apply(namespace, 'Artifact', 'what', git);
    await seen(1);
    expect(broker.events[0]).toMatchObject({
      type: 'dev.tidemill.artifact.requested.v1',
      subject: 'what',
      data: { namespace, project: 'site', artifact: 'what' },
    });
    const status = { phase: 'Resolved', digest: `sha1:${sha('a')}`, resolvedAt: new Date().toISOString() } as const;
    await until(async () => (await read(client, 'Artifact', namespace, 'what'))?.metadata.labels?.[LABEL.project] === 'site');
    await objects.updateStatus({ ...(await read(client, 'Artifact', namespace, 'what'))!, status });
    // What became of it stands beside it in kubectl describe.
    await until(async () => (await kubectl(namespace, ['describe', 'artifacts.tidemill.dev', 'what'])).includes('Resolved  '), undefined, 15_000);
  });

  it('a Release is asked for, changed, and rolled back', async () => {
    await leader();
    const spec = { project: 'site', environment: 'production', host: 'site', deploy: { version: '1.0.0' } };
    await apply(namespace, 'Release', 'site', spec);
    await seen(1);
    await apply(namespace, 'Release', 'site', { ...spec, deploy: { version: 'latest' } });
    await seen(2);
    await kubectl(namespace, ['annotate', 'releases.tidemill.dev', 'site', 'tidemill.dev/rollback=broken']);
    await seen(3);
    const asked = broker.events.map(({ data }) => data as EventData<'dev.tidemill.release.requested.v1'>);
    const same = { namespace, project: 'site', environment: 'production', trigger: 'user' };
    expect(asked).toEqual([
      { ...same, action: 'deploy', version: '1.0.0' },
      { ...same, action: 'deploy', version: 'latest' },
      { ...same, action: 'rollback' },
    ]);
    expect((await read(client, 'Release', namespace, 'site'))!.metadata.labels).toMatchObject({ [LABEL.host]: 'site', [LABEL.project]: 'site' });
  });

  it('what does not fit says so, in its condition and beside it, until it is mended', async () => {
    const watcher = await leader();
    const hook = { url: 'https://example.org/', secret: 'mine' };
    const elsewhere = { project: 'site', environment: 'preview-next', host: 'other--site', deploy: { version: 'latest' } };
    await apply(namespace, 'Release', 'other--site', elsewhere);
    await apply(namespace, 'Hook', 'fits', hook);
    const condition = async (what: string) => kubectl(namespace, ['get', what, '-o', 'jsonpath={.status.conditions[?(@.type=="Valid")].message}']);
    await until(async () => (await condition('releases.tidemill.dev/other--site')).includes('must be next--site'), undefined, 15_000);
    expect(await kubectl(namespace, ['describe', 'releases.tidemill.dev', 'other--site'])).toMatch(/Warning\s+Invalid/);
    // A Hook that an older version let in, which a watch of today leaves out.
    const { uid, resourceVersion, generation } = (await read(client, 'Hook', namespace, 'fits'))!.metadata;
    watcher.unfit({ kind: 'Hook', ref: { namespace, name: 'fits' }, uid, resourceVersion, generation, message: 'Hook.spec.url: is odd' });
    // It fits: the condition comes, and is taken away again.
    await until(async () => (await kubectl(namespace, ['events', '--for', 'hook.tidemill.dev/fits'])).includes('Hook.spec.url: is odd'), undefined, 15_000);
    await until(async () => (await condition('hooks.tidemill.dev/fits')) === '', undefined, 15_000);
    await until(async () => (await read(client, 'Hook', namespace, 'fits'))?.metadata.labels?.[LABEL.project] === '');
    expect(broker.events).toEqual([]);
  });

  it('a Project that kubectl deletes takes with it what belonged to it', async () => {
    await apply(namespace, 'Project', 'site', source);
    await leader();
    await seen(1);
    const labels = { [LABEL.project]: 'site' };
    await objects.create<'Lane'>({ kind: 'Lane', metadata: { namespace, name: 'site.tags', labels }, spec: { project: 'site', ref: 'refs/tags/v1' } });
    await apply(namespace, 'Hook', 'tell', { url: 'https://example.org/', secret: 'mine', project: 'site' });
    await until(async () => (await read(client, 'Hook', namespace, 'tell'))?.metadata.labels?.[LABEL.project] === 'site');
    await kubectl(namespace, ['delete', 'projects.tidemill.dev', 'site']);
    await until(async () => !(await read(client, 'Lane', namespace, 'site.tags')) && !(await read(client, 'Hook', namespace, 'tell')), undefined, 15_000);
  });
});

describe('a TaskRun', () => {
  it('that ended is told, with an id that a second watcher would give it too; its log is followed by the same watch', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidemill-watcher-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const logs = createLogArchive({ storage: createFsStorage({ directory }) });
    const first = await leader('one', { logs });
    await until(() => client.streams('/taskruns') > 0);
    expect(client.streams('/taskruns')).toBe(1);
    const spec = { project: 'site', lane: 'site.tags', number: 1, ref: 'refs/tags/v1', trigger: 'user' as const, source: 'run-source' };
    const status = {
      phase: 'Running' as const,
      stages: [{ name: 'a', phase: 'Running' as const, steps: [{ name: 'b', phase: 'Running' as const, taskRun: 'run-a-b' }] }],
    };
    await objects.create<'Execution'>({ kind: 'Execution', metadata: { namespace, name: 'run' }, spec, status });
    const step = { name: 'main', image: fromEnv('TIDEMILL_TEST_BUILD_IMAGE'), imagePullPolicy: 'IfNotPresent', command: ['echo', 'hello'] };
    const metadata = { namespace, name: 'run-a-b', labels: { [LABEL.execution]: 'run' } };
    await objects.create<'TaskRun'>({ kind: 'TaskRun', metadata, spec: { taskSpec: { steps: [step] } } });
    const isTold = () => broker.events.some(({ type }) => type === 'dev.tekton.event.taskrun.successful.v1');
    await until(isTold, () => broker.events, 60_000);
    const { id } = broker.events[0]!;
    await until(() => logs.isWhole({ namespace, name: 'run-a-b' }), undefined, 20_000);
    await first.stop(5000);
    const before = broker.told.length;
    await leader('two');
    await until(() => broker.told.length > before, undefined, 20_000);
    expect(broker.told[before]!.id).toBe(id);
  });
});

describe('faults', () => {
  it('watches that are cut miss nothing and tell nothing twice', async () => {
    // Nobody resolves these here: asked for again they would be told again, as they should be.
    await leader('one', { times: { unresolved_ms: 600_000 } });
    for (let i = 0; i < 3; i++) {
      await until(() => client.streams() > 5, client.streams, 20_000);
      client.cut();
      await apply(namespace, 'Artifact', `during-${i}`, git);
      await seen(i + 1);
    }
    await quiet(1000);
    expect(broker.events.map(({ subject }) => subject)).toEqual(['during-0', 'during-1', 'during-2']);
  });

  it('a leader that is killed is followed by the other, by the same ids', async () => {
    const lines: string[] = [];
    const child = spawn(process.execPath, [new URL('./watcher/child.ts', import.meta.url).pathname, namespace, 'child'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')));
    await until(
      () => lines.includes('leads'),
      () => lines,
      30_000,
    );
    const second = await start('second');
    await apply(namespace, 'Artifact', 'before', git);
    await until(
      () => lines.length > 1,
      () => lines,
      20_000,
    );
    expect(broker.told).toEqual([]);
    child.kill('SIGKILL');
    await apply(namespace, 'Artifact', 'after', git);
    await until(() => second.leads(), undefined, 20_000);
    await seen(2);
    expect(new Set(broker.events.map(({ subject }) => subject))).toEqual(new Set(['before', 'after']));
    expect(broker.events.find(({ subject }) => subject === 'before')!.id).toBe(lines[1]!.split(' ')[0]);
  });

  it('a leader whose lease is taken stops at once', async () => {
    const first = await leader();
    const patch = JSON.stringify({ spec: { holderIdentity: 'somebody-else', renewTime: new Date().toISOString().replace('Z', '000Z') } });
    await kubectl(namespace, ['patch', 'lease', 'tidemill-watcher', '--type=merge', '-p', patch]);
    await until(() => !first.leads(), undefined, 3000);
    await apply(namespace, 'Artifact', 'what', git);
    await quiet(1000);
    expect(broker.told).toEqual([]);
    // Whoever took it does not renew it: then it is free again.
    await until(() => first.leads(), undefined, 20_000);
    await seen(1);
  });
});
