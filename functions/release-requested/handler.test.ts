import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelHash, releaseName } from '../../shared/decisions/names.ts';
import type { EventData } from '../../shared/events/types.ts';
import { LABEL } from '../../shared/objects/meta.ts';
import { eventOf } from '../../test/fakes/events.ts';
import { openWorld, type World } from '../../test/fakes/world.ts';

type Data = EventData<'dev.tidemill.release.requested.v1'>;
let world: World;
beforeEach(async () => {
  world = openWorld();
  await world.project('site');
  for (const version of ['v1', 'v2', 'v3']) await artifact(version);
});
afterEach(() => world.close());

const DIGEST = `sha256:${'a'.repeat(64)}`;
const artifact = (version: string) =>
  world.objects.create<'Artifact'>({
    kind: 'Artifact',
    metadata: { name: `site-${version}`, namespace: 'default', labels: { [LABEL.project]: 'site', [LABEL.version]: labelHash('site', version) } },
    spec: {
      type: 'site',
      project: 'site',
      execution: 'e',
      source: 's',
      taskRun: 't',
      manifest: DIGEST,
      archive: DIGEST,
      files: 1,
      size: 1,
      site: { fallback: 'spa' },
    },
    status: { phase: 'Resolved', version, digest: DIGEST },
  });
let ids = 0;
const request = (of: Partial<Data>, id = `r${ids++}`) =>
  world.run(
    'release-requested',
    eventOf(
      'dev.tidemill.release.requested.v1',
      { namespace: 'default', project: 'site', environment: 'production', action: 'deploy', trigger: 'user', ...of },
      id,
    ),
  );
const release = async (environment = 'production') => world.get('Release', releaseName('site', environment));
const live = async () => (await release()).status!.current?.version;

describe('release-requested', () => {
  it('makes the first release, and tells what is live and where', async () => {
    const { emitted } = await request({ artifact: 'site-v1', by: 'ada' });
    expect(await release()).toMatchObject({
      metadata: { name: 'site', labels: { [LABEL.project]: 'site', [LABEL.environment]: 'production', [LABEL.host]: 'site' } },
      spec: { project: 'site', environment: 'production', host: 'site' },
      status: { current: { version: 'v1', artifact: 'site-v1', manifest: DIGEST, by: 'ada', site: { fallback: 'spa' } }, history: [] },
    });
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.release.deployed.v1', subject: 'site', data: { release: 'site', version: 'v1', digest: DIGEST, environment: 'production' } },
    ]);
  });

  it('finds what is asked for by its version, or as the latest', async () => {
    await request({ version: 'v2' });
    expect(await live()).toBe('v2');
    const project = await world.get('Project', 'site');
    await world.objects.updateStatus({ ...project, status: { ...project.status, latest: { artifact: 'site-v3', version: 'v3', at: '2026-11-03T10:00:00Z' } } });
    await request({ version: 'latest' });
    expect(await live()).toBe('v3');
  });

  it('keeps previews apart from production and from one another', async () => {
    await request({ artifact: 'site-v1' });
    await request({ artifact: 'site-v2', environment: 'preview-next' });
    expect((await release('preview-next')).metadata.name).toBe('next--site');
    expect([await live(), (await release('preview-next')).status!.current!.version]).toEqual(['v1', 'v2']);
  });

  it('told again moves nothing: a rollback goes back once', async () => {
    for (const version of ['v1', 'v2', 'v3']) await request({ version });
    const { emitted } = await request({ action: 'rollback' }, 'once');
    expect(world.types(emitted)).toEqual(['release.rolledback']);
    expect(await live()).toBe('v2');
    expect(world.types((await request({ action: 'rollback' }, 'again')).emitted)).toEqual(['release.rolledback']);
    expect(await live()).toBe('v1');
  });

  it('of what is live already changes nothing, and says it is live', async () => {
    await request({ artifact: 'site-v1' });
    const before = await world.picture(['Release']);
    expect((await request({ artifact: 'site-v1' })).emitted).toMatchObject([{ type: 'dev.tidemill.release.deployed.v1' }]);
    expect(await world.picture(['Release'])).toEqual(before);
  });

  it.each([
    ['an artifact that is not there', { artifact: 'gone' }, 'There is no artifact gone'],
    ['a version that is not there', { version: 'v9' }, 'There is no version v9 of site; `tidemill list site` shows those there are'],
    ['the latest, where nothing was built', { version: 'latest' }, 'Nothing was built from the default branch of site yet'],
    ['nothing', {}, 'Neither an artifact nor a version was named'],
    ['a rollback where nothing is live', { action: 'rollback' as const }, 'nothing is live here, so there is nothing to roll back'],
  ])('refuses %s, on the release and to all who listen', async (_, of, reason) => {
    const { settled, emitted } = await request(of);
    expect(settled).toEqual({ kind: 'done' });
    expect(emitted).toMatchObject([{ type: 'dev.tidemill.release.refused.v1', data: { reason, environment: 'production' } }]);
    expect((await release()).status!.refused).toMatchObject({ reason });
  });

  it('refuses what is older than what is live, when nobody asked for it', async () => {
    const of = { trigger: 'webhook' as const, lane: 'site.branch.main' };
    await request({ ...of, artifact: 'site-v2', number: 2 });
    const { emitted } = await request({ ...of, artifact: 'site-v1', number: 1 });
    expect(emitted).toMatchObject([
      { type: 'dev.tidemill.release.refused.v1', data: { artifact: 'site-v1', reason: expect.stringContaining('number 1 is older than number 2') } },
    ]);
    expect(await live()).toBe('v2');
    await request({ ...of, artifact: 'site-v3', number: 3 });
    expect((await release()).status).not.toHaveProperty('refused');
  });

  it('ends the same in any order of two automatic releases, told any number of times', async () => {
    const of = { trigger: 'webhook' as const, lane: 'site.branch.main' };
    const [one, two] = [1, 2].map((number) => () => request({ ...of, artifact: `site-v${number}`, number }, `auto-${number}`)) as [
      () => Promise<unknown>,
      () => Promise<unknown>,
    ];
    for (const each of [two, one, one, two, one]) await each();
    expect(await live()).toBe('v2');
    await Promise.all([one(), two(), one(), two()]);
    expect(await live()).toBe('v2');
  });

  it('loses no request when two come at once', async () => {
    await Promise.all([request({ artifact: 'site-v1' }), request({ artifact: 'site-v2' }), request({ artifact: 'site-v3' })]);
    const { current, history } = (await release()).status!;
    expect([current, ...history].map((entry) => entry!.version).toSorted()).toEqual(['v1', 'v2', 'v3']);
  });

  it('takes an environment off the air, and again', async () => {
    await request({ artifact: 'site-v1', environment: 'preview-next' });
    for (let n = 0; n < 2; n++) {
      const { emitted } = await request({ action: 'retire', environment: 'preview-next' });
      expect(emitted).toMatchObject([{ type: 'dev.tidemill.release.retired.v1', data: { release: 'next--site' } }]);
    }
    expect((await release('preview-next')).status).toMatchObject({ history: [{ version: 'v1' }] });
    expect((await release('preview-next')).status).not.toHaveProperty('current');
  });

  it('is refused for good for a project that is gone, or an address that is another environment’s', async () => {
    expect((await request({ project: 'gone' })).settled).toEqual({ kind: 'dead', reason: 'There is no project gone; it was removed, or never added' });
    await request({ artifact: 'site-v1', environment: 'preview-next' });
    expect((await request({ artifact: 'site-v2', environment: 'next' })).settled).toMatchObject({
      kind: 'dead',
      reason: expect.stringContaining('next--site is the address of preview-next of site already'),
    });
    expect((await release('preview-next')).status!.current!.version).toBe('v1');
  });
});
