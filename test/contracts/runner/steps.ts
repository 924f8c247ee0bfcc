// Steps: interpreters, commands, environment, templates, errors and time.
import { type RunnerCase, script } from './case.ts';

export const stepCases: RunnerCase[] = [
  {
    name: 'script-stops-at-error',
    task: { steps: [script('echo before\nfalse\necho after', { name: 'a' })] },
    reason: 'StepFailed',
    steps: [[1, 'Error']],
    lines: { a: ['before'] },
  },
  { name: 'script-own-shebang', task: { steps: [script('#!/bin/sh\nfalse\necho after', { name: 'a' })] }, lines: { a: ['after'] } },
  { name: 'script-awk', task: { steps: [script('#!/bin/awk -f\nBEGIN { print "from awk", 6 * 7 }', { name: 'a' })] }, lines: { a: ['from awk 42'] } },
  {
    name: 'script-with-args',
    task: { steps: [script('printf "<%s>" "$#" "$@"; echo', { name: 'a', args: ['one two', '$$'] })] },
    lines: { a: ['<2><one two><$>'] },
  },
  {
    name: 'script-keeps-dollars',
    task: { steps: [script("echo '$$ $(A) $A'; A=1; echo \"$$\" | grep -q '[0-9]'", { name: 'a', env: [{ name: 'A', value: 'x' }] })] },
    lines: { a: ['$$ $(A) $A'] },
  },
  {
    name: 'command-not-found',
    ownLines: true,
    task: { steps: [{ name: 'a', command: ['no-such-command-here'] }] },
    reason: 'StepFailed',
    steps: [[1, 'Error']],
  },
  {
    name: 'exit-code',
    task: { steps: [script('exit 42', { name: 'a' }), script('echo never', { name: 'b' })] },
    reason: 'StepFailed',
    message: '"step-a" exited with code 42',
    steps: [
      [42, 'Error'],
      [1, 'Skipped'],
    ],
  },
  { name: 'killed-by-signal', signals: true, task: { steps: [script('kill -9 $$', { name: 'a' })] }, reason: 'StepFailed', steps: [[255, 'Error']] },
  {
    name: 'on-error-continue',
    task: {
      steps: [
        script('exit 7', { name: 'a', onError: 'continue' }),
        script('cat $(steps.step-a.exitCode.path); echo', { name: 'b' }),
        script('exit 0', { name: 'c', onError: 'stopAndFail' }),
      ],
    },
    steps: [
      [7, 'Continued'],
      [0, 'Completed'],
      [0, 'Completed'],
    ],
    lines: { b: ['7'] },
  },
  {
    name: 'exit-code-of-success',
    task: { steps: [script('true', { name: 'a' }), script('cat $(steps.step-a.exitCode.path); echo', { name: 'b' })] },
    lines: { b: ['0'] },
  },
  {
    name: 'step-timeout',
    task: { steps: [script('sleep 60', { name: 'a', timeout: '1s' }), script('echo never')] },
    reason: 'StepFailed',
    message: '"step-a" exited because the step exceeded the specified timeout limit',
    steps: [
      [1, 'TimeoutExceeded'],
      [1, 'Skipped'],
    ],
  },
  { name: 'step-timeout-not-reached', task: { steps: [script('echo quick', { name: 'a', timeout: '30s' })] }, lines: { a: ['quick'] } },
  {
    name: 'step-timeout-continue',
    task: { steps: [script('sleep 60', { name: 'a', timeout: '1s', onError: 'continue' }), script('echo never')] },
    reason: 'StepFailed',
    steps: [
      [1, 'TimeoutExceeded'],
      [1, 'Skipped'],
    ],
  },
  {
    name: 'run-timeout',
    task: { steps: [script('sleep 60', { name: 'a' }), script('echo never', { name: 'b' })] },
    run: { timeout: 'SHORT' },
    reason: 'TaskRunTimeout',
    message: 'failed to finish within "SHORT"',
    steps: [
      [1, 'TaskRunTimeout'],
      [1, 'TaskRunTimeout'],
    ],
  },
  {
    name: 'env-forms',
    needs: { secrets: { 'env-forms': { token: 's3cret-value', other: 'more' } } },
    task: {
      steps: [
        script('echo "$PLAIN|${#FROM_SECRET}|${P_token}|${MISSING-unset}"', {
          name: 'a',
          env: [
            { name: 'PLAIN', value: 'a "b" $c' },
            { name: 'FROM_SECRET', valueFrom: { secretKeyRef: { name: 'env-forms', key: 'token' } } },
            { name: 'MISSING', valueFrom: { secretKeyRef: { name: 'env-forms', key: 'nope', optional: true } } },
          ],
          envFrom: [{ prefix: 'P_', secretRef: { name: 'env-forms' } }],
        }),
      ],
    },
  },
  {
    name: 'env-config-map',
    needs: { configMaps: { 'env-config-map': { colour: 'blue', size: '7' } } },
    task: {
      params: [{ name: 'map', default: 'env-config-map' }],
      steps: [
        script('echo "$C $size ${absent-none}"', {
          name: 'a',
          env: [{ name: 'C', valueFrom: { configMapKeyRef: { name: '$(params.map)', key: 'colour' } } }],
          envFrom: [{ configMapRef: { name: '$(params.map)' } }, { configMapRef: { name: 'not-there', optional: true } }],
        }),
      ],
    },
    lines: { a: ['blue 7 none'] },
  },
  {
    name: 'env-field',
    task: {
      steps: [
        script('echo "$NS $RUN"', {
          name: 'a',
          env: [
            { name: 'NS', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
            { name: 'RUN', valueFrom: { fieldRef: { fieldPath: "metadata.labels['tekton.dev/taskRun']" } } },
          ],
        }),
      ],
    },
    lines: { a: ['NAMESPACE env-field'] },
  },
  {
    name: 'env-missing-secret',
    task: { steps: [script('echo never', { name: 'a', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'no-such-secret', key: 'k' } } }] })] },
    reason: 'CreateContainerConfigError',
  },
  {
    name: 'step-template',
    task: {
      params: [{ name: 'p', default: 'sub' }],
      stepTemplate: {
        env: [
          { name: 'A', value: 'template' },
          { name: 'B', value: 'template $(params.p)' },
        ],
        workingDir: '/tmp',
      },
      steps: [
        script('echo "$A $B"', { name: 'a', env: [{ name: 'A', value: 'own' }] }),
        script('pwd', { name: 'b' }),
        script('pwd', { name: 'c', workingDir: '/' }),
      ],
    },
    lines: { a: ['own template sub'], b: ['/tmp'], c: ['/'] },
  },
  {
    name: 'step-template-env-order',
    task: {
      stepTemplate: {
        env: [
          { name: 'A', value: 'ta' },
          { name: 'B', value: '$(A)-tb' },
        ],
      },
      steps: [
        script('echo "$A $B $C"', {
          name: 'a',
          env: [
            { name: 'C', value: '$(B)-c' },
            { name: 'A', value: 'own' },
          ],
        }),
      ],
    },
    lines: { a: ['own own-tb $(B)-c'] },
  },
  {
    name: 'script-shebang-after-space',
    ownLines: true,
    task: { steps: [script('\n#!/bin/sh\necho hi', { name: 'a' })] },
    reason: 'StepFailed',
    steps: [[1, 'Error']],
  },
  {
    name: 'script-no-interpreter',
    ownLines: true,
    task: { steps: [script('#!/no/such/interpreter\necho hi', { name: 'a' })] },
    reason: 'StepFailed',
    steps: [[1, 'Error']],
  },
  {
    name: 'command-not-found-continue',
    ownLines: true,
    task: { steps: [{ name: 'a', command: ['no-such-command-here'], onError: 'continue' }, script('echo never', { name: 'b' })] },
    reason: 'StepFailed',
    steps: [
      [1, 'Error'],
      [1, 'Skipped'],
    ],
  },
  {
    name: 'working-dir-relative',
    ownLines: true,
    task: { steps: [script('pwd', { name: 'a', workingDir: 'some/where' })] },
    reason: 'StepFailed',
    message: 'exited with code 128',
  },
  { name: 'stdin-is-empty', task: { steps: [script('cat; echo end', { name: 'a' })] }, lines: { a: ['end'] } },
  {
    name: 'step-template-command',
    task: {
      stepTemplate: { command: ['echo'], args: ['from', 'template'] },
      steps: [{ name: 'a' }, { name: 'b', args: ['own'] }, { name: 'c', command: ['printf'] }],
    },
    lines: { a: ['from template'], b: ['own'], c: ['from'] },
  },
  {
    name: 'step-actions',
    needs: {
      stepActions: {
        'say-it': {
          params: [{ name: 'word' }, { name: 'mark', default: '!' }, { name: 'many', type: 'array', default: ['d'] }],
          results: [{ name: 'said' }],
          env: [{ name: 'WORD', value: '$(params.word)$(params.mark)' }],
          script: 'echo "$WORD" "$@"; printf "%s" "$WORD" > $(step.results.said.path)',
          args: ['$(params.many[*])'],
        },
      },
    },
    task: {
      params: [{ name: 'p', default: 'from-task' }],
      results: [{ name: 'out', value: '$(steps.second.results.said)' }],
      steps: [
        {
          name: 'first',
          ref: { name: 'say-it' },
          params: [
            { name: 'word', value: '$(params.p)' },
            { name: 'many', value: ['x', 'y z'] },
          ],
        },
        {
          name: 'second',
          ref: { name: 'say-it' },
          params: [
            { name: 'word', value: '$(steps.first.results.said)' },
            { name: 'mark', value: '?' },
          ],
        },
      ],
    },
    lines: { first: ['from-task! x y z'], second: ['from-task!? d'] },
    results: { out: 'from-task!?' },
  },
  { name: 'step-action-missing', task: { steps: [{ name: 'a', ref: { name: 'no-such-action' } }] }, reason: 'TaskRunResolutionFailed' },
  {
    name: 'background-process-ends',
    task: { steps: [script('sleep 300 &\necho started', { name: 'a' }), script('echo next', { name: 'b' })] },
    lines: { a: ['started'], b: ['next'] },
  },
  { name: 'both-streams', task: { steps: [script('echo out; echo err >&2', { name: 'a' })] }, lines: { a: ['out'] } },
  {
    name: 'retries',
    task: { steps: [script('test $(context.task.retry-count) = 2', { name: 'a' })] },
    run: { retries: 3 },
    retries: 2,
    steps: [[0, 'Completed']],
  },
  { name: 'retries-used-up', task: { steps: [script('exit 5', { name: 'a' })] }, run: { retries: 1 }, retries: 1, reason: 'StepFailed', steps: [[5, 'Error']] },
];
