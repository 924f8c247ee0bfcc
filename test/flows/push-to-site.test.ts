// The whole chain on one machine with real parts: git, npm, SQLite, files, HTTP.
import { afterEach, describe, expect, test } from 'vitest';
import type { ExecutionView } from '../../functions/api/executions/execution-view.ts';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import { createRepository, type Files, frontEnd, type TestRepository } from '../support/repository.ts';
import { type Machine, startMachine, until } from '../support/machine.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Setup {
  machine: Machine;
  repository: TestRepository;
}

/** A machine with project "shop" from a repository, its first build released. */
async function setup(files: Files, project: object = {}): Promise<Setup> {
  const repository = createRepository(files);
  cleanUps.push(repository.remove);
  const machine = await startMachine();
  cleanUps.push(machine.stop);
  await machine.api('POST', '/projects', { name: 'shop', source: { url: repository.path }, ...project });
  return { machine, repository };
}

async function executions(machine: Machine): Promise<ExecutionView[]> {
  return (await machine.api<{ items: ExecutionView[] }>('GET', '/executions?project=shop')).items;
}

async function finished(machine: Machine, sha: string): Promise<ExecutionView> {
  return until(`execution of ${sha}`, async () =>
    (await executions(machine)).find((e) => e.sha === sha && ['Succeeded', 'Failed', 'Cancelled'].includes(e.phase)),
  );
}

async function shows(machine: Machine, text: string, host = 'shop'): Promise<void> {
  await until(`"${text}" on ${host}`, async () => ((await machine.page(host)).text.includes(text) ? true : undefined));
}

describe('a push becomes a released site', () => {
  test('an npm project is installed, built and served, with its version and archive in the store', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>One</h1>'));
    await shows(machine, 'One');
    const sha = repository.git('rev-parse', 'HEAD');
    const execution = await finished(machine, sha);
    expect(execution).toMatchObject({ phase: 'Succeeded', sha, number: 1 });
    const project = await machine.api<ProjectView>('GET', '/projects/shop');
    expect(project.releases[0]?.current?.version).toMatch(new RegExp(`^1\\.0\\.0-\\d{14}-${sha.slice(0, 7)}$`));
    expect((await machine.page('shop', '/nothing')).text).toContain('Not here');
  });

  test('a commit in a local repository is live without a webhook; a webhook that tells of it again changes nothing', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>One</h1>'));
    await shows(machine, 'One');
    const before = repository.git('rev-parse', 'HEAD');
    const after = repository.commit({ 'src/index.html': '<h1>Two</h1>' });
    await shows(machine, 'Two');
    for (let i = 0; i < 2; i++) expect((await machine.push({ repository: repository.path, before, after })).status).toBe(202);
    await finished(machine, after);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await executions(machine)).map((e) => e.sha)).toEqual([after, before]);
  });

  test('the same webhook sent three times at once is one push', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>One</h1>'));
    await shows(machine, 'One');
    const before = repository.git('rev-parse', 'HEAD');
    const after = repository.commit({ 'src/index.html': '<h1>Two</h1>' });
    await Promise.all([1, 2, 3].map(() => machine.push({ repository: repository.path, before, after })));
    await shows(machine, 'Two');
    await finished(machine, after);
    expect((await executions(machine)).filter((e) => e.sha === after)).toHaveLength(1);
  });

  test('ten pushes without a bump of the version are ten versions', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>0</h1>'), { build: { install: '' } });
    await shows(machine, '<h1>0</h1>');
    for (let i = 1; i < 10; i++) {
      const sha = repository.commit({ 'src/index.html': `<h1>${i}</h1>` });
      expect((await finished(machine, sha)).phase).toBe('Succeeded');
    }
    await shows(machine, '<h1>9</h1>');
    const { items } = await machine.api<{ items: { version: string }[] }>('GET', '/projects/shop/versions');
    expect(new Set(items.map((item) => item.version)).size).toBe(10);
  });

  test('a repository with only an index.html is released as it is', async () => {
    const { machine } = await setup({ 'index.html': '<h1>Plain</h1>', 'style.css': 'body{}' });
    await shows(machine, 'Plain');
    expect((await machine.page('shop', '/style.css')).headers['content-type']).toContain('text/css');
  });

  test('.tidemill.yaml says how the site is served, and a rollback serves as the earlier commit said', async () => {
    const { machine, repository } = await setup({ 'index.html': '<h1>App</h1>', '.tidemill.yaml': 'site: { fallback: spa }\n' });
    await shows(machine, 'App');
    expect(await machine.page('shop', '/any/where', { accept: 'text/html' })).toMatchObject({ status: 200, text: '<h1>App</h1>' });
    repository.commit({ 'index.html': '<h1>Pages</h1>', '.tidemill.yaml': 'site: { fallback: "404" }\n' });
    await shows(machine, 'Pages');
    expect((await machine.page('shop', '/any/where', { accept: 'text/html' })).status).toBe(404);
    await machine.api('POST', '/projects/shop/rollback', {});
    await shows(machine, 'App');
    expect((await machine.page('shop', '/any/where', { accept: 'text/html' })).status).toBe(200);
  });

  test('a repository with neither says what to do', async () => {
    const { machine, repository } = await setup({ 'notes.txt': 'nothing to build' });
    const execution = await finished(machine, repository.git('rev-parse', 'HEAD'));
    expect(execution.phase).toBe('Failed');
    expect(execution.message).toMatch(/package\.json/);
    expect(execution.message).toMatch(/\.tidemill\.yaml/);
  });

  test('an error in .tidemill.yaml names the line', async () => {
    const { machine, repository } = await setup({ 'index.html': 'x', '.tidemill.yaml': 'site:\n  fallback: nowhere\n' });
    const execution = await finished(machine, repository.git('rev-parse', 'HEAD'));
    expect(execution.phase).toBe('Failed');
    expect(execution.message).toMatch(/\.tidemill\.yaml:2:13: /);
  });

  test('a build that fails leaves the live version, and says which step failed', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>One</h1>'));
    await shows(machine, 'One');
    const sha = repository.commit({ 'build.mjs': 'console.error("boom"); process.exit(3);\n' });
    const execution = await finished(machine, sha);
    expect(execution.phase).toBe('Failed');
    expect(execution.message).toMatch(/build/);
    await shows(machine, 'One');
  });
});

describe('branches, tags and lanes', () => {
  test('a branch has a preview of its own, which goes with it', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>Main</h1>'));
    await shows(machine, 'Main');
    repository.git('checkout', '-q', '-b', 'feature/new-look');
    repository.commit({ 'src/index.html': '<h1>Feature</h1>' });
    const preview = await until('preview', async () => {
      const { releases } = await machine.api<ProjectView>('GET', '/projects/shop');
      return releases.find((release) => release.environment !== 'production' && release.current);
    });
    await shows(machine, 'Feature', preview.host);
    await shows(machine, 'Main');
    repository.git('checkout', '-q', 'main');
    repository.git('branch', '-D', 'feature/new-look');
    await until('preview gone', async () => ((await machine.page(preview.host)).text.includes('Feature') ? undefined : true));
  });

  test('a tag is built under its own name and not released by itself', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>One</h1>'));
    await shows(machine, 'One');
    repository.git('tag', 'v2.0.0');
    await until('version', async () => {
      const { items } = await machine.api<{ items: { version: string }[] }>('GET', '/projects/shop/versions');
      return items.find((item) => item.version === 'v2.0.0');
    });
    const { releases } = await machine.api<ProjectView>('GET', '/projects/shop');
    expect(releases[0]?.current?.version).not.toBe('v2.0.0');
  });

  test('queue: pushes of one branch are built one after another, in order', async () => {
    const { machine, repository } = await setup(slow('0'), { build: { install: '' } });
    await shows(machine, '<h1>0</h1>');
    const shas = await commitsTold(machine, repository, ['1', '2', '3']);
    const done = await Promise.all(shas.map((sha) => finished(machine, sha)));
    expect(done.map((e) => e.phase)).toEqual(['Succeeded', 'Succeeded', 'Succeeded']);
    expect(done.map((e) => e.number)).toEqual([2, 3, 4]);
    expect(done[1]!.started! >= done[0]!.ended!).toBe(true);
    expect(done[2]!.started! >= done[1]!.ended!).toBe(true);
    await shows(machine, '<h1>3</h1>');
  });

  test('supersede: a newer push ends the older ones', async () => {
    const { machine, repository } = await setup(slow('0'), { build: { install: '' }, lane: { mode: 'supersede' } });
    await shows(machine, '<h1>0</h1>');
    const shas = await commitsTold(machine, repository, ['1', '2', '3']);
    const done = await Promise.all(shas.map((sha) => finished(machine, sha)));
    expect(done.map((e) => e.phase)).toEqual(['Cancelled', 'Cancelled', 'Succeeded']);
    expect(done[0]!.message).toMatch(/superseded/);
    await shows(machine, '<h1>3</h1>');
  });

  test('parallel: an older commit that finishes last does not replace the newer release', async () => {
    const { machine, repository } = await setup(slow('0'), { build: { install: '' }, lane: { mode: 'parallel' } });
    await shows(machine, '<h1>0</h1>');
    const [older, newer] = await commitsTold(machine, repository, ['late', 'early'], { late: '2000', early: '100' });
    expect((await finished(machine, newer!)).phase).toBe('Succeeded');
    await shows(machine, '<h1>early</h1>');
    expect((await finished(machine, older!)).phase).toBe('Succeeded');
    await until('refusal', async () => (await machine.api<ProjectView>('GET', '/projects/shop')).releases[0]?.refused);
    await shows(machine, '<h1>early</h1>');
  });
});

describe('release and rollback', () => {
  test('rollback goes back and deploy goes forward, with nothing built again', async () => {
    const { machine, repository } = await setup(frontEnd('<h1>One</h1>'), { build: { install: '' } });
    await shows(machine, 'One');
    repository.commit({ 'src/index.html': '<h1>Two</h1>' });
    await shows(machine, 'Two');
    await machine.api('POST', '/projects/shop/rollback', {});
    await shows(machine, 'One');
    await machine.api('POST', '/projects/shop/deploy', { version: 'latest' });
    await shows(machine, 'Two');
    expect(await executions(machine)).toHaveLength(2);
  });
});

test('state is kept over a restart', async () => {
  const { machine, repository } = await setup(frontEnd('<h1>One</h1>'), { build: { install: '' } });
  await shows(machine, 'One');
  const { data } = machine;
  await machine.server.close(5000);
  const again = await startMachine({ data });
  cleanUps.push(again.stop);
  expect((await again.page('shop')).text).toContain('One');
  repository.commit({ 'src/index.html': '<h1>Two</h1>' });
  await shows(again, 'Two');
});

/** Takes as long as the file `wait` of its commit says (milliseconds). */
function slow(title: string): Files {
  return {
    ...frontEnd(`<h1>${title}</h1>`),
    wait: '400',
    'build.mjs':
      "import { cpSync, readFileSync } from 'node:fs'; setTimeout(() => cpSync('src', 'dist', { recursive: true }), Number(readFileSync('wait')));\n",
  };
}

/** Commits one after another and tells of each by webhook at once, before it is built. */
async function commitsTold(machine: Machine, { path, git, commit }: TestRepository, titles: string[], waits: Record<string, string> = {}): Promise<string[]> {
  const shas: string[] = [];
  for (const [i, title] of titles.entries()) {
    const before = git('rev-parse', 'HEAD');
    const after = commit({ 'src/index.html': `<h1>${title}</h1>`, wait: waits[title] ?? '400' });
    await machine.push({ repository: path, before, after, pushedAt: 1_790_000_000 + i });
    await until(`execution of ${title}`, async () => (await executions(machine)).find((e) => e.sha === after));
    shas.push(after);
  }
  return shas;
}
