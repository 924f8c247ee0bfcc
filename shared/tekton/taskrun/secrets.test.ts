import { expect, it } from 'vitest';
import { InvalidTaskRun } from '../../ports/runner.ts';
import { checkSecrets } from './secrets.ts';

const ACTIONS: Record<string, object> = {
  clone: { image: 'busybox', env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'github-token', key: 'value' } } }] },
  any: { image: 'busybox', env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: '$(params.secret)', key: 'value' } } }] },
  greet: { image: 'busybox', script: 'echo hello' },
};
const looks = { reserved: () => Promise.resolve(new Set(['github-token'])), stepAction: ({ name }: { name: string }) => Promise.resolve(ACTIONS[name]) };
const step = (ref: object) => ({ taskSpec: { steps: [{ name: 'a', ref }] } });
const task = (more: object) => ({ taskSpec: { steps: [{ name: 'a', image: 'busybox', ...more }] } });
const env = (name: string) => task({ env: [{ name: 'X', valueFrom: { secretKeyRef: { name, key: 'value' } } }] });

it.each([
  ['env', env('github-token'), 'spec.taskSpec.steps[0].env[0].valueFrom.secretKeyRef'],
  ['envFrom', task({ envFrom: [{ secretRef: { name: 'github-token' } }] }), 'spec.taskSpec.steps[0].envFrom[0].secretRef'],
  ['a volume', { taskSpec: { volumes: [{ name: 'v', secret: { secretName: 'github-token' } }] } }, 'spec.taskSpec.volumes[0].secret'],
  ['a projected volume', { taskSpec: { volumes: [{ projected: { sources: [{ secret: { name: 'github-token' } }] } }] } }, 'sources[0].secret'],
  ['a workspace', { workspaces: [{ name: 'w', secret: { secretName: 'github-token' } }] }, 'spec.workspaces[0].secret'],
  ['the template of all steps', { taskSpec: { stepTemplate: { envFrom: [{ secretRef: { name: 'github-token' } }] } } }, 'spec.taskSpec.stepTemplate'],
  ['a StepAction', step({ name: 'clone' }), 'spec.taskSpec.steps[0].ref: StepAction clone: spec.env[0].valueFrom.secretKeyRef'],
  ['a StepAction, by a param', step({ name: 'any' }), 'StepAction any: spec.env[0].valueFrom.secretKeyRef'],
  ['a StepAction that nobody sees', step({ resolver: 'git', params: [] }), 'spec.taskSpec.steps[0].ref.resolver'],
])('a reserved Secret in %s is refused by its field', async (_where: string, spec: object, field: string) => {
  const refusal = await checkSecrets(spec, 'default', looks).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(InvalidTaskRun);
  expect((refusal as Error).message).toContain(field);
});

it('a name that Tekton would put together is refused, as nobody can say what it will be', async () => {
  await expect(checkSecrets(env('github$(params.rest)'), 'default', looks)).rejects.toThrow('holds a variable');
});

it('any other Secret is the build’s own affair, and without one nothing is asked', async () => {
  await checkSecrets(env('npm-token'), 'default', looks);
  await checkSecrets(task({ script: 'echo github-token' }), 'default', { ...looks, reserved: () => Promise.reject(new Error('asked')) });
  await checkSecrets(step({ name: 'greet' }), 'default', { ...looks, reserved: () => Promise.reject(new Error('asked')) });
  await checkSecrets(step({ name: 'not-there' }), 'default', looks);
});
