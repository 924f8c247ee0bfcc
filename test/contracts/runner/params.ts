// Params of all types, defaults, and substitution wherever Tekton does it.
import { type RunnerCase, script } from './case.ts';

const HOSTILE = `"; touch /tmp/owned; echo "$(id)\`id\`' $HOME \\ * ; #`;

export const paramCases: RunnerCase[] = [
  {
    name: 'param-string-spellings',
    task: {
      params: [{ name: 'who' }, { name: 'a.b', default: 'dotted' }],
      steps: [script(`echo "$(params.who) $(params["who"]) $(params['who']) $(params["a.b"]) $(params['a.b'])"`)],
    },
    run: { params: [{ name: 'who', value: 'world' }] },
    lines: { 'unnamed-0': ['world world world dotted dotted'] },
  },
  {
    name: 'param-default-and-override',
    task: {
      params: [
        { name: 'x', default: 'one' },
        { name: 'y', default: 'two' },
      ],
      steps: [script('echo $(params.x)-$(params.y)')],
    },
    run: { params: [{ name: 'y', value: 'three' }] },
    lines: { 'unnamed-0': ['one-three'] },
  },
  {
    name: 'param-default-of-param',
    task: {
      params: [
        { name: 'x', default: 'one' },
        { name: 'y', default: 'see $(params.x)' },
      ],
      steps: [script('echo $(params.y)')],
    },
    lines: { 'unnamed-0': ['see one'] },
  },
  {
    name: 'variable-unknown-stays',
    task: { params: [{ name: 'x', default: 'one' }], steps: [{ command: ['echo', '$(nope.y) $(inputs.x) $(workspaces.z.path) $(params.x'] }] },
    lines: { 'unnamed-0': ['$(nope.y) $(inputs.x) $(workspaces.z.path) $(params.x'] },
  },
  {
    name: 'param-no-second-look',
    task: {
      params: [{ name: 'x' }, { name: 'y' }],
      steps: [{ name: 'show', command: ['printf', '%s\\n'], args: ['$(params.x)', '$(params.y)'] }],
    },
    run: {
      params: [
        { name: 'x', value: '$(params.y)' },
        { name: 'y', value: '$(context.taskRun.namespace)' },
      ],
    },
    lines: { show: ['$(params.y)', 'NAMESPACE'] },
  },
  {
    name: 'param-array-star',
    task: {
      params: [{ name: 'list', type: 'array' }],
      steps: [{ name: 'show', command: ['printf', '<%s>\\n'], args: ['first', '$(params.list[*])', '$(params["list"][*])', "$(params['list'][*])", 'last'] }],
    },
    run: { params: [{ name: 'list', value: ['a b', '', 'c'] }] },
    lines: { show: ['<first>', '<a b>', '<>', '<c>', '<a b>', '<>', '<c>', '<a b>', '<>', '<c>', '<last>'] },
  },
  {
    name: 'param-array-empty',
    task: {
      params: [{ name: 'list', type: 'array', default: [] }],
      steps: [{ name: 'show', command: ['printf', '<%s>\\n'], args: ['$(params.list[*])', 'only'] }],
    },
    lines: { show: ['<only>'] },
  },
  {
    name: 'param-array-index',
    task: {
      params: [{ name: 'list', type: 'array', default: ['x', 'y'] }],
      steps: [script(`echo $(params.list[0])-$(params["list"][1])-$(params['list'][1])`)],
    },
    lines: { 'unnamed-0': ['x-y-y'] },
  },
  {
    name: 'param-array-index-outside',
    task: { params: [{ name: 'list', type: 'array' }], steps: [script('echo $(params.list[2])')] },
    run: { params: [{ name: 'list', value: ['a'] }] },
    reason: 'TaskRunValidationFailed',
    message: '$(params.list[2])',
  },
  {
    name: 'param-array-in-command',
    task: { params: [{ name: 'cmd', type: 'array', default: ['echo', 'from', 'array'] }], steps: [{ name: 'show', command: ['$(params.cmd[*])'] }] },
    lines: { show: ['from array'] },
  },
  {
    name: 'param-object',
    task: {
      params: [{ name: 'o', type: 'object', properties: { a: { type: 'string' }, b: {} }, default: { a: 'da', b: 'db' } }],
      steps: [script('echo $(params.o.a) $(params.o.b)')],
    },
    run: { params: [{ name: 'o', value: { b: 'given' } }] },
    lines: { 'unnamed-0': ['da given'] },
  },
  {
    name: 'param-object-lacks-key',
    task: { params: [{ name: 'o', type: 'object', properties: { a: {}, b: {} } }], steps: [script('echo $(params.o.a)')] },
    run: { params: [{ name: 'o', value: { a: 'x' } }] },
    reason: 'TaskRunValidationFailed',
  },
  { name: 'param-missing', task: { params: [{ name: 'needed' }], steps: [script('echo never')] }, reason: 'TaskRunValidationFailed', message: 'needed' },
  {
    name: 'param-wrong-type',
    task: { params: [{ name: 'list', type: 'array' }], steps: [script('echo never')] },
    run: { params: [{ name: 'list', value: 'text' }] },
    reason: 'TaskRunValidationFailed',
    message: 'list',
  },
  {
    name: 'param-undeclared-propagates',
    task: { steps: [script('echo $(params.extra)')] },
    run: { params: [{ name: 'extra', value: 'passed on' }] },
    lines: { 'unnamed-0': ['passed on'] },
  },
  {
    name: 'param-hostile-in-args-and-env',
    task: {
      params: [{ name: 'x' }],
      steps: [
        { name: 'args', command: ['printf', '%s\\n'], args: ['$(params.x)'] },
        script('printf "%s\\n" "$X"; test ! -e /tmp/owned', { name: 'env', env: [{ name: 'X', value: '$(params.x)' }] }),
      ],
    },
    run: { params: [{ name: 'x', value: HOSTILE }] },
    lines: { args: [HOSTILE], env: [HOSTILE] },
  },
  {
    name: 'param-in-script-is-text',
    task: { params: [{ name: 'x' }], steps: [script('echo "$(params.x)"')] },
    run: { params: [{ name: 'x', value: '$((6 * 7))' }] },
    lines: { 'unnamed-0': ['42'] },
  },
  {
    name: 'param-everywhere',
    task: {
      params: [
        { name: 'env', default: 'value' },
        { name: 'dir', default: 'deep/er' },
        { name: 'on', default: 'continue' },
      ],
      workspaces: [{ name: 'ws' }],
      steps: [
        script('mkdir -p "$(workspaces.ws.path)/deep/er"', { name: 'make' }),
        script('pwd | sed "s/.*deep/deep/"; echo $E; exit 4', {
          name: 'show',
          workingDir: '$(workspaces.ws.path)/$(params.dir)',
          env: [{ name: 'E', value: 'the $(params.env)' }],
          onError: '$(params.on)',
        }),
      ],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { show: ['deep/er', 'the value'] },
    steps: [
      [0, 'Completed'],
      [4, 'Continued'],
    ],
  },
  {
    name: 'context-variables',
    task: {
      steps: [
        script('echo $(context.taskRun.name) $(context.taskRun.namespace) $(context.task.retry-count)', { name: 'show' }),
        script('test -n "$(context.taskRun.uid)"'),
      ],
    },
    lines: { show: ['context-variables NAMESPACE 0'] },
  },
  {
    name: 'kubernetes-expansion',
    task: {
      steps: [
        {
          name: 'show',
          command: ['printf', '%s\\n'],
          args: ['$(A)', '$(B)', '$(NOPE)', '$$(A)', 'a$$b', '$A'],
          env: [
            { name: 'A', value: 'one' },
            { name: 'B', value: '$(A)-two $(C)' },
            { name: 'C', value: 'later' },
          ],
        },
      ],
    },
    lines: { show: ['one', 'one-two $(C)', '$(NOPE)', '$(A)', 'a$b', '$A'] },
  },
];
