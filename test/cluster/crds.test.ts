// The custom resources on a real API server: they are accepted whole, every rule of theirs refuses what it should, and they say the same as zod.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { customResources, type CustomResource, schemaOf } from '../../knative/generate/crds.ts';
import { type OwnKind, ownKinds, pluralOf } from '../../knative/generate/crds/kinds.ts';
import type { Structural } from '../../knative/generate/crds/structural.ts';
import { kinds } from '../../shared/objects/kinds.ts';
import { connect, type Verdict } from './crds/api.ts';
import { valuesOf } from './crds/arbitrary.ts';
import { breaches } from './crds/bounds.ts';
import { type Case, cases, placedRules, values } from './crds/rules.ts';
import { type Sample, samples, siteArtifact } from './crds/samples.ts';
import { withValue } from './crds/walk.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const NAMESPACE = `crds-test-${Date.now().toString(36)}`;
const resources = customResources();
const api = connect(NAMESPACE);
/** Those that were not there before: they go again. */
let own: string[] = [];

beforeAll(async () => {
  const before = await api.kubectl('get', 'crds', '-o', 'name');
  own = resources.map(({ metadata }) => metadata.name).filter((name) => !before.includes(`/${name}\n`));
  await api.kubectl('apply', '--server-side', '--force-conflicts', '-k', join(ROOT, 'knative/crds'));
  await api.kubectl('wait', '--for=condition=Established', '--timeout=60s', ...resources.map(({ metadata }) => `crd/${metadata.name}`));
  await api.open();
});

afterAll(async () => {
  await api.close();
  if (own.length > 0) await api.kubectl('delete', 'crds', ...own);
});

interface Condition {
  type: string;
  status: string;
}

test('they are accepted with nothing to say against them, and kept as they were made', async () => {
  const list = JSON.parse(await api.kubectl('get', 'crds', '-o', 'json', ...resources.map(({ metadata }) => metadata.name))) as {
    items: (CustomResource & { status: { conditions: Condition[]; storedVersions: string[] } })[];
  };
  expect(list.items).toHaveLength(ownKinds.length);
  for (const [index, { metadata, spec, status }] of list.items.entries()) {
    const conditions = Object.fromEntries(status.conditions.map((condition) => [condition.type, condition.status]));
    expect({ name: metadata.name, ...conditions }).toEqual({ name: metadata.name, NamesAccepted: 'True', Established: 'True' });
    expect(spec.versions[0]!.schema).toEqual(resources[index]!.spec.versions[0]!.schema);
    expect(spec.versions[0]!.additionalPrinterColumns).toEqual(resources[index]!.spec.versions[0]!.additionalPrinterColumns);
  }
});

describe('rules', () => {
  const placed = resources.flatMap(placedRules);

  test('there is a case for each', () => {
    const key = ({ kind, message }: { kind: OwnKind; message: string }) => `${kind}: ${message}`;
    const ofTheKind = placed.filter(({ message }) => !values[message]).map(key);
    expect([...new Set(cases.map(key))].toSorted()).toEqual([...new Set(ofTheKind)].toSorted());
    expect(Object.keys(values).toSorted()).toEqual([...new Set(placed.map(({ message }) => message).filter((message) => values[message]))].toSorted());
    for (const name of new Set(ofTheKind))
      expect(
        cases.filter((rule) => key(rule) === name && rule.good.length > 0),
        name,
      ).not.toEqual([]);
    for (const name of new Set(ofTheKind))
      expect(
        cases.filter((rule) => key(rule) === name && rule.bad.length > 0),
        name,
      ).not.toEqual([]);
  });

  test.each(placed.filter(({ message }) => values[message]))('$kind $path: $message', async ({ kind, path, message }) => {
    const { good, bad } = values[message]!;
    const [top] = path;
    const attempt = async (value: unknown): Promise<Verdict> => {
      const changed = withValue(samples[kind], path, value) as Sample<OwnKind>;
      if (top === 'spec') return api.tryMake(kind, { ...changed, status: undefined });
      return api.tryStatus(kind, changed);
    };
    const tried = async () => {
      for (const value of good) expect(await attempt(value), JSON.stringify(value)).toBeUndefined();
      for (const value of bad) expect(await attempt(value), JSON.stringify(value)).toContain(message);
    };
    const { name, spec } = samples[kind];
    await (top === 'spec' ? tried() : api.holding(kind, { name, spec }, tried));
  });

  test.each(cases)('$kind: $message', tryCase);

  async function tryCase({ kind, message, from, good, bad }: Case): Promise<void> {
    const { name, spec } = samples[kind];
    const attempt = async (change: Case['good'][number]): Promise<Verdict> => {
      if (!from) return api.tryMake(kind, { name: change.name ?? name, spec: change.spec ?? spec });
      if (change.spec) return api.trySpec(kind, { name, spec: change.spec });
      return api.tryStatus(kind, { name, status: change.status ?? undefined });
    };
    const tried = async () => {
      for (const change of good) expect(await attempt(change), JSON.stringify(change)).toBeUndefined();
      for (const change of bad) expect(await attempt(change), JSON.stringify(change)).toContain(message);
    };
    await (from ? api.holding(kind, { name, spec: from.spec, status: from.status }, tried) : tried());
  }
});

describe('the same as zod', () => {
  const runs = { numRuns: 30 };
  const all: { kind: OwnKind; sample: Sample<OwnKind> }[] = [
    ...ownKinds.map((kind) => ({ kind, sample: samples[kind] })),
    { kind: 'Artifact' as const, sample: siteArtifact },
  ];

  test.each(ownKinds)('what zod takes for a %s, the API server takes', async (kind) => {
    const { name, spec } = samples[kind];
    await fc.assert(
      fc.asyncProperty(valuesOf(kinds[kind].spec), async (made) => {
        const called = kind === 'Release' ? (made as Sample<'Release'>['spec']).host : name;
        expect(await api.tryMake(kind, { name: called, spec: made })).toBeUndefined();
      }),
      runs,
    );
    const resolvable = (status: unknown) => kind !== 'Artifact' || !!(status as Sample<'Artifact'>['status']).digest;
    const taken = fc.asyncProperty(valuesOf(kinds[kind].status).filter(resolvable), async (status) => {
      expect(await api.tryStatus(kind, { name, status })).toBeUndefined();
    });
    await api.holding(kind, { name, spec }, () => fc.assert(taken, runs));
  });

  test.each(all)('what zod refuses of a $kind ($sample.name) for its bounds, the API server refuses', async ({ kind, sample }) => {
    const { name, spec, status } = sample;
    const { spec: specSchema, status: statusSchema } = schemaOf(kind).properties!;
    expect(kinds[kind].spec.safeParse(spec).success && kinds[kind].status.safeParse(status).success).toBe(true);
    let count = 0;
    const refused = async (place: 'spec' | 'status', schema: Structural, whole: object, attempt: (value: unknown) => Promise<Verdict>) => {
      for (const { path, value, what } of breaches(schema, whole)) {
        const changed = withValue(whole, path, value);
        if (kinds[kind][place].safeParse(changed).success) continue;
        expect(await attempt(changed), `${place}.${path.join('.')}: ${what}`).toBeTypeOf('string');
        count += 1;
      }
    };
    await refused('spec', specSchema!, spec, (changed) => api.tryMake(kind, { name, spec: changed }));
    await api.holding(kind, { name, spec }, () => refused('status', statusSchema!, status, (changed) => api.tryStatus(kind, { name, status: changed })));
    expect(count).toBeGreaterThan(20);
  });

  test.each(ownKinds)('a field that a %s does not have is refused by name', async (kind) => {
    const { name, spec } = samples[kind];
    expect(await api.tryMake(kind, { name, spec: { ...spec, colour: 'green' } })).toContain('unknown field "spec.colour"');
    expect(await api.tryMake(kind, { name, spec, extra: { colour: 'green' } })).toContain('unknown field "colour"');
    expect(await api.tryMake(kind, { name, spec })).toBeUndefined();
  });
});

describe('kubectl', () => {
  beforeAll(async () => {
    for (const kind of ownKinds) await api.make(kind, kind === 'Pipeline' ? unfit : samples[kind]);
    await api.make('Artifact', siteArtifact);
  });
  // They go with their namespace.

  /** One that the API server takes, as Kubernetes has no type for what zod refuses in it: the condition Valid says so. */
  const unfit = { ...samples.Pipeline, spec: withValue(samples.Pipeline.spec, ['stages', 0, 'steps', 0, 'params', 0, 'value'], 3) };

  /** The table without what depends on the day. Where tidemill is installed, it looks at these objects as well, and says what it found. */
  const table = async (...args: string[]) =>
    (await api.kubectl('get', ...args))
      .trimEnd()
      .split('\n')
      .map((line) =>
        line
          .trimEnd()
          .replaceAll(/(?<= )\d+(?:y\d*d?|[dhms])(?:\d+[hms])?(?= |$)/g, 'AGO')
          .replaceAll(/ {2,}/g, ' | '),
      );

  test.each([
    [
      'projects',
      [
        'NAME | SOURCE | BRANCH | LATEST | READY | REASON | PROBLEM | AGE',
        expect.stringMatching(/^docs \| https:\/\/github\.com\/example\/docs\.git \| main \| 1\.2\.0 \| (?:True \| Looked|False \| [A-Z]\w+) \| AGO$/),
      ],
    ],
    ['pipe', ['NAME | PROBLEM | AGE', expect.stringMatching(/^tested-site \| spec\.stages\S*: .* \| AGO$/)]],
    [
      'pushes',
      [
        'NAME | KIND | REF | AFTER | EXECUTION | SKIPPED | AGE',
        expect.stringMatching(/^push-1 \| branch \| refs\/heads\/main \| a{40} \| docs-1 \| (?:No project builds it|Project other is paused) \| AGO$/),
      ],
    ],
    [
      'exec',
      [
        'NAME | PROJECT | NUMBER | REF | SHA | PHASE | MESSAGE | AGE',
        `docs-1 | docs | 7 | refs/heads/main | ${'a'.repeat(40)} | Failed | Step build/site failed: npm run build exited with 1 | AGO`,
      ],
    ],
    ['lanes', ['NAME | PROJECT | REF | MODE | LAST | RUNNING | NEXT | AGE', 'docs.branch.main | docs | refs/heads/main | queue | 8 | docs-1 | docs-2 | AGO']],
    [
      'artifacts',
      [
        'NAME | PROJECT | TYPE | VERSION | PHASE | REASON | AGE',
        'docs-1-build-site.site | docs | site | 1.2.0 | Resolved | AGO',
        `docs-1-source | docs | git | 1.2.0 | Resolved | it was found | AGO`,
      ],
    ],
    [
      'releases',
      [
        'NAME | PROJECT | ENVIRONMENT | VERSION | SINCE | REFUSED | PROBLEM | AGE',
        expect.stringMatching(/^docs \| docs \| production \| 1\.2\.0 \| AGO \| (?:There is no version 9|Nothing was built) .* \| AGO$/),
      ],
    ],
    [
      'hooks',
      [
        'NAME | URL | PROJECT | PAUSED | LAST | WHEN | PROBLEM | AGE',
        'docs-chat | https://chat.example.com/hooks/docs?room=1 | docs | false | retrying | AGO | AGO',
      ],
    ],
    ['cred', ['NAME | TYPE | HOST | SECRET | PROBLEM | AGE', 'github | basic | github.com | github-token | AGO']],
  ])('get %s tells how things are', async (what, lines) => {
    expect(await table(what)).toEqual(lines);
  });

  test('one word lists them all, and fields select', async () => {
    const everything = await api.kubectl('get', 'tidemill', '-o', 'name');
    expect(everything.trim().split('\n')).toHaveLength(ownKinds.length + 1);
    expect(await api.kubectl('get', 'artifacts', '--field-selector', 'spec.type=site,status.phase=Resolved', '-o', 'name')).toBe(
      `artifact.tidemill.dev/${siteArtifact.name}\n`,
    );
    expect(await api.kubectl('get', 'executions', '--field-selector', 'status.phase!=Failed', '-o', 'name')).toBe('');
  });

  test.each(ownKinds)('explain knows what every field of a %s is', async (kind) => {
    const plural = `${pluralOf(kind)}.tidemill.dev`;
    for (const path of [plural, ...objectPaths(schemaOf(kind)).map((fields) => `${plural}.${fields}`)]) {
      const page = await api.kubectl('explain', path);
      expect(page, path).not.toMatch(/<empty>|<no description>/);
    }
  });

  /** Spec and status, and below them whatever has fields of its own, but for what is Tekton's. */
  function objectPaths({ properties = {} }: Structural, prefix = ''): string[] {
    return Object.entries(properties).flatMap(([name, field]) => {
      const inner = field.items ?? field;
      if (!inner.properties) return [];
      return [`${prefix}${name}`, ...(name === 'definition' || name === 'stages' ? [] : objectPaths(inner, `${prefix}${name}.`))];
    });
  }

  test('what people write is taken as examples/ has it, by an apply that refuses what it does not know', async () => {
    const folder = join(ROOT, 'examples/kubernetes');
    const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
    expect(files.toSorted()).toEqual(['artifact.yaml', 'credential.yaml', 'hook.yaml', 'pipeline.yaml', 'project.yaml', 'release.yaml']);
    for (const file of files) {
      expect(await api.kubectl('apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', join(folder, file))).toMatch(
        /serverside-applied \(server dry run\)/,
      );
    }
  });
});
