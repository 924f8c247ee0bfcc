// The command against the real API over HTTP: words, JSON, exit codes, and what is never printed.
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openTestApi, type TestApi } from '../test/support/api.ts';
import { openTestCli, type TestCli, TOKEN } from '../test/support/cli.ts';
import { createRepository, frontEnd, type TestRepository } from '../test/support/repository.ts';

let api: TestApi;
let cli: TestCli;
let repository: TestRepository;
beforeEach(async () => {
  api = openTestApi(['execution-requested', 'release-requested']);
  cli = await openTestCli(api);
  repository = createRepository(frontEnd('<h1>One</h1>'));
});
afterEach(async () => {
  await cli.close();
  await api.close();
  repository.remove();
});

const json = <T = Record<string, unknown>>(text: string): T => JSON.parse(text) as T;
const add = () => cli.run('add', 'shop', repository.path, '--no-wait', '--json');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function setPhase(execution: string, status: object): Promise<void> {
  const ref = { namespace: 'default', name: execution };
  const object = await vi.waitFor(async () => {
    const found = await api.store.objects.get('Execution', ref);
    expect(found).toBeDefined();
    return found!;
  });
  await api.store.objects.updateStatus({ ...object, status: status as never });
}

describe('help and usage', () => {
  test('help begins with examples, names every command and every exit code, and is no failure', async () => {
    const { code, out, err } = await cli.run('--help');
    expect(code).toBe(0);
    expect(err).toBe('');
    expect(out).toMatch(/^Examples:\n/);
    for (const word of ['server', 'add', 'trigger', 'list', 'status', 'logs', 'deploy', 'rollback', 'Exit codes:']) expect(out).toContain(word);
  });

  test.each([
    'add',
    'list',
    'logs',
    'deploy',
    'rollback',
    'hook',
    'secret',
    'credential',
    'deadletters',
    'server',
    'remove',
    'trigger',
    'status',
    'cancel',
    'rerun',
    'install',
    'uninstall',
    'doctor',
  ])('%s --help begins with examples', async (command) => {
    const { code, out } = await cli.run(command, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(/^Examples:\n {2}tidemill /);
  });

  test('what is not understood is exit code 2, with a suggestion', async () => {
    expect(await cli.run('lits')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Did you mean list') as string });
    expect((await cli.run()).code).toBe(2);
    expect((await cli.run('deploy', 'shop')).code).toBe(2);
    expect((await cli.run('list', '--nonsense')).code).toBe(2);
    expect((await cli.run('server', '--port', '99999')).code).toBe(2);
    expect((await cli.run('add', '/nowhere/at/all')).code).toBe(2);
  });
});

describe('finding the server', () => {
  test('no server is exit code 3, with what to do', async () => {
    const none = await cli.runWith({ bare: true }, '--data', '/nowhere', 'list');
    expect(none).toMatchObject({ code: 3, err: expect.stringContaining('tidemill server --data /nowhere') as string });
    expect(await cli.runWith({ bare: true }, '--server', `http://127.0.0.1:${await freePort()}`, 'list')).toMatchObject({
      code: 3,
      err: expect.stringContaining('nothing listens') as string,
    });
  });

  test('--server with the token of the environment, of a file, or none', async () => {
    expect((await cli.runWith({ bare: true, env: { TIDEMILL_TOKEN: TOKEN } }, '--server', cli.url, 'list')).code).toBe(0);
    expect((await cli.runWith({ bare: true }, '--server', cli.url, '--token-file', `${cli.data}/token`, 'list')).code).toBe(0);
    const refused = await cli.runWith({ bare: true }, '--server', cli.url, 'list');
    expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('does not let us in') as string });
    expect((await cli.runWith({ bare: true }, '--server', 'http://user:pass@host', 'list')).code).toBe(2);
    expect((await cli.runWith({ bare: true }, '--server', cli.url, '--token-file', '/nowhere', 'list')).code).toBe(2);
  });

  test('the token is never printed', async () => {
    const all = [
      await add(),
      await cli.run('list'),
      await cli.run('status'),
      await cli.run('list', '--json'),
      await cli.run('deploy', 'none', 'x'),
      await cli.run('status', 'shop', '--json'),
    ];
    for (const { out, err } of all) expect(out + err).not.toContain(TOKEN);
  });
});

describe('projects', () => {
  test('add, list, status and remove', async () => {
    const added = await add();
    expect(added.code).toBe(0);
    expect(json(added.out)).toMatchObject({ project: { name: 'shop', source: { url: repository.path }, firstBuild: true } });
    expect(added.err).toContain('Added shop');
    expect((await cli.run('list')).out).toMatch(/^PROJECT.*\nshop +- /);
    expect(json<{ items: unknown[] }>((await cli.run('list', '--json')).out).items).toHaveLength(1);
    expect((await cli.run('status', 'shop')).out).toContain('Nothing is live.');
    expect(json((await cli.run('status', '--json')).out)).toMatchObject({ url: cli.url, projects: [{ name: 'shop' }], deadLetters: 0 });
    expect((await cli.run('remove', 'shop')).code).toBe(2);
    expect(await cli.run('remove', 'shop', '--yes')).toMatchObject({ code: 0, out: expect.stringContaining('Removed shop') as string });
    expect((await cli.run('status', 'shop')).code).toBe(4);
  });

  test('the name of the repository is the name of the project', async () => {
    const { out } = await cli.run('add', repository.path, '--no-wait', '--json');
    expect(json<{ project: { name: string } }>(out).project.name).toMatch(/^tidemill-repo-/);
  });

  test('every option of add arrives', async () => {
    const words = [
      '--branch',
      'main',
      '--directory',
      'a',
      '--install',
      '',
      '--build',
      'make',
      '--output',
      'out',
      '--env',
      'A=1',
      '--env',
      'B=x=y',
      '--poll',
      '1m',
      '--spa',
      '--lane',
      'supersede',
      '--no-previews',
    ];
    const { out } = await cli.run('add', 'shop', repository.path, ...words, '--no-wait', '--json');
    expect(json<{ project: object }>(out).project).toMatchObject({
      source: { branch: 'main' },
      build: { directory: 'a', install: '', build: 'make', output: 'out', env: { A: '1', B: 'x=y' } },
      poll: '1m',
      site: { fallback: 'spa' },
      lane: { mode: 'supersede' },
      release: { auto: true, previews: false },
    });
  });

  test('a refusal is exit code 4 with the server’s own words', async () => {
    await add();
    expect(await add()).toMatchObject({ code: 4, out: '', err: expect.stringContaining('already a project "shop"') as string });
    expect(await cli.run('add', 'other', repository.path, '--branch', 'nope')).toMatchObject({
      code: 4,
      err: expect.stringContaining('no branch "nope"') as string,
    });
  });
});

describe('following a run', () => {
  test('each step once, with its time; a build that failed is exit code 1 and says where to look', async () => {
    await add();
    const running = cli.run('trigger', 'shop');
    const execution = await vi.waitFor(async () => {
      const found = (await api.store.objects.list('Execution', { order: 'newest', limit: 2 })).items;
      expect(found).toHaveLength(1);
      return found[0]!.metadata.name;
    });
    const sha = 'a'.repeat(40);
    const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const stages = (phase: string) => [
      { name: 'build', phase, steps: [{ name: 'build', phase, started: at(0), ...(phase === 'Failed' && { ended: at(2), message: 'exit code 3' }) }] },
    ];
    await setPhase(execution, { phase: 'Running', sha, subject: 'Say hello\u001B[31m', started: at(0), stages: stages('Running') });
    await setPhase(execution, {
      phase: 'Failed',
      sha,
      subject: 'Say hello\u001B[31m',
      started: at(0),
      ended: at(2),
      stages: stages('Failed'),
      message: 'Step build/build failed: exit code 3',
    });
    const { code, out, err } = await running;
    expect(code).toBe(1);
    expect(err).toMatch(/✓ source +\d.*main {2}aaaaaaa {2}Say hello\n/);
    expect(err).toMatch(/✗ build +2\.0 s {2}exit code 3\n/);
    expect(err.match(/source/g)).toHaveLength(1);
    expect(out).toContain('The build failed: Step build/build failed: exit code 3');
    expect(out).toContain(`tidemill logs ${execution}`);
    // A reason may stand in no step's log: the commands that people look with say it as well.
    expect((await cli.run('status', 'shop')).out).toContain(`${execution} failed: Step build/build failed: exit code 3`);
    expect(await cli.run('logs', 'shop')).toMatchObject({ code: 0, err: expect.stringContaining('Failed: Step build/build failed: exit code 3') });
    expect(out + err).not.toContain('\u001B');
  });

  test('trigger says the name of what it asked for', async () => {
    await add();
    const { code, out } = await cli.run('trigger', 'shop', 'latest', '--no-wait');
    expect(code).toBe(0);
    expect(out).toMatch(/^shop-[0-9a-z]{10}\n$/);
    expect((await cli.run('trigger', 'shop', 'no-such-branch', '--no-wait')).code).toBe(4);
    expect((await cli.run('list', 'pending')).out).toContain(out.trim());
    expect(await cli.run('cancel', out.trim(), '--reason', 'no')).toMatchObject({ code: 0 });
    expect((await cli.run('list', 'v9')).code).toBe(4);
  });
});

test('errors of a file, a line each, are kept apart', async () => {
  await add();
  const { execution } = json<{ execution: string }>((await cli.run('trigger', 'shop', '--no-wait', '--json')).out);
  await setPhase(execution, { phase: 'Failed', message: '.tidemill.yaml:4:9: one\n.tidemill.yaml:5:9: two' });
  expect((await cli.run('status', 'shop')).out).toContain('.tidemill.yaml:4:9: one\n  .tidemill.yaml:5:9: two\n');
});

test('going back where nothing was ever live says so', async () => {
  await add();
  expect(await cli.run('rollback', 'shop')).toMatchObject({ code: 4, err: expect.stringContaining('Nothing of project shop has been live') });
});

describe('logs', () => {
  test('of an execution or of a project’s newest, with what could steer a terminal kept from it', async () => {
    await add();
    const execution = json<{ execution: string }>((await cli.run('trigger', 'shop', '--no-wait', '--json')).out).execution;
    await setPhase(execution, {
      phase: 'Succeeded',
      stages: [{ name: 'build', phase: 'Succeeded', steps: [{ name: 'build', phase: 'Succeeded', taskRun: 'run' }] }],
    });
    api.runner.say('run', 'hello');
    api.runner.say('run', 'world');
    api.runner.end('run');
    expect(await cli.run('logs', 'shop')).toMatchObject({ code: 0, out: 'hello\nworld\n', err: '── build · main\n' });
    expect((await cli.run('logs', execution, '-f')).err).toContain('Succeeded');
    const lines = (await cli.run('logs', execution, '--json')).out
      .trim()
      .split('\n')
      .map((line) => json(line));
    expect(lines).toMatchObject([{ stage: 'build', seq: 1, text: 'hello' }, { seq: 2 }]);
    expect((await cli.run('logs', 'none')).code).toBe(4);
  });
});

describe('secrets', () => {
  test('come from stdin, and are shown nowhere', async () => {
    const { code, out, err } = await cli.runWith({ stdin: 'hush hush\n' }, 'secret', 'set', 'npm-token');
    expect(code).toBe(0);
    expect(out + err).not.toContain('hush');
    // Where the runner looks for what a Task names: shared/runner/execution.ts
    expect(await api.secrets.get('run.default.npm-token')).toBe('hush hush');
    expect((await cli.runWith({ stdin: '' }, 'secret', 'set', 'x')).code).toBe(2);
    expect((await cli.run('secret', 'set', 'x', 'value-in-argv')).code).toBe(2);
    const added = await cli.runWith({ stdin: 'tok-1' }, 'credential', 'add', 'github', '--host', 'github.com', '--username', 'me', '--json');
    expect(added.out).not.toContain('tok-1');
    expect((await cli.run('credential', 'list')).out).toMatch(/github +basic +github\.com +me/);
    expect((await cli.run('credential', 'remove', 'github')).code).toBe(0);
  });
});

describe('hooks and dead letters', () => {
  test('a hook’s secret is shown once', async () => {
    const { out } = await cli.run('hook', 'add', 'https://example.org/in', '--name', 'chat', '--type', 'dev.tidemill.release.*');
    expect(out).toContain('whsec_');
    const listed = await cli.run('hook', 'list');
    expect(listed.out).toMatch(/chat +all +https:\/\/example\.org\/in +nothing sent yet/);
    expect(listed.out).not.toContain('whsec_');
    expect((await cli.run('hook', 'test', 'chat')).code).toBe(0);
    expect((await cli.run('hook', 'remove', 'chat')).code).toBe(0);
    expect((await cli.run('deadletters', 'list')).out).toBe('No dead letters.\n');
    expect((await cli.run('deadletters', 'redrive', '17')).code).toBe(4);
  });
});

describe('projects in several namespaces', () => {
  let many: TestApi;
  let far: TestCli;
  beforeEach(async () => {
    many = openTestApi([], { namespaces: new Set(['default', 'docs']) });
    far = await openTestCli(many);
  });
  afterEach(async () => {
    await far.close();
    await many.close();
  });

  test('are made where --namespace says, listed with it where there are several, and told apart by it', async () => {
    const made = await far.run('add', 'shop', repository.path, '--namespace', 'docs', '--no-wait', '--json');
    expect(json<{ project: object }>(made.out).project).toMatchObject({ name: 'shop', namespace: 'docs' });
    expect((await far.run('list')).out).toMatch(/^shop /m);
    expect((await far.run('--namespace', 'docs', 'status', 'shop')).code).toBe(0);
    expect((await far.run('add', 'shop', repository.path, '--no-wait')).code).toBe(0);
    expect((await far.run('list')).out).toMatch(/^default\/shop [^]*^docs\/shop /m);
    expect((await far.run('list', '--namespace', 'docs')).out).toMatch(/^shop /m);
    for (const words of [
      ['status', 'shop'],
      ['list', 'shop'],
      ['logs', 'shop'],
      ['remove', 'shop', '--yes'],
    ])
      expect(await far.run(...words)).toMatchObject({ code: 2, err: expect.stringContaining('in each of default, docs. Say which is meant') as string });
    expect((await far.run('remove', 'shop', '--yes', '--namespace', 'docs')).code).toBe(0);
    expect((await far.run('remove', 'shop', '--yes')).code).toBe(0);
    expect(await far.run('list', '--namespace', 'none')).toMatchObject({ code: 4, err: expect.stringContaining('they stand in default, docs') as string });
  });

  test('--namespace of a command of an installation is its own', async () => {
    expect((await far.run('doctor', '--help')).out).toMatch(/--namespace <name> +where tidemill itself runs/);
    expect((await far.run('doctor', '--help')).out).not.toContain('of the projects meant');
    expect((await far.run('list', '--help')).out).toContain('of the projects meant');
  });
});
