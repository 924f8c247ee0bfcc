// Variables in every place that Tekton's documentation names (variables.md, "Fields that accept variable substitutions"), as far as one machine has it.
import { type RunnerCase, script } from './case.ts';

const param = (name: string, value: string) => ({ name, default: value });

export const placeCases: RunnerCase[] = [
  {
    name: 'place-step-env',
    needs: { secrets: { 'place-step-env': { word: 'from-secret' } }, configMaps: { 'place-step-env': { word: 'from-map' } } },
    task: {
      params: [param('of', 'place-step-env'), param('key', 'word'), param('text', 'plain')],
      steps: [
        script('echo "$VALUE ${#SECRET} $MAP"', {
          name: 'a',
          env: [
            { name: 'VALUE', value: '<$(params.text)>' },
            { name: 'SECRET', valueFrom: { secretKeyRef: { name: '$(params.of)', key: '$(params.key)' } } },
            { name: 'MAP', valueFrom: { configMapKeyRef: { name: '$(params["of"])', key: '$(params.key)' } } },
          ],
        }),
      ],
    },
    lines: { a: ['<plain> 11 from-map'] },
  },
  {
    name: 'place-env-from',
    needs: { configMaps: { 'place-env-from': { colour: 'green' } } },
    task: {
      params: [param('of', 'place-env-from'), param('with', 'P_')],
      steps: [script('echo "$P_colour"', { name: 'a', envFrom: [{ prefix: '$(params.with)', configMapRef: { name: '$(params.of)' } }] })],
    },
    lines: { a: ['green'] },
  },
  {
    name: 'place-command-and-args',
    task: {
      params: [param('program', 'printf'), param('form', '%s|'), { name: 'words', type: 'array', default: ['one', 'two words'] }],
      steps: [
        { name: 'a', command: ['$(params.program)', '$(params.form)'], args: ['$(params.words[*])', 'x$(params.words[1])'] },
        script('echo', { name: 'b' }),
      ],
    },
    lines: { a: ['one|two words|xtwo words|'] },
  },
  {
    name: 'place-interpreter',
    task: { params: [param('shell', '/bin/sh'), param('say', 'hi')], steps: [script('#!$(params.shell)\necho $(params.say)', { name: 'a' })] },
    lines: { a: ['hi'] },
  },
  {
    name: 'place-volume-config-map',
    ownPaths: true,
    needs: { configMaps: { 'place-volume': { one: 'first', two: 'second' } } },
    task: {
      params: [param('map', 'place-volume'), param('key', 'two'), param('path', 'below/it'), param('volume', 'settings'), param('at', '/mnt/settings')],
      volumes: [{ name: '$(params.volume)', configMap: { name: '$(params.map)', items: [{ key: '$(params.key)', path: '$(params.path)' }] } }],
      steps: [
        script('cat $(params.at)/below/it; test ! -e $(params.at)/one', {
          name: 'a',
          volumeMounts: [{ name: '$(params.volume)', mountPath: '$(params.at)' }],
        }),
      ],
    },
    lines: { a: ['second'] },
  },
  {
    name: 'place-volume-secret',
    ownPaths: true,
    needs: { secrets: { 'place-volume-secret': { token: 'abcdef', other: 'x' } } },
    task: {
      params: [param('secret', 'place-volume-secret'), param('key', 'token'), param('path', 'my/token')],
      volumes: [{ name: 'safe', secret: { secretName: '$(params.secret)', items: [{ key: '$(params.key)', path: '$(params.path)' }] } }],
      steps: [script('wc -c < /mnt/my/token | tr -d " "; ls /mnt', { name: 'a', volumeMounts: [{ name: 'safe', mountPath: '/mnt' }] })],
    },
    lines: { a: ['6', 'my'] },
  },
  {
    name: 'place-mount-sub-path',
    ownPaths: true,
    task: {
      params: [param('below', 'deep/er')],
      volumes: [{ name: 'v', emptyDir: {} }],
      steps: [
        script('mkdir -p /all/deep/er; echo x > /all/deep/er/f', { name: 'a', volumeMounts: [{ name: 'v', mountPath: '/all' }] }),
        script('cat /some/f', { name: 'b', volumeMounts: [{ name: 'v', mountPath: '/some', subPath: '$(params.below)' }] }),
      ],
    },
    lines: { b: ['x'] },
  },
  {
    name: 'place-sidecar',
    needs: { configMaps: { 'place-sidecar': { word: 'mapped' } } },
    task: {
      params: [param('name', 'helper'), param('word', 'ready'), param('map', 'place-sidecar'), param('key', 'word')],
      workspaces: [{ name: 'ws' }],
      sidecars: [
        {
          name: '$(params.name)',
          env: [
            { name: 'A', value: '$(params.word)' },
            { name: 'B', valueFrom: { configMapKeyRef: { name: '$(params.map)', key: '$(params.key)' } } },
          ],
          command: [
            '/bin/sh',
            '-c',
            'echo "$0 $A $B" > $(workspaces.ws.path)/note.new; mv $(workspaces.ws.path)/note.new $(workspaces.ws.path)/note; sleep 600',
          ],
          args: ['$(params.name)'],
        },
      ],
      steps: [script('while ! test -s $(workspaces.ws.path)/note; do sleep 0.1; done; cat $(workspaces.ws.path)/note', { name: 'a' })],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['helper ready mapped'] },
  },
  {
    name: 'place-workspace-mount-path',
    ownPaths: true,
    task: {
      params: [param('at', '/else/where')],
      workspaces: [{ name: 'ws', mountPath: '$(params.at)' }],
      steps: [script('echo $(workspaces.ws.path); touch /else/where/f', { name: 'a' })],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['/else/where'] },
  },
  {
    name: 'place-workspace-bindings',
    needs: { secrets: { 'place-bound': { key: 'abc' } }, configMaps: { 'place-bound': { one: '1', two: '2' } } },
    task: {
      params: [param('what', 'place-bound'), param('one', 'one'), param('as', 'renamed')],
      workspaces: [{ name: 's' }, { name: 'c' }],
      steps: [script('ls $(workspaces.s.path); ls $(workspaces.c.path); cat $(workspaces.c.path)/renamed; echo', { name: 'a' })],
    },
    run: {
      workspaces: [
        { name: 's', secret: { secretName: '$(params.what)' } },
        { name: 'c', configMap: { name: '$(params.what)', items: [{ key: '$(params.one)', path: '$(params.as)' }] } },
      ],
    },
    lines: { a: ['key', 'renamed', '1'] },
  },
  {
    name: 'place-claim',
    task: {
      workspaces: [{ name: 'ws' }],
      steps: [
        script('echo kept > $(workspaces.ws.path)/f; test -n "$(workspaces.ws.claim)" || echo "no claim"', { name: 'a' }),
        script('cat $(workspaces.ws.path)/f', { name: 'b' }),
      ],
    },
    run: { workspaces: [{ name: 'ws', volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } } }] },
    ownLines: true,
    lines: { b: ['kept'] },
  },
  {
    name: 'place-step-template',
    task: {
      params: [param('dir', '/tmp'), param('word', 'hi'), { name: 'more', type: 'array', default: ['x', 'y'] }],
      stepTemplate: { workingDir: '$(params.dir)', env: [{ name: 'W', value: '$(params.word)' }], command: ['printf', '%s-'], args: ['$(params.more[*])'] },
      steps: [{ name: 'a' }, { name: 'b', args: [] }, { name: 'c', command: ['sh', '-c'], args: ['echo $W'] }],
    },
    lines: { a: ['x-y-'], b: ['x-y-'], c: ['hi'] },
  },
  {
    name: 'place-when',
    task: {
      params: [param('go', 'yes'), { name: 'allowed', type: 'array', default: ['no', 'yes'] }],
      steps: [
        script('echo ran', { name: 'a', when: [{ input: '$(params.go)', operator: 'in', values: ['$(params.allowed[*])'] }] }),
        script('echo never', { name: 'b', when: [{ input: '$(params.go)', operator: 'notin', values: ['$(params.allowed[*])'] }] }),
      ],
    },
    steps: [
      [0, 'Completed'],
      [0, 'Skipped'],
    ],
    lines: { a: ['ran'] },
  },
  {
    name: 'place-result-and-context-in-args',
    task: {
      results: [{ name: 'r' }],
      steps: [
        { name: 'a', command: ['sh', '-c', 'printf "%s" "$1" > "$0"'], args: ['$(results.r.path)', '$(context.taskRun.name)'] },
        script('cat "$F"; echo', { name: 'b', env: [{ name: 'F', value: '$(results.r.path)' }] }),
      ],
    },
    lines: { b: ['place-result-and-context-in-args'] },
    results: { r: 'place-result-and-context-in-args' },
  },
  {
    name: 'place-object-key-everywhere',
    task: {
      params: [{ name: 'o', type: 'object', properties: { dir: {}, word: {} }, default: { dir: '/tmp', word: 'hi' } }],
      steps: [
        script('pwd; echo $(params.o.word) $W $1', {
          name: 'a',
          workingDir: '$(params.o.dir)',
          env: [{ name: 'W', value: '$(params.o.word)' }],
          args: ['$(params.o.word)'],
        }),
      ],
    },
    lines: { a: ['/tmp', 'hi hi hi'] },
  },
  {
    name: 'place-image',
    task: {
      params: [param('image', 'IMAGE'), param('pull', 'IfNotPresent')],
      workspaces: [{ name: 'ws' }],
      sidecars: [{ name: 'helper', image: '$(params.image)', imagePullPolicy: '$(params.pull)', script: 'echo up > $(workspaces.ws.path)/up; sleep 600' }],
      steps: [
        script('while ! test -s $(workspaces.ws.path)/up; do sleep 0.1; done; echo hi', {
          name: 'a',
          image: '$(params.image)',
          imagePullPolicy: '$(params.pull)',
        }),
      ],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['hi'] },
  },
  {
    name: 'param-values-of-all-types',
    task: {
      params: [
        { name: 'list', type: 'array' },
        { name: 'map', type: 'object', properties: { a: {}, b: {} } },
        { name: 'text', type: 'string' },
      ],
      steps: [{ name: 'show', command: ['printf', '<%s>\\n'], args: ['$(params.list[*])', '$(params.map.a)', '$(params.map.b)', '$(params.text)'] }],
    },
    run: {
      params: [
        { name: 'list', value: ['ü', '', 'a\tb'] },
        { name: 'map', value: { a: '1', b: '{"x": 2}', more: 'kept' } },
        { name: 'text', value: 'line one\nline two' },
      ],
    },
    lines: { show: ['<ü>', '<>', '<a\tb>', '<1>', '<{"x": 2}>', '<line one', 'line two>'] },
  },
];
