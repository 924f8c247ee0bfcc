// What is sent to Tekton: our own steps shut off from what a Task says, builds without rights, and refusals by field.
import { describe, expect, test } from 'vitest';
import { KubeError } from '../../kubernetes/client/error.ts';
import type { NewObj } from '../../objects/kinds.ts';
import { LABEL } from '../../objects/meta.ts';
import { InvalidTaskRun, NotPrepared } from '../../ports/runner.ts';
import { TASK_RUN_DEFAULTS } from './defaults.ts';
import { type ManifestOptions, manifestOf } from './manifest.ts';
import { refusal } from './refused.ts';

interface Sent {
  metadata: Record<string, unknown>;
  spec: {
    taskSpec: {
      steps: Record<string, unknown>[];
      volumes?: { name: string; [kind: string]: unknown }[];
      stepTemplate?: Record<string, unknown>;
      sidecars?: Record<string, unknown>[];
    };
    [field: string]: unknown;
  };
}

const options: ManifestOptions = {
  own: { image: 'registry.example/tidemill:1', bytesUrl: 'http://bytes.tidemill-system.svc.cluster.local/' },
  buildImage: 'registry.example/node:24',
  defaults: TASK_RUN_DEFAULTS,
};
const own = { name: 'source', image: 'tidemill.dev/step:v1', args: ['source', '{"sha":"x"}'] };
const user = { name: 'build', image: 'tidemill.dev/node:24', script: 'npm run build' };

function sent(taskSpec: object, more: { labels?: Record<string, string>; spec?: object; with?: ManifestOptions } = {}): Sent {
  const { labels = { [LABEL.execution]: 'run-1' }, spec = {}, with: by = options } = more;
  const taskRun = { kind: 'TaskRun', metadata: { name: 'x', namespace: 'default', labels }, spec: { taskSpec, ...spec } } as NewObj<'TaskRun'>;
  return manifestOf(taskRun, undefined, by) as Sent;
}

const env = (step: Record<string, unknown>) => Object.fromEntries((step['env'] as { name: string; value: string }[]).map(({ name, value }) => [name, value]));

describe('a step of our own', () => {
  test('runs our program in our image, and is told where its files, results and bytes are', () => {
    const task = { steps: [own, user], workspaces: [{ name: 'source' }, { name: 'cache', optional: true }], results: [{ name: 'manifest' }] };
    const [step, build] = sent(task, { spec: { workspaces: [{ name: 'source', emptyDir: {} }] } }).spec.taskSpec.steps;
    expect(step).toMatchObject({ image: 'registry.example/tidemill:1', command: ['/usr/bin/node', '/app/step.mjs'], args: own.args });
    expect(env(step!)).toMatchObject({
      TIDEMILL_BYTES_URL: 'http://bytes.tidemill-system.svc.cluster.local',
      TIDEMILL_TOKEN_FILE: '/var/run/tidemill/token',
      TIDEMILL_WORKSPACES: '{"source":"/workspace/source","cache":""}',
      TIDEMILL_RESULTS: '{"manifest":"/tekton/results/manifest"}',
    });
    expect(build).toEqual({ ...user, image: 'registry.example/node:24' });
  });

  test('alone has the token, by a volume whose name nobody can foretell', () => {
    const [one, other] = [sent({ steps: [own, user] }), sent({ steps: [own, user] })].map(({ spec }) => spec.taskSpec);
    const token = one!.volumes!.find((volume) => volume['projected'])!;
    expect(token['projected']).toMatchObject({ sources: [{ serviceAccountToken: { audience: 'tidemill', expirationSeconds: 600, path: 'token' } }] });
    expect(other!.volumes!.map(({ name }) => name)).not.toContain(token.name);
    expect(one!.steps.map((step) => JSON.stringify(step).includes(token.name))).toEqual([true, false]);
  });

  test('sees only the workspaces that no other step keeps for itself', () => {
    const task = { steps: [own, { ...user, workspaces: [{ name: 'mine' }] }], workspaces: [{ name: 'mine' }, { name: 'all', mountPath: '/data' }] };
    const bindings = ['mine', 'all', 'undeclared'].map((name) => ({ name, emptyDir: {} }));
    const [step] = sent(task, { spec: { workspaces: bindings } }).spec.taskSpec.steps;
    expect(env(step!)['TIDEMILL_WORKSPACES']).toBe('{"all":"/data","undeclared":"/workspace/undeclared"}');
  });

  test('is not reached by a stepTemplate, which the other steps have', () => {
    const stepTemplate = {
      env: [{ name: 'NODE_OPTIONS', value: '--import=/workspace/evil.mjs' }],
      volumeMounts: [{ name: 'v', mountPath: '/app' }],
      image: 'busybox',
    };
    const { steps, stepTemplate: left } = sent({ steps: [own, { name: 'b', script: 'true' }], stepTemplate, volumes: [{ name: 'v', emptyDir: {} }] }).spec
      .taskSpec;
    expect(JSON.stringify([steps[0], left])).not.toMatch(/NODE_OPTIONS|"\/app"/);
    expect(steps[1]).toMatchObject(stepTemplate);
  });

  test.each([
    ['env', { steps: [{ ...own, env: [{ name: 'NODE_OPTIONS', value: 'x' }] }] }, 'steps[0].env'],
    ['script', { steps: [{ ...own, script: 'cat /var/run/tidemill/token' }] }, 'steps[0].script'],
    ['command', { steps: [{ ...own, command: ['sh'] }] }, 'steps[0].command'],
    ['a mount', { steps: [{ ...own, volumeMounts: [] }] }, 'steps[0].volumeMounts'],
    ['copies of its streams', { steps: [{ ...own, stdoutConfig: { path: '/x' } }] }, 'steps[0].stdoutConfig'],
    ['our volume, mounted', { steps: [own, { ...user, volumeMounts: [{ name: 'tidemill-step-token-0', mountPath: '/t' }] }] }, 'steps[1].volumeMounts'],
    [
      'our volume, mounted in a sidecar',
      { steps: [own], sidecars: [{ name: 's', volumeMounts: [{ name: 'tidemill-step-x', mountPath: '/t' }] }] },
      'sidecars[0]',
    ],
    ['our volume, declared', { steps: [own], volumes: [{ name: 'tidemill-step-token-0', emptyDir: {} }] }, 'volumes[0].name'],
    [
      'a token of its own',
      { steps: [own], volumes: [{ name: 'mine', projected: { sources: [{ serviceAccountToken: { audience: 'tidemill', path: 't' } }] } }] },
      'volumes[0]',
    ],
    ['a workspace over our program', { steps: [own], workspaces: [{ name: 'source', mountPath: '/app' }] }, 'workspaces[0].mountPath'],
    ['a workspace over everything', { steps: [own], workspaces: [{ name: 'source', mountPath: '//' }] }, 'workspaces[0].mountPath'],
    ['a workspace by a variable', { steps: [own], workspaces: [{ name: 'source', mountPath: '/$(params.x)' }] }, 'workspaces[0].mountPath'],
    ['a workspace by a detour', { steps: [own], workspaces: [{ name: 'source', mountPath: '/workspace/../etc' }] }, 'workspaces[0].mountPath'],
    ['a template that StepActions would need', { steps: [own, { name: 'r', ref: { name: 'a' } }], stepTemplate: { env: [] } }, 'stepTemplate'],
    ['another image of ours', { steps: [{ ...user, image: 'tidemill.dev/other' }] }, 'steps[0].image'],
    ['our step as a sidecar', { steps: [user], sidecars: [{ name: 's', image: 'tidemill.dev/step:v1' }] }, 'sidecars[0].image'],
    ['our step as a template', { steps: [user], stepTemplate: { image: 'tidemill.dev/step:v1' } }, 'stepTemplate.image'],
  ])('refuses %s', (_what, task, field) => {
    expect(() => sent(task)).toThrow(InvalidTaskRun);
    expect(() => sent(task)).toThrow(field);
  });

  test('is refused where there is nobody to hand out bytes', () => {
    expect(() => sent({ steps: [own] }, { with: {} })).toThrow('works in an execution of tidemill only');
  });
});

describe('a TaskRun of an execution', () => {
  test('runs as nobody in particular, without rights, with a home that it can write to', () => {
    const { spec } = sent({ steps: [user], sidecars: [{ name: 's', image: 'x' }] });
    expect(spec).toMatchObject({
      serviceAccountName: 'tidemill-build',
      podTemplate: {
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 65_532, runAsGroup: 65_532, fsGroup: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      },
    });
    const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
    expect(spec.taskSpec).toMatchObject({
      stepTemplate: { securityContext: restricted, env: [{ name: 'HOME', value: '/tekton/home' }] },
      sidecars: [{ securityContext: restricted }],
    });
  });

  test('keeps what its Task says otherwise', () => {
    const stepTemplate = { securityContext: { capabilities: { add: ['CHOWN'] }, runAsUser: 0 }, env: [{ name: 'HOME', value: '/root' }] };
    const { taskSpec } = sent({ steps: [user], stepTemplate }).spec;
    expect(taskSpec.stepTemplate).toEqual({ ...stepTemplate, securityContext: { allowPrivilegeEscalation: false, ...stepTemplate.securityContext } });
  });

  test('one by hand is sent as it is, but for our build image', () => {
    const { spec } = sent({ steps: [user] }, { labels: {} });
    expect(spec).toEqual({ taskSpec: { steps: [{ ...user, image: 'registry.example/node:24' }] } });
    expect(sent({ steps: [user] }, { labels: {}, with: {} }).spec.taskSpec.steps[0]!['image']).toBe('docker.io/library/node:24');
  });

  test('goes with its owner', () => {
    const owner = { apiVersion: 'tidemill.dev/v1alpha1', kind: 'Execution', name: 'run-1', uid: 'u' };
    const taskRun = { kind: 'TaskRun', metadata: { name: 'x', namespace: 'default' }, spec: { taskSpec: { steps: [user] } } } as NewObj<'TaskRun'>;
    expect(manifestOf(taskRun, owner, {})).toMatchObject({ metadata: { ownerReferences: [owner] } });
  });
});

describe('what Tekton refuses', () => {
  const error = (status: number, text: string) =>
    new KubeError({
      status,
      reason: 'BadRequest',
      message: `POST /apis/tekton.dev/v1/namespaces/n/taskruns: ${text} (HTTP ${status} BadRequest)`,
      uncertain: false,
    });

  test.each([
    [
      400,
      'admission webhook "validation.webhook.pipeline.tekton.dev" denied the request: validation failed: missing field(s): spec.taskSpec.steps[0].Image',
      'missing field(s): spec.taskSpec.steps[0].image',
    ],
    [
      400,
      'admission webhook "webhook.pipeline.tekton.dev" denied the request: mutation failed: cannot decode incoming new object: json: unknown field "imagePolicy"',
      'cannot decode incoming new object: json: unknown field "imagePolicy"',
    ],
    [403, 'admission webhook "policy.example" denied the request: no such registry', 'no such registry'],
    [422, 'TaskRun.tekton.dev "X" is invalid: metadata.name: Invalid value: "X"', 'TaskRun.tekton.dev "X" is invalid: metadata.name: Invalid value: "X"'],
  ])('%d %s', (status, text, said) => {
    const refused = refusal(error(status, text));
    expect(refused).toBeInstanceOf(InvalidTaskRun);
    expect((refused as Error).message).toBe(said);
  });

  test.each([
    [403, 'exceeded quota: builds'],
    [404, 'namespaces "n" not found'],
    [500, 'failed calling webhook'],
    [409, 'object is being deleted'],
  ])('%d %s is no fault of the TaskRun', (status, text) => {
    const given = error(status, text);
    expect(refusal(given, 'docs')).toBe(given);
  });

  test.each([
    ['tidemill-system', 'tidemill install --project-namespace docs'],
    ['two', 'tidemill install --namespace two --project-namespace docs'],
  ])('a missing right says how %s gets it', (installation, command) => {
    const text = `taskruns.tekton.dev is forbidden: User "system:serviceaccount:${installation}:artifact-resolved" cannot create resource "taskruns" in API group "tekton.dev" in the namespace "docs"`;
    const refused = refusal(error(403, text), 'docs');
    expect(refused).toBeInstanceOf(NotPrepared);
    expect((refused as Error).message).toContain(`\`${command}\``);
  });
});
