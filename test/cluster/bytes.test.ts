import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { taskRunName } from '../../shared/decisions/names.ts';
import { API_VERSION, LABEL } from '../../shared/objects/meta.ts';
import type { TaskSpec } from '../../shared/objects/taskrun.ts';
import type { Digest } from '../../shared/ports/storage.ts';
import { readManifest } from '../../shared/site/manifest.ts';
import { sha256 } from '../contracts/storage.ts';
import { makeWorld, PASSWORD, type World } from './bytes/world.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world?.dispose());

const BUILD = `set -e
mkdir -p dist/assets
sed s/NAME/tidemill/ index.src > dist/index.html
head -c 3000000 /dev/zero | tr '\\0' 'x' > dist/assets/big.js
cp dist/assets/big.js dist/assets/same.js
i=0; while [ $i -lt 400 ]; do echo "file $i" > dist/assets/f$i.txt; i=$((i+1)); done
: > dist/empty
ln -s index.html dist/home.html
ls -a /var/run/tidemill 2>&1 || true
env`;

const build = (): TaskSpec => ({ steps: [{ name: 'build', image: world.image, script: `#!/bin/sh\n${BUILD}\n` }] });
const sleeping = (): TaskSpec => ({ steps: [{ name: 'sleep', image: world.image, script: '#!/bin/sh\nsleep 300\n' }] });

interface Answer {
  status: number;
  body: {
    error?: string;
    source?: { credential?: { password?: string } };
    output?: object;
    blobs?: ({ have: true } | { url: string; headers: Record<string, string> })[];
  };
}

async function ask(token: string | undefined, path = '/v1/exchange', body: unknown = {}, init: RequestInit = {}): Promise<Answer> {
  const headers = { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const response = await fetch(world.url + path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body), ...init });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

describe('a TaskRun of an execution', () => {
  it('gets its source with a credential, and leaves its output in the store, and nothing of either anywhere else', async () => {
    const sha = await world.repository.commit({ 'index.src': '<h1>NAME</h1>', 'package.json': '{"version":"1.2.3"}' });
    const { taskRun } = await world.begin('whole', build(), { sha, output: 'dist' });
    const { status, spec, metadata } = await world.ended(taskRun);
    const lines: string[] = [];
    for await (const line of world.runner.logs({ namespace: world.namespace, name: taskRun })) lines.push(`${line.step}: ${line.text}`);
    expect(status?.conditions?.[0], lines.join('\n')).toMatchObject({ type: 'Succeeded', status: 'True' });
    const results = Object.fromEntries(status!.results!.map(({ name, value }) => [name, value]));
    expect(results).toMatchObject({ files: '405', packageVersion: '1.2.3' });
    const manifest = await readManifest(world.storage, results['manifest'] as Digest);
    const big = Buffer.alloc(3_000_000, 'x');
    expect(manifest.files.filter(({ path }) => !path.startsWith('assets/f'))).toEqual([
      { path: 'assets/big.js', digest: sha256(big), size: big.length },
      { path: 'assets/same.js', digest: sha256(big), size: big.length },
      { path: 'empty', digest: sha256(''), size: 0 },
      { path: 'home.html', symlink: 'index.html' },
      { path: 'index.html', digest: sha256('<h1>tidemill</h1>'), size: 17 },
    ]);
    await world.storage.publishTree('site/1.2.3', manifest.entries);
    await world.storage.publishBlob('site/archive/1.2.3.tar.gz', results['archive'] as Digest);
    expect(await world.store.read('site/1.2.3/assets/f399.txt')).toBe('file 399\n');

    expect(lines.join('\n')).toMatch(/^source: [0-9a-f]{12} of http.*checked out/m);
    expect(lines.join('\n')).toMatch(/^build: ls: .*\/var\/run\/tidemill/m);
    expect(world.git.requests.some(({ headers }) => headers.authorization)).toBe(true);
    const events = await world.client.request('GET', `/api/v1/namespaces/${world.namespace}/events`);
    const pods = await world.client.request('GET', `/api/v1/namespaces/${world.namespace}/pods`);
    const everything = JSON.stringify([status, spec, metadata, events, pods, lines, world.logged]);
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'X-Amz-Signature', process.env['AWS_SECRET_ACCESS_KEY']!, 'eyJhbGciOi'])
      expect(everything).not.toContain(secret);
  });
});

describe('a TaskRun that runs', () => {
  let pod: { name: string; uid: string };
  let token: string;
  let begun: Awaited<ReturnType<World['begin']>>;
  beforeAll(async () => {
    const sha = await world.repository.commit({ 'index.src': 'x' });
    begun = await world.begin('long', sleeping(), { sha, output: 'dist' });
    pod = await world.podOf(begun.taskRun);
    token = await world.token(pod);
  });

  it('has its source when that step has ended, and only its output to ask for', async () => {
    const left = { output: { maxBlobs: 1000, maxBlobBytes: 5 * 1024 ** 3 } };
    await expect.poll(async () => (await ask(token)).body, { timeout: 30_000, interval: 500 }).toEqual(left);
  });

  it('is told where to store what is not there yet, and only that', async () => {
    const bytes = randomBytes(100);
    const there = await world.storage.putBlob(Buffer.from('there already'));
    const { status, body } = await ask(token, '/v1/blobs', { blobs: [{ digest: sha256(bytes), size: 100 }, there] });
    expect([status, body.blobs?.[1]]).toEqual([200, { have: true }]);
    const { url, headers } = body.blobs![0] as { url: string; headers: Record<string, string> };
    const { 'content-length': _, ...rest } = headers;
    const put = (content: Uint8Array<ArrayBuffer>) => fetch(url, { method: 'PUT', headers: rest, body: content }).then((response) => response.status);
    expect([await put(randomBytes(100)), await put(randomBytes(99)), await put(bytes), await put(bytes)]).toEqual([400, 403, 200, 412]);
    expect(await fetch(url).then((response) => response.status), 'it is no key to read with').toBe(403);
    expect((await ask(token, '/v1/blobs', { blobs: [{ digest: sha256(bytes), size: 100 }] })).body.blobs).toEqual([{ have: true }]);
    const wrongSize = (await ask(token, '/v1/blobs', { blobs: [{ digest: sha256(bytes), size: 7 }] })).body.blobs![0] as { headers: object };
    expect(Object.keys(wrongSize.headers)).not.toContain('if-none-match');
  });

  it.each([
    ['no list', {}, 400],
    ['an empty list', { blobs: [] }, 400],
    ['a path for a digest', { blobs: [{ digest: 'sha256:../../../x', size: 1 }] }, 400],
    ['another kind of digest', { blobs: [{ digest: `md5:${'0'.repeat(64)}`, size: 1 }] }, 400],
    ['upper case', { blobs: [{ digest: `sha256:${'A'.repeat(64)}`, size: 1 }] }, 400],
    ['less than nothing', { blobs: [{ digest: sha256(''), size: -1 }] }, 400],
    ['half a byte', { blobs: [{ digest: sha256(''), size: 0.5 }] }, 400],
    ['too much', { blobs: [{ digest: sha256(''), size: 6 * 1024 ** 3 }] }, 400],
    ['too many', { blobs: Array.from({ length: 1001 }, () => ({ digest: sha256(''), size: 1 })) }, 400],
    ['a key of its own', { blobs: [{ digest: sha256(''), size: 1, key: 'site/1/index.html' }] }, 400],
    ['a body without end', `"${'x'.repeat(2_000_000)}"`, 413],
    ['no JSON', '{', 400],
  ])('is refused %s', async (_what, body, status) => {
    expect((await ask(token, '/v1/blobs', body)).status).toBe(status);
  });

  it('is refused other paths, methods and types', async () => {
    expect((await ask(token, '/v1/exchange', {}, { method: 'PUT' })).status).toBe(405);
    for (const path of ['/', '/v1', '/v1/exchange/', '/v1/blobs/../exchange/x', '/v1/exchange%2f']) expect((await ask(token, path)).status).toBe(404);
    expect((await ask(token, '/v1/blobs', '{}', { headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' } })).status).toBe(415);
  });

  it('is the only one: not another audience, account or pod, nor no pod', async () => {
    const refused = async (asked: string | undefined, status: number, why: RegExp) => {
      for (const path of ['/v1/exchange', '/v1/blobs']) {
        const { status: answered, body } = await ask(asked, path, { blobs: [{ digest: sha256('x'), size: 1 }] });
        expect([answered, body]).toEqual([status, { error: expect.stringMatching(why) }]);
      }
    };
    await refused(undefined, 401, /a service-account token is wanted/);
    await refused('x'.repeat(20_000), 401, /is wanted/);
    await refused('eyJhbGciOiJub25lIn0.e30.', 401, /no valid token/);
    await refused(`${token.slice(0, -6)}AAAAAA`, 401, /no valid token/);
    await refused(await world.token(pod, { audience: 'https://kubernetes.default.svc' }), 401, /audience tidemill/);
    await refused(await world.token(undefined), 403, /bound to no pod/);
    const [stranger, other, forged] = await Promise.all([
      world.pod('stranger'),
      world.pod('other-account', { serviceAccountName: 'default' }),
      world.pod(
        'forged',
        {},
        {
          labels: { 'tekton.dev/taskRun': begun.taskRun },
          ownerReferences: [
            {
              apiVersion: 'tekton.dev/v1',
              kind: 'TaskRun',
              name: begun.taskRun,
              uid: (await world.runner.get({ namespace: world.namespace, name: begun.taskRun }))!.metadata.uid,
              controller: true,
            },
          ],
        },
      ),
    ]);
    await refused(await world.token(stranger), 403, /belongs to no TaskRun/);
    await refused(await world.token(other, { account: 'default' }), 403, /not of the service account tidemill-build/);
    await refused(await world.token(forged), 403, /not the pod that the TaskRun has now/);
  });

  it('is nobody any more when its execution has ended, or it is cancelled', async () => {
    const sha = await world.repository.commit({ 'index.src': 'y' });
    const { execution, taskRun } = await world.begin('short', sleeping(), { sha, output: 'dist' });
    const shown = await world.token(await world.podOf(taskRun));
    expect((await ask(shown)).status).toBe(200);
    const now = (await world.objects.get('Execution', { namespace: world.namespace, name: execution.metadata.name }))!;
    await world.objects.updateStatus({ ...now, status: { ...now.status!, phase: 'Failed' } });
    expect(await ask(shown)).toMatchObject({ status: 403, body: { error: 'the execution of this TaskRun has ended' } });
    await world.runner.cancel({ namespace: world.namespace, name: taskRun }, 'enough');
    expect([401, 403]).toContain((await ask(shown)).status);
    await world.ended(taskRun);
    await expect.poll(async () => (await ask(shown)).status, { timeout: 90_000, interval: 1000 }).toBe(401);
  });
});

describe('a TaskRun that is not what an execution started', () => {
  const core = () => `/apis/tekton.dev/v1/namespaces/${world.namespace}/taskruns`;
  const own = (name: string, args: string[]) => ({ name, image: 'tidemill.dev/step:v1', args });
  const holding = { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'tidemill', expirationSeconds: 600 } }] } };

  /** A TaskRun made by somebody who may make them, whose containers of these names hold a token. */
  const byHand = async (name: string, holders: string[], metadata: object) => {
    const steps = ['source', 'mine'].map((step) => ({
      name: step,
      image: world.image,
      command: ['sleep', '120'],
      ...(holders.includes(step) && { volumeMounts: [{ name: 'token', mountPath: '/var/run/tidemill' }] }),
    }));
    const spec = { serviceAccountName: 'tidemill-build', taskSpec: { steps, volumes: [holding] } };
    await world.client.request('POST', core(), { body: { apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name, ...metadata }, spec } });
    return world.token(await world.podOf(name));
  };

  /** An execution whose TaskRun nobody has started. */
  const execution = async (name: string, input: object) => {
    const { source } = (await world.objects.get('Project', { namespace: world.namespace, name: 'site' }))!.spec;
    await world.objects.create({
      kind: 'Artifact',
      metadata: { namespace: world.namespace, name: `${name}-source` },
      spec: { type: 'git', project: 'site', ref: 'main', ...source },
    });
    const taskSpec = { steps: [own('source', ['source', JSON.stringify({ sha: '0'.repeat(40), ...source, ...input })]), { name: 'mine', image: world.image }] };
    return world.objects.create({
      kind: 'Execution',
      metadata: { namespace: world.namespace, name },
      spec: { project: 'site', lane: 'main', number: 1, ref: 'main', source: `${name}-source`, trigger: 'user' },
      status: { phase: 'Running', sha: '0'.repeat(40), definition: [{ name: 'build', steps: [{ name: 'build', taskSpec }] }] },
    });
  };
  const claim = (name: string, uid: string) => ({
    labels: { [LABEL.execution]: name },
    ownerReferences: [{ apiVersion: API_VERSION, kind: 'Execution', name, uid, controller: true }],
  });

  it('gets nothing: not one by hand, nor one that only says so, nor one of another name', async () => {
    const [running, other] = await Promise.all([execution('claimed', {}), execution('another', {})]);
    const tokens = await Promise.all([
      byHand('by-hand', ['source'], {}),
      byHand('says-so', ['source'], { labels: { [LABEL.execution]: 'claimed' } }),
      byHand('other-owner', ['source'], { ...claim('another', other.metadata.uid), labels: { [LABEL.execution]: 'claimed' } }),
      byHand('other-name', ['source'], claim('claimed', running.metadata.uid)),
    ]);
    const answers = await Promise.all(tokens.map((token) => ask(token)));
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [403, { error: 'the TaskRun is of no execution' }],
      [403, { error: 'the TaskRun is of no execution' }],
      [403, { error: 'the TaskRun is of no execution' }],
      [403, { error: 'the execution has no step of this name' }],
    ]);
  });

  it('gets no credential where another container could show the token, nor one that the project does not name, nor for another host', async () => {
    const inputs: Record<string, object> = {
      exact: {},
      shared: {},
      stranger: { credential: 'elsewhere' },
      moved: { url: `${world.git.url}/other.git` },
    };
    const answers: Record<string, Answer> = {};
    await Promise.all(
      Object.entries(inputs).map(async ([name, input]) => {
        const { metadata } = await execution(name, input);
        answers[name] = await ask(
          await byHand(taskRunName(name, 'build', 'build'), name === 'shared' ? ['source', 'mine'] : ['source'], claim(name, metadata.uid)),
        );
      }),
    );
    expect(answers['exact']).toMatchObject({
      status: 200,
      body: { source: { credential: { name: 'repository', type: 'basic', host: world.git.host, password: PASSWORD } } },
    });
    expect(answers['shared']).toEqual({ status: 403, body: { error: "the container step-mine has a token that is for tidemill's own steps" } });
    for (const name of ['stranger', 'moved'])
      expect(answers[name]).toMatchObject({ status: 403, body: { error: expect.stringContaining('does not name this credential') } });
    const project = (await world.objects.get('Project', { namespace: world.namespace, name: 'site' }))!;
    await world.objects.update({ ...project, spec: { source: { ...project.spec.source, credential: 'elsewhere' } } });
    const { metadata } = await execution('host', { credential: 'elsewhere' });
    const elsewhere = await ask(await byHand(taskRunName('host', 'build', 'build'), ['source'], claim('host', metadata.uid)));
    expect(elsewhere).toEqual({
      status: 403,
      body: { error: expect.stringMatching(/^the credential elsewhere is for git.example.com, and is not given for/) },
    });
    await world.objects.update({ ...(await world.objects.get('Project', { namespace: world.namespace, name: 'site' }))!, spec: project.spec });
    expect(JSON.stringify([answers['shared'], answers['stranger'], answers['moved'], elsewhere, world.logged])).not.toContain(PASSWORD);
  });
});
