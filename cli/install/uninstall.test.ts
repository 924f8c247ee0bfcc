// On a cluster in memory: taking the definitions away takes every project of everybody's with it, which no shared cluster should see.
import { beforeEach, expect, test } from 'vitest';
import { customResources } from '../../knative/generate/crds.ts';
import type { KubeObject } from '../../knative/generate/object.ts';
import type { Cli } from '../cli.ts';
import type { Cluster } from './cluster/connect.ts';
import { keyOf, type Live, type Resources, titleOf } from './cluster/resources.ts';
import { uninstallCommand } from './command.ts';

let live: Map<string, Live>;
let removed: string[];
let answered: { value: unknown; text: string };

const put = (object: KubeObject) => {
  const metadata = { uid: keyOf(object), resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', ...object.metadata };
  live.set(keyOf(object), { ...object, metadata });
};
const labels = (installation: string) => ({ 'app.kubernetes.io/part-of': 'tidemill', 'tidemill.dev/installation': installation });
const matches = (object: Live, selector = '') =>
  selector
    .split(',')
    .filter(Boolean)
    .every((part) => {
      const [key = '', value] = part.split('=');
      const has = object.metadata.labels?.[key];
      return value === undefined ? has !== undefined : has === value;
    });

const resources: Resources = {
  client: { request: async () => ({}) } as unknown as Resources['client'],
  get: async (ref) => live.get(keyOf(ref)),
  list: async (apiVersion, kind, { namespace, labelSelector } = {}) =>
    [...live.values()].filter(
      (object) =>
        object.apiVersion === apiVersion &&
        object.kind === kind &&
        (namespace === undefined || object.metadata.namespace === namespace) &&
        matches(object, labelSelector),
    ),
  apply: async () => Promise.reject(new Error('an uninstall applies nothing')),
  remove: async (ref) => {
    removed.push(titleOf(ref));
    return live.delete(keyOf(ref));
  },
  serves: async () => true,
  pluralOf: async (_apiVersion, kind) => `${kind.toLowerCase()}s`,
};
const cluster: Cluster = { resources, server: 'https://cluster', close: () => {} };
const cli = {
  io: { stdin: { isTTY: false } },
  note: () => {},
  answer: (value: unknown, text: string | (() => string)) => void (answered = { value, text: typeof text === 'string' ? text : text() }),
} as unknown as Cli;
const uninstall = (options: object) => uninstallCommand(cluster, { namespace: 'mine', all: false, yes: true, dryRun: false, timeout_s: 1, ...options }, cli);

beforeEach(() => {
  live = new Map();
  removed = [];
  for (const definition of customResources()) put(definition as unknown as KubeObject);
  put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mine', labels: labels('mine'), annotations: { 'tidemill.dev/made-by': 'tidemill install' } } });
  put({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api', namespace: 'mine', labels: labels('mine') } });
  put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tidemill-secrets', namespace: 'mine', labels: labels('mine') } });
  put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'tidemill-build', namespace: 'docs', labels: labels('mine') } });
  put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'password', namespace: 'docs', labels: { 'app.kubernetes.io/part-of': 'tidemill' } } });
  put({ apiVersion: 'tidemill.dev/v1alpha1', kind: 'Project', metadata: { name: 'docs', namespace: 'docs' } });
});

test('it takes its own, the functions before what they stand on, and leaves projects, their secrets and the definitions', async () => {
  await uninstall({});
  expect(removed).toHaveLength(4);
  expect(removed[0]).toBe('Deployment mine/api');
  expect(removed.slice(1, 3).toSorted()).toEqual(['Secret mine/tidemill-secrets', 'ServiceAccount docs/tidemill-build']);
  expect(removed[3]).toBe('Namespace mine');
  expect(answered.value).toMatchObject({ left: [], kept: { Project: 1 } });
  expect(answered.text).toContain('What is in the bucket stays');
});

test('pushes stand where the installation does, and it says that they go with it', async () => {
  for (const name of ['one', 'two']) put({ apiVersion: 'tidemill.dev/v1alpha1', kind: 'Push', metadata: { name, namespace: 'mine' } });
  put({ apiVersion: 'tidemill.dev/v1alpha1', kind: 'Push', metadata: { name: 'one', namespace: 'theirs' } });
  await uninstall({ dryRun: true });
  expect(answered.text).toContain('and the namespace mine, with the record of 2 pushes');
  expect(answered.value).toMatchObject({ kept: { Project: 1, Push: 1 } });
});

test('with --all the definitions go after the functions, and it says what goes with them', async () => {
  await uninstall({ all: true });
  expect(removed.indexOf('Deployment mine/api')).toBeLessThan(removed.indexOf('CustomResourceDefinition projects.tidemill.dev'));
  expect(removed.filter((title) => title.startsWith('CustomResourceDefinition'))).toHaveLength(customResources().length);
});

test('without --yes and without a person nothing goes', async () => {
  await expect(uninstall({ yes: false, all: true })).rejects.toThrow(/1 Project in every namespace.*\n.*--yes/s);
  await uninstall({ dryRun: true });
  expect(removed).toEqual([]);
  expect(answered.text).toContain('- Deployment mine/api');
});

test('--all is refused while another installation uses the definitions, and its objects are never touched', async () => {
  put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'theirs', labels: labels('theirs') } });
  put({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api', namespace: 'theirs', labels: labels('theirs') } });
  await expect(uninstall({ all: true })).rejects.toThrow('theirs');
  expect(removed).toEqual([]);
  await uninstall({});
  expect(removed.join()).not.toContain('theirs');
});

test('a namespace that somebody else made stays', async () => {
  put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mine', labels: labels('mine') } });
  await uninstall({});
  expect(removed).not.toContain('Namespace mine');
});

test('where nothing is, nothing is done', async () => {
  await uninstall({ namespace: 'empty' });
  expect(removed).toEqual([]);
  expect(answered.text).toBe('There is no installation in empty.');
});
