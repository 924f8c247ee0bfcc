// The whole chain on a cluster, on both overlays: a signed push, a build by real Tekton, a site that is served from the cluster, and a hook that is told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { install, type Installation, type Overlay, tidemill } from './chain/installation.ts';
import { prepare } from './namespaces/installations.ts';
import { apply as applyIn, kubectl } from './watcher/world.ts';
import { all, built, eventually, openReceiver, openRepository, type PushedRepository, type Receiver, served } from './chain/world.ts';

const LONG = 420_000;

/** A front end as a front-end developer has it: what builds it comes from npm. */
const frontEnd = (text: string) => ({
  'package.json': JSON.stringify({
    name: 'docs',
    version: '1.0.0',
    private: true,
    type: 'module',
    scripts: { build: 'vite build' },
    devDependencies: { vite: '^7.0.0' },
  }),
  'index.html': '<!doctype html><title>Docs</title><h1 id="app"></h1><script type="module" src="/main.js"></script>',
  'main.js': `document.querySelector('#app').textContent = ${JSON.stringify(text)};\n`,
  'public/said.txt': text,
});

describe.each<Overlay>(['jetstream', 'knative'])('the chain on %s', { timeout: LONG }, (overlay) => {
  let installation: Installation;
  let repository: PushedRepository;
  let receiver: Receiver;
  let first: string;

  const apply = async (manifest: object) => {
    const { execFile } = await import('node:child_process');
    await new Promise<void>((resolve, reject) => {
      const child = execFile('kubectl', ['-n', installation.projects, 'apply', '--server-side', '-f', '-'], (error, _out, said) =>
        error ? reject(new Error(said)) : resolve(),
      );
      child.stdin!.end(JSON.stringify(manifest));
    });
  };
  const tidemillAt = (name: string, spec: object, kind: string) => apply({ apiVersion: 'tidemill.dev/v1alpha1', kind, metadata: { name }, spec });
  const said = async (site: string, text: string) => {
    const answer = await eventually(`${site} saying ${text}`, 60_000, async () => {
      const found = await installation.site('GET', '/said.txt', { host: `${site}.sites.test` });
      return found.body === text ? found : undefined;
    });
    expect(answer.status).toBe(200);
  };

  beforeAll(async () => {
    installation = await install(overlay);
    repository = await openRepository(installation, frontEnd('first'));
    receiver = await openReceiver();
  }, LONG);
  afterAll(async () => {
    await repository?.close();
    await receiver?.close();
    await installation?.remove();
  }, LONG);

  it('is well, as `tidemill doctor` sees it', async () => {
    expect(await tidemill('doctor', '--namespace', installation.namespace)).not.toContain('✗');
  });

  it('takes a project and a hook that kubectl applies', async () => {
    await tidemillAt('docs', { source: { url: repository.url } }, 'Project');
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'chat', labels: { 'tidemill.dev/secret': 'true' } },
      stringData: { value: 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0' },
    };
    await apply(secret);
    await tidemillAt('chat', { url: receiver.url, secret: 'chat', types: ['dev.tidemill.release.*'] }, 'Hook');
  });

  it('builds what is pushed, from npm, and serves it', async () => {
    const answer = await repository.tell();
    expect(answer.status).toBe(202);
    first = repository.sha();
    const execution = await built(installation, first);
    expect(execution.status!.stages!.flatMap((stage) => stage.steps.map((step) => step.phase))).toEqual(['Succeeded']);
    await served(installation, 'docs', '<title>Docs</title>');
    await said('docs', 'first');
    const [run] = await all(installation, 'TaskRun', '-l', `tidemill.dev/execution=${execution.metadata.name}`);
    expect(JSON.stringify(run!.spec)).not.toMatch(/X-Amz-Signature|Bearer /);
  });

  it('tells the hook once, and keeps the log', async () => {
    const deployed = await eventually('the hook being told', 60_000, async () => {
      const found = receiver.received.filter(({ type }) => type === 'dev.tidemill.release.deployed.v1');
      return found.length > 0 ? found : undefined;
    });
    expect(new Set(deployed.map(({ id }) => id)).size).toBe(1);
    const execution = (await all(installation, 'Execution')).find(({ status }) => status?.sha === first)!;
    const headers = { authorization: `Bearer ${installation.token}` };
    const log = await eventually('the whole log', 30_000, async () => {
      const answer = await installation.api('GET', `/api/v1/executions/${execution.metadata.name}/logs`, { headers });
      return answer.body.includes('stored in') ? answer : undefined;
    });
    expect(log.body).toContain('checked out in');
    expect(log.body).toContain('vite');
  });

  it('releases what comes next, and rolls back when kubectl asks for it', async () => {
    const { sha } = await repository.push(frontEnd('second'));
    await built(installation, sha);
    await said('docs', 'second');
    await installation.kubectl('annotate', 'release', 'docs', 'tidemill.dev/rollback=now', '--overwrite');
    await said('docs', 'first');
    const release = (await all(installation, 'Release')).find(({ metadata }) => metadata.name === 'docs')!;
    await installation.kubectl(
      'patch',
      'release',
      'docs',
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { deploy: { version: release.status!.history[0]!.version } } }),
    );
    await said('docs', 'second');
  });

  it('builds two branches at once, each with its preview', async () => {
    const one = await repository.push({ 'public/said.txt': 'of one' }, 'one');
    const two = await repository.push({ 'public/said.txt': 'of two' }, 'two');
    const [a, b] = await Promise.all([built(installation, one.sha), built(installation, two.sha)]);
    const [began, ended] = [a, b].map(({ status }) => [Date.parse(status!.started!), Date.parse(status!.ended!)] as const) as [
      readonly [number, number],
      readonly [number, number],
    ];
    expect(Math.max(began[0], ended[0])).toBeLessThan(Math.min(began[1], ended[1]));
    await said('one--docs', 'of one');
    await said('two--docs', 'of two');
    await said('docs', 'second');
  });

  it('takes in a namespace that is made ready while it runs, with a project of the same name', async () => {
    const more = `${installation.namespace}-more`;
    const headers = { authorization: `Bearer ${installation.token}` };
    const asked = async (query: string) => installation.api('GET', `/api/v1/projects/docs${query}`, { headers });
    await kubectl('default', ['create', 'namespace', more]);
    try {
      await applyIn(more, 'Project', 'docs', { source: { url: repository.url, branch: 'main' } });
      expect((await asked(`?namespace=${more}`)).status).toBe(404);
      await prepare(more, installation.namespace);
      // The head of its branch, at once: nobody has to push for that.
      await said(`docs.${more}`, 'second');
      const { sha } = await repository.push(frontEnd('third'));
      await built(installation, sha);
      await said('docs', 'third');
      await said(`docs.${more}`, 'third');
      expect((await asked('')).status).toBe(409);
      const answer = await asked(`?namespace=${more}`);
      expect(JSON.parse(answer.body)).toMatchObject({ namespace: more, url: expect.stringContaining(`//docs.${more}.sites.test/`) as string });
    } finally {
      await kubectl('default', ['delete', 'namespace', more, '--wait=false']);
    }
  });

  it('refuses what is not signed, and holds nothing back', async () => {
    const headers = { 'x-github-event': 'push', 'x-hub-signature-256': `sha256=${'0'.repeat(64)}`, 'content-type': 'application/json', 'content-length': '2' };
    expect((await installation.webhook('POST', '/webhooks/github', { headers, body: '{}' })).status).toBe(401);
    const answer = await installation.api('GET', '/api/v1/deadletters', { headers: { authorization: `Bearer ${installation.token}` } });
    // What other namespaces of the cluster hold is not this installation's to answer for.
    const { items } = JSON.parse(answer.body) as { items: { event: { data?: { namespace?: string } } }[] };
    expect(items.filter(({ event }) => event.data?.namespace === installation.projects)).toEqual([]);
  });
});
