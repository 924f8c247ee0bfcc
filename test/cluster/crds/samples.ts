// One object of each kind with every field set: what rules, columns and bounds are tried on.
import type { Kind, SpecOf, StatusOf } from '../../../shared/objects/kinds.ts';
import type { OwnKind } from '../../../knative/generate/crds/kinds.ts';

export interface Sample<K extends Kind> {
  name: string;
  spec: SpecOf<K>;
  status: StatusOf<K>;
}

const at = '2026-01-02T03:04:05Z';
const sha = 'a'.repeat(40);
const other = 'b'.repeat(40);
const digest = `sha256:${'c'.repeat(64)}`;
const conditions = [
  { type: 'Ready', status: 'True' as const, observedGeneration: 1, reason: 'Looked', message: 'It is as it should be.', lastTransitionTime: at },
];
const outbox = [{ cause: 'cause', at, events: ['{}'] }];
const site = { fallback: 'spa' as const, cleanUrls: false, keepVersions: 3 };
const called = { name: 'thing', description: 'What Tekton knows of it.' };
const stages = [
  {
    name: 'build',
    steps: [
      {
        name: 'site',
        taskSpec: {
          params: [called],
          results: [called],
          workspaces: [{ name: 'source' }],
          volumes: [{ name: 'cache', emptyDir: {} }],
          steps: [
            {
              name: 'build',
              image: 'docker.io/library/node:24',
              script: 'npm run build',
              args: ['-v'],
              env: [{ name: 'CI', value: 'true' }],
              workingDir: '/workspace',
              securityContext: { runAsNonRoot: true },
            },
            { image: 'docker.io/library/node:24', command: ['node', '-v'] },
          ],
        },
        params: [{ name: 'level', value: ['one', 'two'] }],
        timeout: '1h30m',
        retries: 2,
        output: 'dist',
      },
    ],
  },
];
const deployment = {
  artifact: 'docs-1-build-site.site',
  version: '1.2.0',
  manifest: digest,
  site,
  number: 7,
  lane: 'docs.branch.main',
  at,
  trigger: 'user' as const,
  by: 'ada',
  rollback: true,
};
const laneEntry = { execution: 'docs-1', number: 7, outdated: 'the branch had moved on' };

export const samples: { [K in OwnKind]: Sample<K> } = {
  Project: {
    name: 'docs',
    spec: {
      source: { url: 'https://github.com/example/docs.git', branch: 'main', credential: 'github', submodules: true },
      build: { directory: 'web', install: 'npm ci', build: '', output: 'dist', image: 'docker.io/library/node:24', env: { CI: 'true' }, timeout: '10m' },
      stages,
      pipeline: 'tested-site',
      site,
      lane: { mode: 'supersede', slots: 1 },
      release: { auto: true, previews: false },
      branches: ['main', 'release/*'],
      poll: '1m',
      paused: false,
    },
    status: {
      outbox,
      conditions,
      defaultBranch: 'main',
      latest: { artifact: 'docs-1-build-site.site', version: '1.2.0', at, lane: 'docs.branch.main', number: 7 },
      lastPolled: at,
      seen: ['0123456789abcdef'],
    },
  },
  Pipeline: {
    name: 'tested-site',
    spec: { stages },
    status: { outbox, conditions: [{ type: 'Valid', status: 'False', reason: 'InvalidSpec', message: 'spec.stages: too many', lastTransitionTime: at }] },
  },
  Push: {
    name: 'push-1',
    spec: {
      kind: 'branch',
      repository: 'https://github.com/example/docs.git',
      repositoryId: 'github:1',
      ref: 'refs/heads/main',
      before: other,
      after: sha,
      pullRequest: 4,
      by: 'ada',
    },
    status: {
      outbox,
      pushedAt: at,
      told: [{ event: 'event-1', teller: 'webhook', at, body: digest }],
      results: [
        { namespace: 'default', project: 'docs', execution: 'docs-1' },
        { namespace: 'default', project: 'other', skipped: 'Project other is paused' },
      ],
      skipped: 'No project builds it',
    },
  },
  Execution: {
    name: 'docs-1',
    spec: {
      project: 'docs',
      lane: 'docs.branch.main',
      number: 7,
      ref: 'refs/heads/main',
      sha,
      trigger: 'webhook',
      by: 'ada',
      push: 'push-1',
      rerunOf: 'docs-0',
      outdated: 'the branch had moved on',
      source: 'docs-1-source',
    },
    status: {
      outbox,
      phase: 'Failed',
      message: 'Step build/site failed: npm run build exited with 1',
      conditions,
      sha,
      subject: 'Say hello',
      commitTime: at,
      definition: stages,
      definedBy: 'The pipeline tested-site',
      site,
      stages: [
        {
          name: 'build',
          phase: 'Failed',
          started: at,
          ended: at,
          steps: [
            {
              name: 'site',
              phase: 'Failed',
              taskRun: 'docs-1-build-site',
              started: at,
              ended: at,
              message: 'npm run build exited with 1',
              artifact: 'docs-1-build-site.site',
            },
          ],
        },
      ],
      artifact: 'docs-1-build-site.site',
      started: at,
      ended: at,
    },
  },
  Lane: {
    name: 'docs.branch.main',
    spec: { project: 'docs', ref: 'refs/heads/main' },
    status: {
      outbox,
      mode: 'queue',
      slots: 1,
      last: 8,
      running: [laneEntry],
      waiting: [{ execution: 'docs-2', number: 8, outdated: 'the branch had moved on' }],
      head: sha,
      headPushedAt: at,
      recent: [{ before: other, after: sha }],
    },
  },
  Artifact: {
    name: 'docs-1-source',
    spec: { type: 'git', project: 'docs', execution: 'docs-1', url: 'https://github.com/example/docs.git', ref: 'main', credential: 'github' },
    status: {
      outbox,
      phase: 'Resolved',
      conditions,
      reason: 'it was found',
      digest: `sha1:${sha}`,
      git: { sha, tree: other, ref: 'refs/heads/main', commitTime: at, subject: 'Say hello', author: 'Ada' },
      version: '1.2.0',
      resolvedAt: at,
    },
  },
  Release: {
    name: 'docs',
    spec: { project: 'docs', environment: 'production', host: 'docs', deploy: { version: 'latest' } },
    status: {
      outbox,
      conditions,
      current: deployment,
      history: [{ ...deployment, version: '1.1.0' }],
      retired: { lane: 'docs.branch.main', number: 7 },
      refused: { reason: 'There is no version 9 of docs', at },
    },
  },
  Hook: {
    name: 'docs-chat',
    spec: { url: 'https://chat.example.com/hooks/docs?room=1', types: ['dev.tidemill.release.*'], project: 'docs', secret: 'docs-chat', paused: false },
    status: {
      outbox,
      conditions,
      deliveries: [
        {
          event: 'event-1',
          type: 'dev.tidemill.release.deployed.v1',
          at,
          attempts: 2,
          outcome: 'retrying',
          status: 503,
          reason: 'chat.example.com answered 503',
        },
      ],
    },
  },
  Credential: {
    name: 'github',
    spec: { type: 'basic', host: 'github.com', username: 'x-access-token', secret: 'github-token' },
    status: { outbox, conditions },
  },
};

/** The other variant of an Artifact. */
export const siteArtifact: Sample<'Artifact'> = {
  name: 'docs-1-build-site.site',
  spec: {
    type: 'site',
    project: 'docs',
    execution: 'docs-1',
    source: 'docs-1-source',
    taskRun: 'docs-1-build-site',
    manifest: digest,
    archive: digest,
    files: 3,
    size: 900,
    site,
  },
  status: { phase: 'Resolved', digest, version: '1.2.0', resolvedAt: at },
};
