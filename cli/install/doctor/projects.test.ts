// On a cluster in memory: what is said of projects that stand where nobody looks.
import { beforeEach, expect, test } from 'vitest';
import { projectNamespace } from '../../../knative/generate/manifests.ts';
import type { KubeObject } from '../../../knative/generate/object.ts';
import { keyOf, type Live, type Resources } from '../cluster/resources.ts';
import type { Wanted } from '../options.ts';
import { checkProjects } from './projects.ts';

let live: Map<string, Live>;

const put = (...objects: KubeObject[]) => {
  for (const object of objects) {
    const metadata = { uid: keyOf(object), resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', ...object.metadata };
    live.set(keyOf(object), { ...object, metadata });
  }
};
const namespace = (name: string) => put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
const project = (of: string, name: string) => {
  namespace(of);
  put({ apiVersion: 'tidemill.dev/v1alpha1', kind: 'Project', metadata: { name, namespace: of } });
};
const resources = {
  get: async (ref) => live.get(keyOf(ref)),
  list: async (_apiVersion, kind) => [...live.values()].filter((object) => object.kind === kind),
} as Pick<Resources, 'get' | 'list'> as Resources;
const found = async (wanted: string) => {
  const findings = await checkProjects(resources, { namespace: 'mill', projects: ['shop'] } as Wanted, 'tidemill install --namespace mill');
  return findings.flatMap(({ state, said, todo }) => (state === wanted ? [{ said, todo }] : []));
};
const wrongs = () => found('wrong');

beforeEach(() => {
  live = new Map();
  namespace('shop');
  put(...projectNamespace('shop', 'mill'));
});

test('nothing is wrong with projects where they are looked after, nor with those of another installation', async () => {
  project('shop', 'site');
  project('theirs', 'site');
  put(...projectNamespace('theirs', 'other'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'tidemill-config', namespace: 'other' } });
  expect(await wrongs()).toEqual([]);
});

test('of a project in a namespace that is nobody’s it is said which, why nothing comes of it, and what makes it ready', async () => {
  project('docs', 'handbook');
  expect(await wrongs()).toEqual([
    {
      said: 'Project handbook in docs: nothing comes of it, as the namespace was not made ready for projects',
      todo: 'tidemill install --namespace mill --project-namespace docs',
    },
  ]);
  for (const name of ['a', 'b', 'c', 'd']) project('docs', name);
  expect((await wrongs())[0]!.said).toMatch(/^Project a, b, c and 2 more in docs: nothing comes of them/);
});

test('a binding that anybody could write makes nothing ready', async () => {
  project('docs', 'handbook');
  const [marker] = projectNamespace('docs', 'mill').filter(({ metadata }) => metadata.name === 'tidemill-watcher');
  put({ ...marker!, roleRef: { kind: 'ClusterRole', name: 'view' } });
  expect(await wrongs()).toMatchObject([{ said: expect.stringContaining('was not made ready') as string }]);
});

test('a namespace of ours whose binding is another account’s is said to be left alone', async () => {
  put(
    ...projectNamespace('shop', 'mill').map((object) => ({ ...object, subjects: [{ kind: 'ServiceAccount', name: 'watcher', namespace: 'tidemill-system' }] })),
  );
  expect(await wrongs()).toMatchObject([{ said: expect.stringContaining('shop is left alone') as string, todo: 'tidemill install --namespace mill' }]);
});

test('a namespace that waits for an installation which is not there, and tidemill’s own, are said to be so', async () => {
  project('docs', 'handbook');
  put(...projectNamespace('docs', 'gone'));
  project('mill', 'site');
  expect(await found('note')).toMatchObject([{ said: expect.stringContaining('made ready for an installation in gone, and there is none') as string }]);
  expect(await wrongs()).toMatchObject([{ said: expect.stringContaining('that of tidemill itself') as string }]);
});
