// Every CEL rule of the custom resources with what it takes and what it refuses.
import type { CustomResource } from '../../../knative/generate/crds.ts';
import type { OwnKind } from '../../../knative/generate/crds/kinds.ts';
import type { Structural } from '../../../knative/generate/crds/structural.ts';
import { samples, siteArtifact } from './samples.ts';

export interface Placed {
  kind: OwnKind;
  /** 0 stands for any item of a list. */
  path: (string | number)[];
  message: string;
}

/** All rules, wherever they stand. */
export function placedRules({ spec }: CustomResource): Placed[] {
  const kind = spec.names.kind as OwnKind;
  const walk = (schema: Structural, path: (string | number)[]): Placed[] => [
    ...(schema['x-kubernetes-validations'] ?? []).map(({ message }) => ({ kind, path, message })),
    ...Object.entries(schema.properties ?? {}).flatMap(([key, field]) => walk(field, [...path, key])),
    ...(schema.items ? walk(schema.items, [...path, 0]) : []),
  ];
  return walk(spec.versions[0]!.schema.openAPIV3Schema, []);
}

/** By its message: what a rule that looks at one value takes and refuses, wherever it stands. */
export const values: Record<string, { good: unknown[]; bad: unknown[] }> = {
  'is not a valid ref name (git-check-ref-format)': {
    good: ['main', 'refs/heads/feature/a-b_c', 'v1.0', 'ä', 'a@b', 'a.b/c.d', 'x'.repeat(512)],
    bad: [
      '-a',
      '/a',
      'a/',
      'a.',
      '@',
      'a..b',
      'a//b',
      'a@{b',
      'a b',
      'a~b',
      'a^',
      'a:b',
      'a?',
      'a*',
      'a[b',
      'a\\b',
      '.a',
      'a/.b',
      'a.lock',
      'a.lock/b',
      'a\nb',
      'a\u007fb',
    ],
  },
  'must be a relative path without ".."': {
    good: ['web', 'a/b', '.', 'a..b', '..a', 'a/..b/c', 'ä b'],
    bad: ['/a', '..', '../a', 'a/..', 'a/../b', 'a\\b', 'a\nb'],
  },
  'every key must be a name of letters, digits and "_" that does not begin with a digit': {
    good: [{ A: '1', _b2: '' }, {}],
    bad: [{ '1A': '' }, { 'A-B': '' }, { 'A\n': '' }, { A: '', ' B': '' }],
  },
  'step names must be unique within a stage': { good: [steps('a', 'b')], bad: [steps('a', 'a')] },
  'stage names must be unique': { good: [stages('a', 'b')], bad: [stages('a', 'b', 'a')] },
  'must be a URL': {
    good: ['http://a', 'https://a.example:8080/b?c=d&e', 'http://[::1]:3000', 'http://bücher.example/ä'],
    bad: ['https://[1]/', 'https://a/%zz', 'a'],
  },
};

function steps(...names: string[]) {
  return names.map((name) => ({ name, taskSpec: { steps: [{ script: 'true' }] } }));
}

function stages(...names: string[]) {
  return names.map((name) => ({ name, steps: steps('a') }));
}

export interface Change {
  name?: string;
  spec?: object;
  status?: object | null;
}

/** A rule that looks at more than one value, or at what was there before. */
export interface Case {
  kind: OwnKind;
  message: string;
  /** What is there. Absent: nothing, and the object is made. */
  from?: { spec: object; status?: object };
  good: Change[];
  bad: Change[];
}

const { Execution, Lane, Push, Release, Artifact, Hook } = samples;
const ended = 'an Execution that ended stays as it ended: start another run of the Project';
const stays = 'the status says what happened and cannot be removed: delete the object instead';
const immutable = 'of a resolved Artifact cannot change nor be removed: make another Artifact';
const { digest: _digest, ...noDigest } = Artifact.status;
const { git: _git, ...noCommit } = Artifact.status;
const { version: _version, ...noVersion } = Artifact.status;

export const cases: Case[] = [
  {
    kind: 'Project',
    message: "the name of a Project has at most 40 characters, as it is part of its site's host name: choose a shorter one",
    good: [{ name: 'a'.repeat(40) }],
    bad: [{ name: 'a'.repeat(41) }],
  },
  {
    kind: 'Project',
    message: 'the name of a Project must not have "--" in it, which divides branch and project in the host name of a preview: choose another',
    good: [{ name: 'a-b-c' }],
    bad: [{ name: 'a--b' }],
  },
  {
    kind: 'Project',
    message: 'the name of a Project must not have "." in it, as it is the first label of a host name: write "-" instead',
    good: [{ name: 'a-b' }],
    bad: [{ name: 'a.b' }],
  },
  ...(['Push', 'Execution', 'Lane', 'Artifact'] as const).map((kind) => ({
    kind,
    message: stays,
    from: samples[kind],
    good: [{ status: samples[kind].status }],
    bad: [{ status: null }],
  })),
  {
    kind: 'Push',
    message: 'the spec of a Push cannot change: it says what was told; push again',
    from: Push,
    good: [{ spec: { ...Push.spec } }],
    bad: [{ spec: { ...Push.spec, by: 'grace' } }],
  },
  {
    kind: 'Execution',
    message: 'the spec of an Execution cannot change: start another run of the Project',
    from: Execution,
    good: [{ spec: { ...Execution.spec } }],
    bad: [{ spec: { ...Execution.spec, number: 8 } }, { spec: { ...Execution.spec, outdated: undefined } }],
  },
  ...(['Succeeded', 'Failed', 'Cancelled'] as const).map((phase) => ({
    kind: 'Execution' as const,
    message: ended,
    from: { ...Execution, status: { ...Execution.status, phase } },
    good: [{ status: { ...Execution.status, phase, message: 'said otherwise' } }],
    bad: [{ status: { ...Execution.status, phase: 'Running' } }, { status: { ...Execution.status, phase: phase === 'Failed' ? 'Succeeded' : 'Failed' } }],
  })),
  {
    kind: 'Execution',
    message: ended,
    from: { ...Execution, status: { ...Execution.status, phase: 'Running' } },
    good: [{ status: { ...Execution.status, phase: 'Cancelled' } }, { status: { ...Execution.status, phase: 'Queued' } }],
    bad: [],
  },
  {
    kind: 'Lane',
    message: 'the spec of a Lane cannot change: each branch of each Project has its own',
    from: Lane,
    good: [{ spec: { ...Lane.spec } }],
    bad: [{ spec: { ...Lane.spec, ref: 'refs/heads/other' } }],
  },
  {
    kind: 'Lane',
    message: 'the numbers of a Lane only go up: what is newer is told by them',
    from: Lane,
    good: [{ status: { ...Lane.status } }, { status: { ...Lane.status, last: 9 } }],
    bad: [{ status: { ...Lane.status, last: 7 } }],
  },
  {
    kind: 'Artifact',
    message: 'the spec of an Artifact cannot change once it is Resolved or Invalid: make another Artifact',
    from: Artifact,
    good: [{ spec: { ...Artifact.spec } }],
    bad: [{ spec: { ...Artifact.spec, ref: 'other' } }, { spec: siteArtifact.spec }],
  },
  {
    kind: 'Artifact',
    message: 'the spec of an Artifact cannot change once it is Resolved or Invalid: make another Artifact',
    from: { ...Artifact, status: { phase: 'Invalid', reason: 'There is no such ref' } },
    good: [],
    bad: [{ spec: { ...Artifact.spec, ref: 'other' } }],
  },
  {
    kind: 'Artifact',
    message: 'the spec of an Artifact cannot change once it is Resolved or Invalid: make another Artifact',
    from: { ...Artifact, status: { phase: 'Failed', reason: 'github.com could not be reached' } },
    good: [{ spec: { ...Artifact.spec, ref: 'other' } }],
    bad: [],
  },
  ...(['Resolved', 'Invalid'] as const).map((phase) => ({
    kind: 'Artifact' as const,
    message: 'an Artifact that is Resolved or Invalid stays so: make another Artifact',
    from: { ...Artifact, status: { ...Artifact.status, phase } },
    good: [{ status: { ...Artifact.status, phase } }],
    bad: [{ status: { ...Artifact.status, phase: 'Failed' } }, { status: { ...Artifact.status, phase: phase === 'Invalid' ? 'Resolved' : 'Invalid' } }],
  })),
  {
    kind: 'Artifact',
    message: 'phase Resolved needs the digest of what it was resolved to',
    from: { ...Artifact, status: { phase: 'Unresolved' } },
    good: [{ status: Artifact.status }, { status: { phase: 'Failed' } }],
    bad: [{ status: noDigest }],
  },
  {
    kind: 'Artifact',
    message: `the digest ${immutable}`,
    from: Artifact,
    good: [{ status: { ...Artifact.status, outbox: [] } }],
    bad: [{ status: { ...Artifact.status, digest: 'sha1:other' } }, { status: noDigest }],
  },
  {
    kind: 'Artifact',
    message: `the commit ${immutable}`,
    from: Artifact,
    good: [{ status: { ...Artifact.status } }],
    bad: [{ status: { ...Artifact.status, git: { ...Artifact.status.git, subject: 'Another' } } }, { status: noCommit }],
  },
  {
    kind: 'Artifact',
    message: `the version ${immutable}`,
    from: siteArtifact,
    good: [{ status: { ...siteArtifact.status } }],
    bad: [{ status: { ...siteArtifact.status, version: '2.0.0' } }, { status: { phase: 'Resolved', digest: siteArtifact.status.digest } }],
  },
  { kind: 'Artifact', message: `the version ${immutable}`, from: { ...Artifact, status: noVersion }, good: [{ status: Artifact.status }], bad: [] },
  ...artifactFields(),
  {
    kind: 'Release',
    message: 'the name of a Release is its spec.host: <project> for production, <branch>--<project> for a preview',
    good: [{ name: 'docs' }, { name: 'next--docs', spec: { ...Release.spec, environment: 'preview-next', host: 'next--docs' } }],
    bad: [{ name: 'other' }],
  },
  ...(['project', 'environment', 'host'] as const).map((field) => ({
    kind: 'Release' as const,
    message: `the ${field} of a Release cannot change: make another Release`,
    from: Release,
    good: [{ spec: { ...Release.spec, deploy: { version: '1.0.0' } } }],
    bad: [{ spec: { ...Release.spec, [field]: 'other' } }],
  })),
  {
    kind: 'Hook',
    message: 'secret is the name of a Secret, not the secret itself: keep that in a Secret labelled tidemill.dev/secret=true, under the key "value"',
    good: [{ spec: { ...Hook.spec, secret: 'whsec' } }],
    bad: [{ spec: { ...Hook.spec, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' } }],
  },
];

/** Which fields go with which type. */
function artifactFields(): Case[] {
  const variants = [Artifact.spec, siteArtifact.spec] as [Record<string, unknown>, Record<string, unknown>];
  const shared = ['type', 'project', 'execution'];
  return variants.flatMap((spec, index) => {
    const foreign = variants[1 - index]!;
    const kind = 'Artifact' as const;
    const type = String(spec['type']);
    const needs = Object.keys(spec).filter((key) => !['type', 'project', 'credential', 'site'].includes(key) && !(type === 'git' && key === 'execution'));
    return [
      ...needs.map((key) => ({ kind, message: `type ${type} needs ${key}`, good: [{ spec }], bad: [{ spec: { ...spec, [key]: undefined } }] })),
      ...Object.keys(foreign)
        .filter((key) => !shared.includes(key))
        .map((key) => ({
          kind,
          message: `${key} does not go with type ${type}: leave it out`,
          good: [{ spec }],
          bad: [{ spec: { ...spec, [key]: foreign[key] } }],
        })),
    ];
  });
}
