import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commitName, executionName } from '../../../shared/decisions/names.ts';
import { type Archive, createArchive } from '../../../shared/host/archive.ts';
import type { Obj, StatusOf } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { createFsStorage } from '../../../shared/storage/fs.ts';
import { REPOSITORY, sha } from '../../../test/fakes/events.ts';
import { openWatcherWorld, quiet, until, type WatcherWorld } from '../../../test/support/watcher.ts';
import { createFinished } from './finished.ts';

let world: WatcherWorld;
let folder: string;
let storage: ReturnType<typeof createFsStorage>;
let archive: Archive;
beforeEach(() => {
  world = openWatcherWorld();
  folder = mkdtempSync(join(tmpdir(), 'tidemill-archive-'));
  storage = createFsStorage({ directory: folder });
  archive = createArchive({ storage });
});
afterEach(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const DAY_MS = 86_400_000;
const nameOf = (n: number, project = 'site') => executionName(project, `run-${n}`);

/** An execution with its source, its TaskRun and its site. */
async function run(n: number, ended: string, status: Partial<StatusOf<'Execution'>> = {}, project = 'site'): Promise<Obj<'Execution'>> {
  const name = nameOf(n, project);
  const labels = { [LABEL.project]: project, [LABEL.execution]: name };
  const spec = { project, lane: `${project}.branch.main`, number: n + 1, ref: 'refs/heads/main', trigger: 'user' as const, source: `${name}-source` };
  await world.create('Artifact', `${name}-source`, { type: 'git', project, execution: name, url: REPOSITORY, ref: 'main' }, { labels }, { phase: 'Resolved' });
  const digest = `sha256:${'1'.repeat(64)}`;
  const site = {
    type: 'site' as const,
    project,
    execution: name,
    source: `${name}-source`,
    taskRun: `${name}-a-b`,
    manifest: digest,
    archive: digest,
    files: 1,
    size: 1,
  };
  await world.create('Artifact', `${name}.site`, site, { labels }, { phase: 'Resolved', version: `1.0.${n}` });
  await world.create(
    'TaskRun',
    `${name}-a-b`,
    { taskSpec: { steps: [{ script: 'true' }] } },
    { labels },
    { conditions: [{ type: 'Succeeded', status: 'True' }] },
  );
  return world.create('Execution', name, spec, { labels: { [LABEL.project]: project } }, { phase: 'Succeeded', ended, ...status });
}

const start = (more: object = {}) => world.start({ archive: { archive, isLogged: async () => true, every_ms: 30, ...more } });
const left = async (kind: 'Execution' | 'Artifact' | 'TaskRun') => (await world.objects.list(kind)).items.map(({ metadata }) => metadata.name).toSorted();

describe('history', () => {
  it('older than a day is archived whole, and found by name', async () => {
    const old = await run(1, ago(DAY_MS + 1000));
    await run(2, ago(1000));
    start();
    await until(async () => (await left('Execution')).length === 1);
    expect(await left('TaskRun')).toEqual([`${nameOf(2)}-a-b`]);
    const document = await archive.get('default', nameOf(1));
    expect(document).toMatchObject({ execution: { metadata: { uid: old.metadata.uid } }, taskRuns: [{ metadata: { name: `${nameOf(1)}-a-b` } }] });
    expect(document!.artifacts.map(({ metadata }) => metadata.name)).toEqual([`${nameOf(1)}-source`]);
    // Its site is among the newest: it can be deployed by its version for long.
    expect(await left('Artifact')).toEqual([`${nameOf(1)}.site`, `${nameOf(2)}-source`, `${nameOf(2)}.site`].toSorted());
  });

  it('keeps the source that others run at, until the last of them is archived; it is found by its name then', async () => {
    const source = commitName('site', { url: REPOSITORY }, sha('a'));
    const git = { type: 'git' as const, project: 'site', execution: nameOf(1), url: REPOSITORY, ref: sha('a') };
    await world.create('Artifact', source, git, { labels: { [LABEL.project]: 'site', [LABEL.execution]: nameOf(1) } }, { phase: 'Resolved' });
    const spec = { project: 'site', lane: 'site.tags', number: 1, ref: 'refs/tags/v1', trigger: 'user' as const, source };
    const of = async (n: number, ended: string) =>
      world.create('Execution', nameOf(n), spec, { labels: { [LABEL.project]: 'site', [LABEL.source]: source } }, { phase: 'Succeeded', ended });
    await of(1, ago(DAY_MS * 2));
    const second = await of(2, ago(1000));
    start();
    await until(async () => (await left('Execution')).length === 1);
    await quiet(150);
    expect(await left('Artifact')).toEqual([source]);
    await world.objects.updateStatus({ ...second, status: { ...second.status!, ended: ago(DAY_MS * 2) } });
    await until(async () => (await left('Execution')).length === 0);
    expect(await left('Artifact')).toEqual([]);
    const found = await archive.getBySource('default', source);
    expect(found).toMatchObject({ execution: { metadata: { name: nameOf(2) } }, artifacts: [{ metadata: { name: source } }] });
    expect(await archive.getBySource('default', commitName('site', { url: REPOSITORY }, sha('b')))).toBeUndefined();
  });

  it('beyond so many is archived, the oldest first', async () => {
    for (let n = 0; n < 6; n++) await run(n, ago(10_000 - n * 1000));
    start({ limits: { most: 2 } });
    await until(async () => (await left('Execution')).length === 2);
    await quiet(150);
    expect(await left('Execution')).toEqual([nameOf(4), nameOf(5)].toSorted());
  });

  it('is listed newest first, of a project and of all, page by page', async () => {
    for (let n = 0; n < 5; n++) {
      await run(n, ago(DAY_MS * 2), {}, n === 2 ? 'docs' : 'site');
      await quiet(3);
    }
    start();
    await until(async () => (await left('Execution')).length === 0);
    const names: string[] = [];
    let next: string | undefined;
    do {
      const page = await archive.list({ namespaces: ['default'], limit: 2, continue: next });
      names.push(...page.items.map(({ metadata }) => metadata.name));
      next = page.continue;
    } while (next);
    expect(names).toEqual([nameOf(4), nameOf(3), nameOf(2, 'docs'), nameOf(1), nameOf(0)]);
    const site = await archive.list({ namespaces: ['default'], project: 'site', limit: 10 });
    expect(site.items.map(({ metadata }) => metadata.name)).toEqual([nameOf(4), nameOf(3), nameOf(1), nameOf(0)]);
    expect((await archive.list({ namespaces: ['other'], limit: 10 })).items).toEqual([]);
  });

  it.each([
    ['runs', { phase: 'Running' as const }],
    ['has something to tell', { outbox: [{ cause: 'c', at: ago(0), events: ['{}'] }] }],
  ])('stays while it %s', async (_what, status) => {
    await run(1, ago(DAY_MS * 2), status);
    start();
    await quiet(300);
    expect(await left('Execution')).toEqual([nameOf(1)]);
    expect((await storage.list('archive/')).keys).toEqual([]);
  });

  it('stays while its lines are not all in Storage', async () => {
    await run(1, ago(DAY_MS * 2));
    start({ isLogged: async () => false });
    await quiet(300);
    expect(await left('TaskRun')).toHaveLength(1);
    expect((await storage.list('archive/')).keys).toEqual([]);
  });

  it('loses nothing when Storage does not take it', async () => {
    await run(1, ago(DAY_MS * 2));
    const failing = createArchive({ storage: { ...storage, put: () => Promise.reject(new Error('S3 says 500')) } });
    start({ archive: failing });
    await quiet(300);
    expect([await left('Execution'), await left('TaskRun'), await left('Artifact')].flat()).toHaveLength(4);
  });

  it('killed half-way it goes on, and the document keeps what it had', async () => {
    await run(1, ago(DAY_MS * 2));
    const objects = {
      ...world.objects,
      delete: async (...args: Parameters<typeof world.objects.delete>) =>
        args[0] === 'TaskRun' ? world.objects.delete(...args) : Promise.reject(new Error('killed here')),
    };
    const first = world.start({ objects, archive: { archive, isLogged: async () => true, every_ms: 30 } });
    await until(async () => (await left('TaskRun')).length === 0);
    await first.stop(1000);
    start();
    await until(async () => (await left('Execution')).length === 0);
    expect((await archive.get('default', nameOf(1)))!.taskRuns).toHaveLength(1);
    expect((await archive.list({ namespaces: ['default'], limit: 10 })).items).toHaveLength(1);
  });

  it('leaves the sites that a release has or had live, and takes those beyond the newest', async () => {
    const many = 53;
    for (let n = 0; n < many; n++) {
      await run(n, ago(DAY_MS * 2));
      // So that none is as new as the next.
      await quiet(2);
    }
    const live = (n: number) => ({
      artifact: `${nameOf(n)}.site`,
      version: `1.0.${n}`,
      manifest: `sha256:${'1'.repeat(64)}`,
      at: ago(0),
      trigger: 'user' as const,
    });
    const release = { project: 'site', environment: 'production', host: 'site' };
    await world.create(
      'Release',
      'site',
      release,
      { labels: { [LABEL.project]: 'site', [LABEL.environment]: 'production', [LABEL.host]: 'site' } },
      { history: [live(0)], current: live(1) },
    );
    start();
    await until(async () => (await left('Execution')).length === 0, undefined, 20_000);
    const sites = await left('Artifact');
    expect(sites).toHaveLength(many - 1);
    expect(sites).not.toContain(`${nameOf(2)}.site`);
    expect((await archive.get('default', nameOf(2)))!.artifacts).toHaveLength(2);
  });
});

describe('what is finished', () => {
  it('is picked oldest first, bounded, and without what was postponed', () => {
    const finished = createFinished();
    const ended = (name: string, at: number) =>
      finished.changed({
        metadata: { namespace: 'n', name, creationTimestamp: '' },
        status: { phase: 'Failed', ended: new Date(at).toISOString() },
      } as Obj<'Execution'>);
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) ended(name, 1000 * index);
    const limits = { keep_ms: 1500, most: 10 };
    const names = (count = 10, now = 3000) => finished.pick(now, limits, count).map(({ name }) => name);
    expect(names()).toEqual(['a', 'b']);
    expect(names(1)).toEqual(['a']);
    finished.postpone({ namespace: 'n', name: 'a' }, 4000);
    expect(names()).toEqual(['b']);
    expect(names(10, 4000)).toEqual(['a', 'b', 'c']);
    finished.gone({ namespace: 'n', name: 'b' });
    expect(finished.pick(0, { keep_ms: 1e9, most: 1 }, 10).map(({ name }) => name)).toEqual(['c']);
  });
});
