// What is refused when it is given, by the name of the field.
import type { RefusedCase } from './case.ts';

const step = { name: 'a', image: 'busybox', script: 'true' };
const task = (more: object) => ({ taskSpec: { steps: [step], ...more } });

export const refusedCases: RefusedCase[] = [
  { name: 'no-steps', spec: { taskSpec: { steps: [] } }, field: 'steps' },
  { name: 'no-image', spec: { taskSpec: { steps: [{ name: 'a', script: 'true' }] } }, field: 'image' },
  { name: 'script-and-command', spec: { taskSpec: { steps: [{ ...step, command: ['x'] }] } }, field: 'script' },
  { name: 'same-step-twice', spec: { taskSpec: { steps: [step, step] } }, field: 'steps' },
  { name: 'bad-step-name', spec: { taskSpec: { steps: [{ ...step, name: 'Not_A_Label' }] } }, field: 'name' },
  { name: 'bad-on-error', spec: { taskSpec: { steps: [{ ...step, onError: 'ignore' }] } }, field: 'onError' },
  { name: 'ref-and-image', spec: { taskSpec: { steps: [{ name: 'a', image: 'x', ref: { name: 'y' } }] } }, field: 'image' },
  { name: 'params-without-ref', spec: { taskSpec: { steps: [{ ...step, params: [{ name: 'x', value: 'y' }] }] } }, field: 'params' },
  { name: 'same-param-twice', spec: task({ params: [{ name: 'x' }, { name: 'x' }] }), field: 'params' },
  { name: 'default-of-other-type', spec: task({ params: [{ name: 'x', type: 'array', default: 'text' }] }), field: 'default' },
  {
    name: 'array-in-script',
    spec: { taskSpec: { params: [{ name: 'x', type: 'array' }], steps: [{ ...step, script: 'echo $(params.x[*])' }] } },
    field: 'steps[0]',
  },
  {
    name: 'array-not-alone',
    spec: { taskSpec: { params: [{ name: 'x', type: 'array' }], steps: [{ name: 'a', image: 'b', command: ['echo'], args: ['and $(params.x[*])'] }] } },
    field: 'args',
  },
  { name: 'unknown-context', spec: { taskSpec: { steps: [{ ...step, script: 'echo $(context.taskRun.nope)' }] } }, field: 'context' },
  { name: 'unknown-result', spec: { taskSpec: { steps: [{ ...step, script: 'echo > $(results.nope.path)' }] } }, field: 'script' },
  { name: 'step-result-in-script', spec: { taskSpec: { steps: [step, { ...step, name: 'b', script: 'echo $(steps.a.results.x)' }] } }, field: 'script' },
  {
    name: 'mount-below-tekton',
    spec: { taskSpec: { volumes: [{ name: 'v', emptyDir: {} }], steps: [{ ...step, volumeMounts: [{ name: 'v', mountPath: '/tekton/x' }] }] } },
    field: 'volumeMounts',
  },
  {
    name: 'same-volume-twice',
    spec: task({
      volumes: [
        { name: 'v', emptyDir: {} },
        { name: 'v', emptyDir: {} },
      ],
    }),
    field: 'volumes',
  },
  { name: 'undeclared-step-workspace', spec: { taskSpec: { steps: [{ ...step, workspaces: [{ name: 'nope' }] }] } }, field: 'workspaces' },
  { name: 'script-and-template-command', spec: task({ stepTemplate: { command: ['echo'] } }), field: 'script' },
  { name: 'unknown-param', spec: { taskSpec: { steps: [{ ...step, script: 'echo $(params.nope)' }] } }, field: 'params.nope' },
  { name: 'dotted-param-by-dots', spec: { taskSpec: { params: [{ name: 'a.b' }], steps: [{ ...step, script: 'echo $(params.a.b)' }] } }, field: 'params.a.b' },
  {
    name: 'unknown-key',
    spec: { taskSpec: { params: [{ name: 'o', type: 'object', properties: { a: {} } }], steps: [{ ...step, script: 'echo $(params.o.b)' }] } },
    field: 'params.o.b',
  },
  { name: 'object-without-properties', spec: task({ params: [{ name: 'o', type: 'object' }] }), field: 'properties' },
  {
    name: 'object-in-script',
    spec: { taskSpec: { params: [{ name: 'o', type: 'object', properties: { a: {} } }], steps: [{ ...step, script: 'echo $(params.o[*])' }] } },
    field: 'steps[0]',
  },
  { name: 'result-name-is-a-path', spec: task({ results: [{ name: '../../x' }] }), field: 'results' },
  { name: 'param-name-with-space', spec: task({ params: [{ name: 'a b' }] }), field: 'params' },
  {
    name: 'two-bindings',
    spec: { ...task({ workspaces: [{ name: 'w' }] }), workspaces: [{ name: 'w', emptyDir: {}, secret: { secretName: 'x' } }] },
    field: 'workspaces',
  },
  { name: 'negative-retries', spec: { ...task({}), retries: -1 }, field: 'retries' },
  { name: 'no-task', spec: {}, field: 'taskSpec' },
];
