import { expect, test } from 'vitest';
import pkg from '../../package.json' with { type: 'json' };
import { DEFAULTS, IMAGE } from '../../knative/generate/options.ts';
import { isOlder, versionOf } from './checks/versions.ts';
import { findingText, note, ok, wrong } from './finding.ts';
import { desiredOf, everyKind } from './desired.ts';
import { type Installed, wantedOf, type Words } from './options.ts';
import { styleOf } from '../terminal/io.ts';

const image = 'ghcr.io/you/tidemill:1.0.0';
const installed: Installed = {
  version: pkg.version,
  overlay: 'jetstream',
  size: 'production',
  image,
  settings: { TIDEMILL_NATS_URL: 'nats://events:4222', TIDEMILL_S3_BUCKET: 'bytes', TIDEMILL_NAMESPACE: 'docs', AWS_REGION: 'eu-west-1' },
  projects: ['docs', 'shop'],
  s3Secret: 'none',
};

test('the first install takes what was said, and the rest by default', () => {
  const wanted = wantedOf({ image, siteHost: '*.Sites.Example.org', projectNamespace: ['shop', 'docs'] }, undefined, { AWS_REGION: 'eu-central-1' });
  expect(wanted).toMatchObject({ namespace: 'tidemill-system', overlay: 'knative', size: 'small', image, projects: ['shop', 'docs'], s3Secret: undefined });
  expect(wanted.settings).toEqual({ ...DEFAULTS, TIDEMILL_NAMESPACE: 'shop', AWS_REGION: 'eu-central-1', TIDEMILL_SITE_HOST: 'sites.example.org' });
});

test('a later one keeps all of it but what is said anew', () => {
  const wanted = wantedOf({ s3Bucket: 'other', projectNamespace: ['blog'] }, installed, { AWS_REGION: 'of-some-shell' });
  expect(wanted).toMatchObject({ overlay: 'jetstream', size: 'production', image, projects: ['docs', 'shop', 'blog'], s3Secret: 'none' });
  expect(wanted.settings).toMatchObject({
    TIDEMILL_NATS_URL: 'nats://events:4222',
    TIDEMILL_S3_BUCKET: 'other',
    TIDEMILL_NAMESPACE: 'docs',
    AWS_REGION: 'eu-west-1',
  });
});

test('the image of another version is not taken over, nor one that nobody named', () => {
  expect(() => wantedOf({}, { ...installed, version: '0.0.1' }, {})).toThrow(/is the image of tidemill 0\.0\.1; this is .*--image NAME/);
  expect(() => wantedOf({}, undefined, {})).toThrow('npm run image');
  expect(() => wantedOf({}, { ...installed, image: IMAGE }, {})).toThrow('has to be said');
  expect(wantedOf({ image: 'new:1' }, { ...installed, version: '0.0.1' }, {}).image).toBe('new:1');
});

test.each<[Words, string]>([
  [{ overlay: 'kafka' }, '--overlay takes knative and jetstream'],
  [{ size: 'huge' }, '--size takes small and production'],
  [{ namespace: 'kube_system' }, '--namespace'],
  [{ projectNamespace: ['tidemill-system'] }, 'where tidemill itself runs'],
  [{ image: 'a b' }, 'is no name of an image'],
  [{ buildImage: '' }, 'is no name of an image'],
  [{ siteHost: 'a..b' }, 'is no host name'],
])('%j is refused', (words, message) => {
  expect(() => wantedOf({ image, ...words }, undefined, {})).toThrow(message);
});

test.each(['jetstream', 'knative'] as const)(
  '%s: every object is of its installation, in one stage each, and of a kind that an uninstall looks for',
  (overlay) => {
    const wanted = wantedOf({ image, overlay, namespace: 'mine', projectNamespace: ['docs'], size: 'production' }, undefined, {});
    const { stages, namespaces, definitions } = desiredOf(wanted, () => true);
    const all = stages.flatMap(({ objects }) => objects);
    const kinds = new Set(everyKind().map(({ apiVersion, kind }) => `${apiVersion} ${kind}`));
    for (const { apiVersion, kind, metadata } of all) {
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/part-of': 'tidemill', 'tidemill.dev/installation': 'mine' });
      expect([...kinds]).toContain(`${apiVersion} ${kind}`);
      // What is of the whole cluster has the installation in its name, so that two can stand side by side.
      if (metadata.namespace === undefined) expect(metadata.name).toMatch(/^mine:/);
      else expect(['mine', 'docs']).toContain(metadata.namespace);
    }
    expect(new Set(all.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`)).size).toBe(all.length);
    expect(namespaces.map(({ metadata }) => metadata.name)).toEqual(['mine', 'docs']);
    for (const { metadata } of definitions) expect(metadata.labels?.['tidemill.dev/installation']).toBeUndefined();
    // A Broker waits for its dead-letter sink, and what publishes for the Broker.
    const order = stages.filter(({ objects }) => objects.length > 0).map(({ name }) => name);
    expect(order).toEqual(
      overlay === 'knative' ? ['settings, roles', 'dead letters', 'broker', 'functions', 'subscriptions'] : ['settings, roles', 'functions', 'subscriptions'],
    );
  },
);

test('nothing is written into a namespace that somebody else made, but what projects need', () => {
  const wanted = wantedOf({ image, projectNamespace: ['theirs'] }, undefined, {});
  const { namespaces } = desiredOf(wanted, (name) => name !== 'theirs');
  expect(namespaces.map(({ metadata }) => metadata.name)).toEqual(['tidemill-system']);
});

test.each([
  ['v1.35.8', [1, 35]],
  ['v1.29.3-gke.100', [1, 29]],
  ['knative-v1.22.0', [1, 22]],
  ['1.15.1', [1, 15]],
  ['devel', undefined],
  ['', undefined],
  [undefined, undefined],
])('the version of %s', (text, version) => {
  expect(versionOf(text)).toEqual(version);
});

test('versions are compared as numbers', () => {
  expect(isOlder([1, 9], [1, 31])).toBe(true);
  expect(isOlder([1, 31], [1, 31])).toBe(false);
  expect(isOlder([2, 0], [1, 31])).toBe(false);
});

test('a finding is a line, and what to do stands below it', () => {
  const style = styleOf({ write: () => true }, {});
  expect(findingText(ok('NATS', '2.12'), style)).toBe('✓ NATS                 2.12');
  expect(findingText(wrong('NATS', 'two\nlines', 'do this\nand that'), style)).toBe('✗ NATS                 two lines\n      do this\n      and that');
  expect(findingText(note('NATS', 'x'), style)).toMatch(/^· /);
});
