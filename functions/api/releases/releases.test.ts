import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { labelHash } from '../../../shared/decisions/names.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';
import { createRepository, frontEnd, type TestRepository } from '../../../test/support/repository.ts';
import type { ArtifactView, VersionView } from './artifacts.ts';
import type { ProblemBody } from '../http/problem.ts';
import type { ReleaseOutcome } from './releases.ts';

let api: TestApi;
let repository: TestRepository;
beforeEach(async () => {
  api = openTestApi(['release-requested']);
  repository = createRepository(frontEnd('<h1>One</h1>'));
  await api.json(201, 'POST', '/projects', { name: 'shop', source: { url: repository.path } });
});
afterEach(async () => {
  await api.close();
  repository.remove();
});

/** A built site as a run leaves it: an Artifact, and its archive in the store. */
async function built(version: string, project = 'shop'): Promise<string> {
  const archive = await api.storage.putBlob(Buffer.from(`archive of ${version}`));
  const manifest = `sha256:${createHash('sha256').update(version).digest('hex')}`;
  const name = `${project}-${version.replaceAll('.', '-')}`;
  await api.store.objects.create<'Artifact'>({
    kind: 'Artifact',
    metadata: { name, namespace: 'default', labels: { [LABEL.project]: project, [LABEL.version]: labelHash(project, version) } },
    spec: { type: 'site', project, execution: 'e', source: 's', taskRun: 't', manifest, archive: archive.digest, files: 2, size: 10 },
    status: { phase: 'Resolved', digest: manifest, version },
  });
  return name;
}

const deploy = (body: object, wait = '?wait=10') => api.json<ReleaseOutcome>(200, 'POST', `/projects/shop/deploy${wait}`, body);
const rollback = (body: object = {}) => api.json<ReleaseOutcome>(200, 'POST', '/projects/shop/rollback?wait=10', body);

describe('deploy and rollback', () => {
  test('wait for what comes of them', async () => {
    await built('1.0.0');
    await built('1.1.0');
    expect(await deploy({ version: '1.0.0' })).toMatchObject({
      outcome: 'deployed',
      release: { url: 'http://shop.localhost:8433/', current: { version: '1.0.0' } },
    });
    expect(await deploy({ version: '1.1.0' })).toMatchObject({
      outcome: 'deployed',
      release: { current: { version: '1.1.0' }, history: [{ version: '1.0.0' }] },
    });
    expect(await deploy({ version: '1.1.0' })).toMatchObject({ outcome: 'unchanged' });
    expect(await rollback()).toMatchObject({ outcome: 'rolledback', release: { current: { version: '1.0.0', rollback: true } } });
    expect(await rollback({ version: '1.1.0' })).toMatchObject({ outcome: 'rolledback', release: { current: { version: '1.1.0' } } });
    expect(await rollback({ version: '9.9.9' })).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('9.9.9') as string });
  });

  test('without waiting the answer is 202, and the release follows', async () => {
    await built('1.0.0');
    expect(await api.json<ReleaseOutcome>(202, 'POST', '/projects/shop/deploy', { version: '1.0.0' })).toMatchObject({ outcome: 'pending' });
    await vi.waitFor(async () => expect(await api.json(200, 'GET', '/releases/shop')).toMatchObject({ current: { version: '1.0.0' } }), 5000);
    expect(await api.json(200, 'GET', '/releases?project=shop')).toMatchObject({ items: [{ project: 'shop', environment: 'production' }] });
  });

  test('another environment has a host of its own', async () => {
    await built('1.0.0');
    expect(await deploy({ version: '1.0.0', environment: 'preview-next' })).toMatchObject({ release: { url: 'http://next--shop.localhost:8433/' } });
  });

  test('what is not there is said before anything is published', async () => {
    const no = await api.json<ProblemBody>(404, 'POST', '/projects/shop/deploy', { version: '2.0.0' });
    expect(no.detail).toContain('no version "2.0.0"');
    await api.json(409, 'POST', '/projects/shop/deploy', { version: 'latest' });
    await api.json(404, 'POST', '/projects/shop/rollback');
    await api.json(404, 'POST', '/projects/none/deploy', { version: '1' });
    await api.json(422, 'POST', '/projects/shop/deploy', {});
    await api.json(400, 'POST', '/projects/shop/deploy?wait=61', { version: '1' });
    expect(api.published).toEqual([]);
  });
});

describe('versions and artifacts', () => {
  test('are listed newest first, of a project or by their name in any', async () => {
    await api.json(201, 'POST', '/projects', { name: 'docs', source: { url: repository.path } });
    await built('1.0.0');
    await built('1.1.0');
    await built('1.0.0', 'docs');
    const versions = await api.json<{ items: VersionView[] }>(200, 'GET', '/projects/shop/versions');
    expect(versions.items.map((item) => item.version)).toEqual(['1.1.0', '1.0.0']);
    const everywhere = await api.json<{ items: ArtifactView[] }>(200, 'GET', '/artifacts?version=1.0.0');
    expect(everywhere.items.map((item) => item.project).toSorted()).toEqual(['docs', 'shop']);
    expect((await api.json<{ items: ArtifactView[] }>(200, 'GET', '/artifacts?project=docs&type=git')).items).toEqual([]);
    await api.json(400, 'GET', '/artifacts?version=1.0.0&project=shop');
  });

  test('an archive is streamed with its name, size and digest', async () => {
    const name = await built('1.0.0');
    const response = await api.call('GET', `/artifacts/${name}/archive`);
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="shop-1.0.0.tar.gz"');
    expect(await response.text()).toBe('archive of 1.0.0');
    expect((await api.call('GET', '/artifacts/none/archive')).status).toBe(404);
  });
});
