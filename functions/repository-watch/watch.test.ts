import { execFileSync } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectLabels } from '../../shared/decisions/names.ts';
import type { TidemillEvent } from '../../shared/events/event.ts';
import { createGit } from '../../shared/git/git.ts';
import { modifyStatus } from '../../shared/host/modify.ts';
import type { Obj, SpecOf } from '../../shared/objects/kinds.ts';
import { openStore } from '../../shared/store/store.ts';
import { startGitServer } from '../../test/contracts/git-server.ts';
import { handle } from '../git-push/handler.ts';
import { createRepositoryWatch, pollInterval } from './watch.ts';

const NONE = '0'.repeat(40);
const log = { info() {}, warn() {}, error() {} };
const now = () => new Date().toISOString();

let folder: string;
let repo: string;
let store: ReturnType<typeof openStore>;
let events: TidemillEvent[];
let watches: { stop(): Promise<void> }[];

function git(...args: string[]): string {
  const env = { PATH: process.env.PATH!, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: folder };
  return execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=n@example.org', ...args], { cwd: repo, env, encoding: 'utf8' }).trim();
}

let count = 0;
async function commit(message = `c${++count}`): Promise<string> {
  await writeFile(join(repo, 'file'), `${message} ${count++}`);
  git('add', '.');
  git('commit', '-qm', message);
  return git('rev-parse', 'HEAD');
}

async function addProject(name: string, spec: Partial<SpecOf<'Project'>> = {}, url = repo): Promise<Obj<'Project'>> {
  const full = { source: { url }, ...spec };
  return store.objects.create<'Project'>({ kind: 'Project', metadata: { name, namespace: 'default', labels: projectLabels(full) }, spec: full });
}

/** Starts a watch whose events are handled as git-push does; `deaf`: they are lost after they were published. */
function startWatch(deaf = false) {
  const adapter = createGit({ directory: join(folder, 'git'), allowLocal: true, credentials: async () => Promise.reject(new Error('none')) });
  const watch = createRepositoryWatch({
    objects: store.objects,
    git: adapter,
    now,
    log,
    async publish(told) {
      for (const event of told) {
        if (events.some((known) => known.id === event.id && known.source === event.source)) continue;
        events.push(event);
        if (!deaf && event.type !== 'dev.tidemill.execution.requested.v1') await write(event);
      }
    },
  });
  watch.start();
  watches.push(watch);
  return watch;
}

async function write(event: Parameters<typeof handle>[0]): Promise<void> {
  const { create = [], status, record } = await handle(event, { objects: store.objects, now, log, home: 'default', attempt: 1, lastAttempt: 10 });
  for (const object of [...create, ...(record ? [record] : [])]) await store.objects.create(object);
  if (status) await store.objects.updateStatus(status);
}

function told() {
  return events.map(({ type, data }) => {
    const { ref, before, after } = data as { ref: string; before?: string; after?: string };
    return [type.replace(/^dev\.tidemill\.|\.v1$/g, ''), ref, before, after];
  });
}

async function until(check: () => boolean | Promise<boolean>, within_ms = 5000): Promise<number> {
  const started = performance.now();
  while (!(await check())) {
    if (performance.now() - started > within_ms) throw new Error(`not within ${within_ms} ms; told: ${JSON.stringify(told())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - started;
}

const quiet = (ms = 400) => new Promise((resolve) => setTimeout(resolve, ms));

async function ready(name: string): Promise<string> {
  const project = await store.objects.get('Project', { namespace: 'default', name });
  const condition = project?.status?.conditions?.find((one) => one.type === 'Ready');
  return `${condition?.status} ${condition?.reason}`;
}

/** A project that was looked at once, its first event told. */
async function seen(name = 'site', spec: Partial<SpecOf<'Project'>> = {}): Promise<void> {
  await addProject(name, spec);
  await until(async () => (await ready(name)) === 'True RepositoryRead');
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-watch-'));
  repo = join(folder, 'repo');
  await mkdir(repo);
  git('init', '-q', '-b', 'main');
  store = openStore(join(folder, 'db'));
  events = [];
  watches = [];
});

afterEach(async () => {
  for (const watch of watches) await watch.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a local repository', () => {
  it('at first sight tells its default branch, and neither old branches nor old tags', async () => {
    const sha = await commit();
    for (const branch of ['a', 'b/c']) git('branch', branch);
    git('tag', 'v0');
    startWatch();
    await seen();
    await quiet();
    expect(told()).toEqual([['git.push', 'refs/heads/main', NONE, sha]]);
    expect((await store.objects.get('Project', { namespace: 'default', name: 'site' }))!.status!.defaultBranch).toBe('main');
  });

  it('tells the branch that the project releases where that is another', async () => {
    await commit();
    git('checkout', '-qb', 'live');
    const live = await commit();
    git('checkout', '-q', 'main');
    startWatch();
    await seen('site', { source: { url: repo, branch: 'live' } });
    expect(told()).toEqual([['git.push', 'refs/heads/live', NONE, live]]);
  });

  it('tells of a commit within a second, and of nothing else that git does', async () => {
    const first = await commit();
    startWatch();
    await seen();
    await quiet();
    git('checkout', '-q', '--detach');
    git('checkout', '-q', 'main');
    await writeFile(join(repo, 'staged'), 'x');
    git('add', '.');
    git('gc', '-q');
    await quiet();
    expect(events).toHaveLength(1);
    const second = await commit();
    expect(await until(() => events.length === 2)).toBeLessThan(1000);
    expect(told()[1]).toEqual(['git.push', 'refs/heads/main', first, second]);
    expect(events[1]!.data).toMatchObject({ teller: 'poll', repository: repo });
    expect(events[1]!.data).not.toHaveProperty('pushedAt');
  });

  it('tells of new branches in folders of their own, of tags, of a forced push and of a branch that went', async () => {
    const first = await commit();
    startWatch();
    await seen();
    git('checkout', '-qb', 'feature/deep/er');
    const feature = await commit();
    await until(() => told().some((one) => one[3] === feature));
    git('tag', '-am', 'one', 'v1');
    const tag = git('rev-parse', 'v1');
    await until(() => told().some((one) => one[3] === tag));
    git('reset', '-q', '--hard', 'main');
    const forced = await commit('another way');
    await until(() => told().some((one) => one[3] === forced));
    git('checkout', '-q', 'main');
    git('branch', '-qD', 'feature/deep/er');
    await until(() => told().some(([type]) => type === 'git.branch-deleted'));
    git('branch', 'feature/deep/er', feature);
    await until(() => told().filter((one) => one[3] === feature).length === 2);
    // The branch is told where it begins as well, when that is seen before the commit on it.
    const moves = told().filter((one) => one[1] !== 'refs/heads/main' && one[3] !== first);
    const branch = 'refs/heads/feature/deep/er';
    expect(moves.map((one) => [one[0], one[1], one[3]])).toEqual([
      ['git.push', branch, feature],
      ['git.tag', 'refs/tags/v1', tag],
      ['git.push', branch, forced],
      ['git.branch-deleted', branch, undefined],
      ['git.push', branch, feature],
    ]);
    expect(moves.map((one) => one[2]).slice(1)).toEqual([NONE, expect.any(String), forced, NONE]);
  });

  it('tells each turn of a branch that goes to and fro between two commits', async () => {
    const a = await commit();
    const b = await commit();
    startWatch();
    await seen();
    for (const sha of [a, b, a, b]) {
      const before = events.length;
      git('reset', '-q', '--hard', sha);
      await until(() => events.length === before + 1);
    }
    expect(told().map((one) => one[3])).toEqual([b, a, b, a, b]);
  });

  it('goes on as refs are packed and unpacked', async () => {
    await commit();
    git('branch', 'other');
    startWatch();
    await seen();
    git('pack-refs', '--all', '--prune');
    await quiet();
    expect(events).toHaveLength(1);
    const second = await commit();
    await until(() => events.length === 2);
    expect(told()[1]![3]).toBe(second);
  });

  it('is watched through a further work tree, and when it is bare', async () => {
    await commit();
    const main = repo;
    git('worktree', 'add', '-q', join(folder, 'tree'), '-b', 'tree');
    git('clone', '-q', '--bare', main, join(folder, 'bare.git'));
    startWatch();
    await addProject('tree', {}, join(folder, 'tree'));
    await addProject('bare', {}, join(folder, 'bare.git'));
    await until(() => events.length === 2);
    repo = join(folder, 'tree');
    const onTree = await commit();
    await until(() => told().some((one) => one[3] === onTree));
    git('push', '-q', join(folder, 'bare.git'), 'tree:pushed');
    await until(() => events.some(({ data }) => (data as { ref: string }).ref === 'refs/heads/pushed'));
  });

  it('says on the project when it vanishes, once, and goes on when it returns', async () => {
    await commit();
    startWatch();
    await seen();
    await rename(repo, `${repo}.away`);
    await until(async () => (await ready('site')) === 'False RepositoryNotFound');
    const { resourceVersion } = (await store.objects.get('Project', { namespace: 'default', name: 'site' }))!.metadata;
    await quiet(2500);
    expect((await store.objects.get('Project', { namespace: 'default', name: 'site' }))!.metadata.resourceVersion).toBe(resourceVersion);
    expect(told().filter(([type]) => type === 'git.branch-deleted')).toEqual([]);
    await rename(`${repo}.away`, repo);
    const sha = await commit();
    await until(() => events.length === 2);
    expect(told()[1]![3]).toBe(sha);
    await until(async () => (await ready('site')) === 'True RepositoryRead');
  });

  it('tells after a restart what moved, came and went meanwhile, and nothing that was there before', async () => {
    await commit();
    git('branch', 'old');
    git('tag', 'old-tag');
    const first = startWatch();
    await seen();
    git('checkout', '-qb', 'built');
    const built = await commit();
    git('branch', 'gone');
    await until(() => ['built', 'gone'].every((name) => told().some((one) => one[1] === `refs/heads/${name}` && one[3] === built)));
    await first.stop();
    const moved = await commit();
    git('branch', '-qD', 'gone');
    git('branch', 'new');
    git('tag', 'new-tag');
    events.length = 0;
    startWatch();
    await until(() => events.length >= 4);
    await quiet();
    expect(told().sort((x, y) => String(x[1]).localeCompare(String(y[1])))).toEqual([
      ['git.push', 'refs/heads/built', built, moved],
      ['git.branch-deleted', 'refs/heads/gone', built, undefined],
      ['git.push', 'refs/heads/new', NONE, moved],
      ['git.tag', 'refs/tags/new-tag', NONE, moved],
    ]);
  });

  it('tells the same again, with the same ids, when nobody recorded it before a crash', async () => {
    await commit();
    const first = startWatch();
    await seen();
    await first.stop();
    await commit();
    const before = events.length;
    const deaf = startWatch(true);
    await until(() => events.length === before + 1);
    await deaf.stop();
    const lost = events.pop()!;
    startWatch();
    await until(() => events.length === before + 1);
    expect(events.at(-1)).toMatchObject({ id: lost.id, source: lost.source, chainid: lost.chainid, data: lost.data });
  });

  it('keeps up with 200 branches that come at once', async () => {
    await commit();
    startWatch();
    await seen();
    const sha = git('rev-parse', 'HEAD');
    const lines = Array.from({ length: 200 }, (_, i) => `create refs/heads/many/${i} ${sha}\n`).join('');
    execFileSync('git', ['update-ref', '--stdin'], { cwd: repo, input: lines });
    await until(() => events.length === 201, 20_000);
    await quiet();
    expect(new Set(events.map((event) => event.id)).size).toBe(201);
  });

  it('builds the head for a second project of the same repository, for that one only', async () => {
    const sha = await commit();
    startWatch();
    await seen();
    await seen('second');
    await until(() => events.length === 2);
    await quiet(1500);
    expect(events.map(({ type }) => type)).toEqual(['dev.tidemill.git.push.v1', 'dev.tidemill.execution.requested.v1']);
    expect(events[1]!.data).toMatchObject({ project: 'second', ref: 'refs/heads/main', trigger: 'poll' });
    expect(sha).toHaveLength(40);
  });

  it('is not watched any more once its project is gone', async () => {
    await commit();
    startWatch();
    await seen();
    await store.objects.delete('Project', { namespace: 'default', name: 'site' });
    await quiet(200);
    await commit();
    await quiet(1500);
    expect(events).toHaveLength(1);
  });

  it('tells nothing of what a webhook told before', async () => {
    const first = await commit();
    startWatch();
    await seen();
    await modifyStatus(
      store.objects,
      'Lane',
      { namespace: 'default', name: 'site.branch.main' },
      (lane) => lane.status && { ...lane.status, head: 'f'.repeat(40) },
    );
    git('update-ref', 'refs/heads/copy', first);
    await until(() => events.length === 2);
    expect(told()[1]).toEqual(['git.push', 'refs/heads/copy', NONE, first]);
  });

  it('with names of branches that are shell syntax, tells them as they are', async () => {
    await commit();
    startWatch();
    await seen();
    const names = ['$(touch$IFS/tmp/x)', '`id`', 'a;b', "it's", '"q"', 'a&&b', '-dash', 'ünïcode'].map((name) => `x/${name}`);
    for (const name of names) git('update-ref', `refs/heads/${name}`, 'HEAD');
    await until(() => events.length === 1 + names.length);
    expect(
      new Set(
        told()
          .slice(1)
          .map(([, ref]) => ref),
      ),
    ).toEqual(new Set(names.map((name) => `refs/heads/${name}`)));
  });
});

describe('a remote repository', () => {
  it('is asked only where the project says so', async () => {
    await commit();
    const server = await startGitServer({ root: folder });
    try {
      startWatch();
      await addProject('webhook', {}, `${server.url}/repo`);
      await quiet(500);
      expect(server.requests).toEqual([]);
      await addProject('polled', { poll: '5s' }, `${server.url}/repo`);
      await until(() => events.length === 1);
      expect(told()[0]!.slice(0, 2)).toEqual(['git.push', 'refs/heads/main']);
    } finally {
      await server.close();
    }
  });

  it('is polled every five seconds at most', () => {
    const every = (poll?: string) => pollInterval({ spec: { source: { url: 'https://x/y' }, ...(poll && { poll }) } } as Obj<'Project'>);
    expect([every(), every('1s'), every('90s'), every('1h30m'), every('250ms')]).toEqual([undefined, 5000, 90_000, 5_400_000, 5000]);
  });
});

describe('stopping', () => {
  it('does not wait for a server that never answers', async () => {
    await commit();
    const server = await startGitServer({ root: folder, before: () => true });
    const watch = startWatch();
    await addProject('polled', { poll: '5s' }, `${server.url}/repo`);
    await until(() => server.requests.length > 0);
    const started = performance.now();
    await watch.stop();
    expect(performance.now() - started).toBeLessThan(2000);
    await server.close();
    await quiet(200);
    expect(events).toEqual([]);
    expect(await ready('polled')).toBe('undefined undefined');
  });

  it('twice, or before anything began, is no error', async () => {
    const watch = startWatch();
    await watch.stop();
    await watch.stop();
  });
});
