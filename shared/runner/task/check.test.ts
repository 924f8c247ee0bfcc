// Every field that the local runner does not honour is refused by its name: nothing is ignored.
import { describe, expect, test } from 'vitest';
import { containers } from '../isolation/container.ts';
import { plainProcesses } from '../isolation/plain.ts';
import { checkIsolation, checkRunSpec, checkStepAction, checkTask } from './check.ts';
import type { Task } from './spec.ts';

const step = { name: 'a', image: 'busybox', script: 'true' };
const messageOf = (check: () => void): string => {
  try {
    check();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return 'accepted';
};
const task = (more: object) => messageOf(() => checkTask({ steps: [step], ...more }, 'spec.taskSpec', []));
const inStep = (more: object) => task({ steps: [{ ...step, ...more }] });

describe('what is not supported is named', () => {
  test.each([
    ['serviceAccountName', { serviceAccountName: 'robot' }],
    ['podTemplate', { podTemplate: { nodeSelector: {} } }],
    ['computeResources', { computeResources: { requests: { cpu: '1' } } }],
    ['stepSpecs', { stepSpecs: [] }],
    ['sidecarSpecs', { sidecarSpecs: [] }],
    ['debug', { debug: { breakpoints: {} } }],
    ['taskRef.resolver', { taskRef: { resolver: 'git' } }],
    ['taskRef.bundle', { taskRef: { name: 'x', bundle: 'y' } }],
    ['workspaces[0].csi', { workspaces: [{ name: 'w', csi: {} }] }],
    ['workspaces[0].projected', { workspaces: [{ name: 'w', projected: {} }] }],
    ['status', { status: 'TaskRunPending' }],
    ['__proto__', JSON.parse('{"__proto__": {}}')],
    ['constructor', { constructor: {} }],
  ])('in a TaskRun: %s', (field, spec: object) => {
    expect(messageOf(() => checkRunSpec(spec))).toMatch(`InvalidTaskRun: spec.${field}: `);
  });

  test.each([
    ['resources', { resources: {} }],
    ['volumes[0].hostPath', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }],
    ['volumes[0].nfs', { volumes: [{ name: 'v', nfs: {} }] }],
    ['volumes[0].emptyDir.sizeLimit', { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }] }],
    ['sidecars[0].livenessProbe', { sidecars: [{ name: 's', image: 'x', livenessProbe: {} }] }],
    ['sidecars[0].lifecycle', { sidecars: [{ name: 's', image: 'x', lifecycle: {} }] }],
    ['stepTemplate.tty', { stepTemplate: { tty: true } }],
    ['params[0].properties', { params: [{ name: 'o', type: 'object' }] }],
  ])('in a Task: %s', (field, more) => {
    expect(task(more)).toMatch(`InvalidTaskRun: spec.taskSpec.${field}: `);
  });

  test.each([
    ['when[0].cel', { when: [{ cel: 'true' }] }],
    ['volumeDevices', { volumeDevices: [] }],
    ['volumeMounts[0].subPathExpr', { volumeMounts: [{ name: 'v', mountPath: '/x', subPathExpr: 'y' }] }],
    ['volumeMounts[0].mountPropagation', { volumeMounts: [{ name: 'v', mountPath: '/x', mountPropagation: 'y' }] }],
    ['env[0].valueFrom.resourceFieldRef', { env: [{ name: 'A', valueFrom: { resourceFieldRef: {} } }] }],
    ['securityContext.seLinuxOptions', { securityContext: { seLinuxOptions: {} } }],
    ['ref.resolver', { ref: { resolver: 'git' } }],
    ['script', { script: 7 }],
    ['args', { args: 'text' }],
    ['env[0].value', { env: [{ name: 'A', value: 5 }] }],
    ['timeout', { timeout: 'soon' }],
  ])('in a step: %s', (field, more) => {
    expect(inStep(more)).toMatch(`InvalidTaskRun: spec.taskSpec.steps[0].${field}: `);
  });

  test('in a StepAction', () => {
    expect(messageOf(() => checkStepAction({ image: 'x', timeout: '1s' }, 'StepAction "a"'))).toBe(
      'InvalidTaskRun: StepAction "a".timeout: is not supported by the local runner',
    );
  });
});

describe('what only a container can do', () => {
  const wanting: [string, object][] = [
    ['securityContext.runAsUser', { securityContext: { runAsUser: 65_532 } }],
    ['securityContext.privileged', { securityContext: { privileged: true } }],
    ['securityContext.allowPrivilegeEscalation', { securityContext: { allowPrivilegeEscalation: false } }],
    ['securityContext.readOnlyRootFilesystem', { securityContext: { readOnlyRootFilesystem: true } }],
    ['securityContext.capabilities', { securityContext: { capabilities: { drop: ['ALL'] } } }],
    ['computeResources.limits', { computeResources: { limits: { memory: '1Gi' } } }],
  ];
  test.each(wanting)('%s', (field, more) => {
    const wanted = { steps: [{ ...step, ...more }] } as Task;
    expect(messageOf(() => checkIsolation(wanted, plainProcesses(''), 'spec.taskSpec'))).toMatch(`InvalidTaskRun: spec.taskSpec.steps[0].${field}: `);
    expect(messageOf(() => checkIsolation(wanted, containers('podman', 'podman', {}), 'spec.taskSpec'))).toBe('accepted');
  });

  test('what is so anyway is no reason to refuse', () => {
    const anyway = {
      steps: [{ ...step, securityContext: { privileged: false, runAsUser: process.getuid!() }, computeResources: { requests: { cpu: '1' } } }],
    } as Task;
    expect(messageOf(() => checkIsolation(anyway, plainProcesses(''), 'spec.taskSpec'))).toBe('accepted');
  });
});
