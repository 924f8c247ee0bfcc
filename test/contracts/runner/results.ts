// Results of Tasks and of steps, their types and limits.
import { type RunnerCase, script } from './case.ts';

export const resultCases: RunnerCase[] = [
  {
    name: 'result-string-spellings',
    task: {
      results: [{ name: 'a' }, { name: 'b.c', description: 'dotted' }],
      steps: [script(`printf one > $(results.a.path); printf 'two\\n' > "$(results["b.c"].path)"`)],
    },
    results: { a: 'one', 'b.c': 'two\n' },
  },
  {
    name: 'result-array-and-object',
    task: {
      results: [
        { name: 'list', type: 'array' },
        { name: 'map', type: 'object', properties: { x: {}, y: {} } },
      ],
      steps: [script(`printf '["p","q"]' > $(results.list.path); printf '{"x":"1","y":"2"}' > $(results.map.path)`)],
    },
    results: { list: ['p', 'q'], map: { x: '1', y: '2' } },
  },
  { name: 'result-not-written', task: { results: [{ name: 'a' }], steps: [script('true')] }, results: {} },
  { name: 'result-empty', task: { results: [{ name: 'a' }], steps: [script('printf "" > $(results.a.path)')] }, results: { a: '' } },
  {
    name: 'result-wrong-type',
    task: { results: [{ name: 'list', type: 'array' }], steps: [script('printf text > $(results.list.path)')] },
    reason: 'TaskRunValidationFailed',
    message: 'list',
  },
  {
    name: 'result-object-lacks-key',
    task: { results: [{ name: 'map', type: 'object', properties: { x: {}, y: {} } }], steps: [script(`printf '{"x":"1"}' > $(results.map.path)`)] },
    reason: 'TaskRunValidationFailed',
    message: 'map',
    results: { map: { x: '1' } },
  },
  {
    name: 'result-json-as-string',
    task: { results: [{ name: 'a' }], steps: [script(`printf '["p"]' > $(results.a.path)`)] },
    results: { a: '["p"]' },
  },
  {
    name: 'result-latest-wins',
    task: { results: [{ name: 'a' }], steps: [script('printf one > $(results.a.path)'), script('cat $(results.a.path); printf two > $(results.a.path)')] },
    results: { a: 'two' },
    lines: { 'unnamed-1': ['one'] },
  },
  {
    name: 'result-of-failed-step',
    task: { results: [{ name: 'a' }], steps: [script('printf kept > $(results.a.path); exit 3')] },
    reason: 'StepFailed',
    results: { a: 'kept' },
    steps: [[3, 'Error']],
  },
  {
    name: 'result-too-long',
    ownLines: true,
    task: {
      results: [{ name: 'a' }],
      steps: [script('head -c 5000 /dev/zero | tr "\\0" x > $(results.a.path)', { name: 'long' }), script('echo after', { name: 'after' })],
    },
    reason: 'StepFailed',
    message: '"step-long" exited with code 1',
  },
  {
    name: 'result-just-fits',
    task: { results: [{ name: 'a' }], steps: [script('head -c 3900 /dev/zero | tr "\\0" x > $(results.a.path)')] },
    results: { a: 'x'.repeat(3900) },
  },
  {
    name: 'step-results',
    task: {
      results: [{ name: 'out', value: '$(steps.make.results.word)' }],
      steps: [
        script(
          'printf hello > $(step.results.word.path); printf \'["x","y z"]\' > $(step.results.list.path); printf \'{"k":"v"}\' > $(step.results.map.path)',
          {
            name: 'make',
            results: [{ name: 'word' }, { name: 'list', type: 'array' }, { name: 'map', type: 'object', properties: { k: { type: 'string' } } }],
          },
        ),
        {
          name: 'use',
          command: ['printf', '<%s>\\n'],
          args: ['$(steps.make.results.word)', '$(steps.make.results.list[*])', '$(steps.make.results.list[1])', '$(steps.make.results.map.k)'],
        },
        script('echo "$W"', { name: 'env', env: [{ name: 'W', value: 'in env: $(steps.make.results.word)' }] }),
      ],
    },
    results: { out: 'hello' },
    lines: { use: ['<hello>', '<x>', '<y z>', '<y z>', '<v>'], env: ['in env: hello'] },
  },
  {
    name: 'step-results-odd',
    ownLines: true,
    task: {
      steps: [
        script('printf \'["x"]\' > $(step.results.list.path); printf \'{"k":"v"}\' > $(step.results.map.path); printf "42\\n" > $(step.results.text.path)', {
          name: 'make',
          results: [
            { name: 'list', type: 'array' },
            { name: 'map', type: 'object', properties: { k: { type: 'string' } } },
            { name: 'text' },
            { name: 'none' },
          ],
        }),
        { name: 'key', command: ['echo', '[$(steps.make.results.map.z)]', '[$(steps.make.results.list)]'] },
        { name: 'text', command: ['echo', '[$(steps.make.results.text)]'] },
        script('echo "[$E]"', { name: 'env', env: [{ name: 'E', value: '$(steps.make.results.list[*])' }] }),
        { name: 'missing', command: ['echo', '$(steps.make.results.none)', '$(steps.nobody.results.x)'] },
        { name: 'outside', command: ['echo', '$(steps.make.results.list[3])'] },
      ],
    },
    reason: 'StepFailed',
    message: 'step-outside',
    lines: { key: ['[] []'], text: ['[42', ']'], env: ['[]'], missing: ['$(steps.make.results.none) $(steps.nobody.results.x)'] },
  },
  {
    name: 'step-when',
    task: {
      params: [{ name: 'go', default: 'no' }],
      steps: [
        script('printf yes > $(step.results.answer.path)', { name: 'ask', results: [{ name: 'answer' }] }),
        script('echo never', { name: 'skipped', when: [{ input: '$(params.go)', operator: 'in', values: ['yes'] }] }),
        script('echo done', { name: 'run', when: [{ input: '$(steps.ask.results.answer)', operator: 'in', values: ['yes', 'maybe'] }] }),
        script('echo never', { name: 'not', when: [{ input: '$(steps.ask.results.answer)', operator: 'notin', values: ['yes'] }] }),
      ],
    },
    steps: [
      [0, 'Completed'],
      [0, 'Skipped'],
      [0, 'Completed'],
      [0, 'Skipped'],
    ],
    lines: { run: ['done'] },
  },
];
