import { describe, expect, it } from 'vitest';
import type { Obj, StatusOf } from '../objects/kinds.ts';
import { API_VERSION, LABEL } from '../objects/meta.ts';
import { parseSpec } from '../objects/kinds.ts';
import { CHAIN, stageOf, stageTaskRuns, taskRunNames, whyOtherDefinition } from './taskruns.ts';

const taskSpec = { params: [{ name: 'who' }], steps: [{ image: 'busybox', script: 'echo $(params.who)' }] };
const status: StatusOf<'Execution'> = {
  phase: 'Queued',
  definition: [
    { name: 'build', steps: [{ name: 'site', taskSpec, params: [{ name: 'who', value: 'me' }], retries: 2, timeout: '5m' }] },
    {
      name: 'check',
      steps: [
        { name: 'links', taskSpec },
        { name: 'size', taskSpec },
      ],
    },
  ],
};
const metadata = { name: 'site-0123456789', namespace: 'default', uid: 'u1' };
const execution = { apiVersion: API_VERSION, kind: 'Execution', metadata, spec: { project: 'site' }, status } as Obj<'Execution'>;
const chain = { chainid: 'c1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };

describe('stageTaskRuns', () => {
  it('makes a TaskRun of each step, which finds its execution by its labels', () => {
    const [run, ...others] = stageTaskRuns(execution, status, 0, chain);
    expect(others).toEqual([]);
    expect(run).toEqual({
      kind: 'TaskRun',
      metadata: {
        name: 'site-0123456789-build-site',
        namespace: 'default',
        labels: { [LABEL.project]: 'site', [LABEL.execution]: 'site-0123456789', [LABEL.stage]: 'build', [LABEL.step]: 'site' },
        ownerReferences: [{ apiVersion: API_VERSION, kind: 'Execution', name: 'site-0123456789', uid: 'u1' }],
        annotations: { 'tidemill.dev/cache': 'site', 'tidemill.dev/definition': expect.any(String), [CHAIN.id]: 'c1', [CHAIN.trace]: chain.traceparent },
      },
      spec: { taskSpec, params: [{ name: 'who', value: 'me' }], workspaces: [{ name: 'source', emptyDir: {} }], timeout: '5m', retries: 2 },
    });
    expect(parseSpec('TaskRun', run!.spec)).toEqual(run!.spec);
  });

  it('gives an hour where nobody says how long', () => {
    expect(stageTaskRuns(execution, status, 1, { chainid: 'c1' }).map((run) => run.spec.timeout)).toEqual(['1h', '1h']);
  });

  it('is the same when it is made again', () => {
    expect(stageTaskRuns(execution, status, 1, chain)).toEqual(stageTaskRuns(execution, status, 1, chain));
  });

  it('fails on a stage that there is not', () => {
    expect(() => stageTaskRuns(execution, status, 2, chain)).toThrow('has no stage 2');
    expect(() => stageTaskRuns(execution, { phase: 'Pending' }, 0, chain)).toThrow('has no stage 0');
  });
});

describe('a TaskRun that is there already', () => {
  const [made] = stageTaskRuns(execution, status, 0, chain);
  const there = (definition: StatusOf<'Execution'>['definition']) => stageTaskRuns(execution, { ...status, definition }, 0, chain)[0]! as Obj<'TaskRun'>;

  it('is the one wanted when it was made of the same definition, in whatever order its fields come', () => {
    const [build, check] = status.definition!;
    const turned = { steps: build!.steps.map((step) => Object.fromEntries(Object.entries(step).toReversed()) as typeof step), name: build!.name };
    expect(whyOtherDefinition(there([turned, check!]), made!)).toBeUndefined();
    expect(whyOtherDefinition({ metadata: { ...there(status.definition).metadata, annotations: {} } }, made!)).toBeUndefined();
  });

  it('is another one when anything of the definition was changed, in a later stage too', () => {
    const [build, check] = status.definition!;
    expect(whyOtherDefinition(there([build!, { ...check!, steps: check!.steps.slice(1) }]), made!)).toMatch(/started from another definition/);
  });
});

describe('names of TaskRuns', () => {
  it('lead back to their stage', () => {
    for (const index of [0, 1]) for (const name of taskRunNames('site-0123456789', status, index)) expect(stageOf('site-0123456789', status, name)).toBe(index);
    expect(stageOf('site-0123456789', status, 'a-stranger')).toBeUndefined();
    expect(stageOf('other-0123456789', status, 'site-0123456789-build-site')).toBeUndefined();
    expect(stageOf('site-0123456789', { phase: 'Pending' }, 'site-0123456789-build-site')).toBeUndefined();
  });

  it('are none where there is no such stage', () => {
    expect(taskRunNames('site-0123456789', status, 2)).toEqual([]);
    expect(taskRunNames('site-0123456789', undefined, 0)).toEqual([]);
  });
});
