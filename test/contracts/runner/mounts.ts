// Workspaces, volumes and sidecars.
import { type RunnerCase, script } from './case.ts';

export const mountCases: RunnerCase[] = [
  {
    name: 'workspace-empty-dir',
    task: {
      workspaces: [{ name: 'ws' }],
      steps: [
        script('test -z "$(ls "$(workspaces.ws.path)")"; echo hi > $(workspaces.ws.path)/f; echo "$(workspaces.ws.bound)|$(workspaces.ws.claim)|"', {
          name: 'a',
        }),
        script('cat $(workspaces.ws.path)/f', { name: 'b' }),
      ],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['true||'], b: ['hi'] },
  },
  {
    name: 'workspace-optional',
    task: { workspaces: [{ name: 'ws', optional: true }], steps: [script('echo "$(workspaces.ws.bound)|$(workspaces.ws.path)|"', { name: 'a' })] },
    lines: { a: ['false||'] },
  },
  { name: 'workspace-unbound', task: { workspaces: [{ name: 'ws' }], steps: [script('echo never')] }, reason: 'TaskRunValidationFailed', message: 'ws' },
  {
    name: 'workspace-undeclared',
    task: { steps: [script('echo x > $(workspaces.free.path)/f; cat $(workspaces.free.path)/f', { name: 'a' })] },
    run: { workspaces: [{ name: 'free', emptyDir: {} }] },
    lines: { a: ['x'] },
  },
  {
    name: 'workspace-sub-path',
    task: {
      workspaces: [{ name: 'ws' }],
      params: [{ name: 'd', default: 'in/side' }],
      steps: [script('echo x > $(workspaces.ws.path)/f; cat $(workspaces.ws.path)/f', { name: 'a' })],
    },
    run: { workspaces: [{ name: 'ws', subPath: '$(params.d)', emptyDir: {} }] },
    lines: { a: ['x'] },
  },
  {
    name: 'workspace-secret',
    needs: { secrets: { 'workspace-secret': { token: 'abcdef', other: 'x' } } },
    task: { workspaces: [{ name: 'ws' }], steps: [script('ls $(workspaces.ws.path); wc -c < $(workspaces.ws.path)/token | tr -d " "', { name: 'a' })] },
    run: { workspaces: [{ name: 'ws', secret: { secretName: 'workspace-secret' } }] },
    lines: { a: ['other', 'token', '6'] },
  },
  {
    name: 'workspace-secret-items',
    needs: { secrets: { 'workspace-secret-items': { token: 'abcdef', other: 'x' } } },
    task: {
      workspaces: [{ name: 'ws' }],
      steps: [script('find $(workspaces.ws.path)/sub/ -name "*.txt" | sed "s,.*/sub,sub,"; test ! -e $(workspaces.ws.path)/other', { name: 'a' })],
    },
    run: { workspaces: [{ name: 'ws', secret: { secretName: 'workspace-secret-items', items: [{ key: 'token', path: 'sub/t.txt' }] } }] },
    lines: { a: ['sub/t.txt'] },
  },
  {
    name: 'workspace-config-map',
    needs: { configMaps: { 'workspace-config-map': { 'a.conf': 'x=1\n' } } },
    task: { workspaces: [{ name: 'ws' }], steps: [script('cat $(workspaces.ws.path)/a.conf', { name: 'a' })] },
    run: { workspaces: [{ name: 'ws', configMap: { name: 'workspace-config-map' } }] },
    lines: { a: ['x=1'] },
  },
  {
    name: 'working-dir-in-workspace',
    task: {
      workspaces: [{ name: 'ws' }],
      steps: [
        script('echo x > f; cat "$(workspaces.ws.path)/new/f"', { name: 'a', workingDir: '$(workspaces.ws.path)/new' }),
        script('cat f', { name: 'b', workingDir: '/workspace/ws/new' }),
      ],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['x'], b: ['x'] },
  },
  {
    name: 'own-paths',
    ownPaths: true,
    task: {
      results: [{ name: 'r' }],
      workspaces: [{ name: 'ws' }, { name: 'other', mountPath: '/else/where' }],
      volumes: [{ name: 'v', emptyDir: {} }],
      steps: [
        script(
          'pwd; echo $(workspaces.ws.path) $(workspaces.other.path) $(results.r.path); printf ok > /tekton/results/r; echo x > /else/where/f; echo y > /mnt/v/g',
          {
            name: 'a',
            workingDir: '/workspace/ws',
            volumeMounts: [{ name: 'v', mountPath: '/mnt/v' }],
          },
        ),
        script('cat /else/where/f /vol/g', { name: 'b', volumeMounts: [{ name: 'v', mountPath: '/vol' }] }),
      ],
    },
    run: {
      workspaces: [
        { name: 'ws', emptyDir: {} },
        { name: 'other', emptyDir: {} },
      ],
    },
    lines: { a: ['/workspace/ws', '/workspace/ws /else/where /tekton/results/r'], b: ['x', 'y'] },
    results: { r: 'ok' },
  },
  {
    name: 'isolated-workspace',
    ownPaths: true,
    task: {
      workspaces: [{ name: 'ws' }],
      steps: [
        script('echo x > /own/f; echo $(workspaces.ws.path)', { name: 'a', workspaces: [{ name: 'ws', mountPath: '/own' }] }),
        script('test ! -e /own; test ! -e /workspace/ws/f; echo hidden', { name: 'b' }),
      ],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['/own'], b: ['hidden'] },
  },
  {
    name: 'sidecar-that-fails',
    ownLines: true,
    task: { sidecars: [{ name: 'helper', script: 'exit 3' }], steps: [script('sleep 1; echo fine', { name: 'a' })] },
    orReason: 'SidecarFailed',
    lines: { a: ['fine'] },
  },
  {
    name: 'volume-of-workspace',
    ownPaths: true,
    task: {
      workspaces: [{ name: 'ws' }],
      steps: [script('echo hi > /alt/f; cat $(workspaces.ws.path)/f', { name: 'a', volumeMounts: [{ name: '$(workspaces.ws.volume)', mountPath: '/alt' }] })],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['hi'] },
  },
  {
    name: 'workspace-read-only',
    ownPaths: true,
    task: { workspaces: [{ name: 'ws', readOnly: true }], steps: [script('touch $(workspaces.ws.path)/f', { name: 'a' })] },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    reason: 'StepFailed',
    steps: [[1, 'Error']],
  },
  {
    name: 'sidecar-lines',
    task: {
      workspaces: [{ name: 'ws' }],
      sidecars: [{ name: 'helper', script: 'echo first; echo second; touch $(workspaces.ws.path)/up; sleep 600' }],
      steps: [script('while ! test -e $(workspaces.ws.path)/up; do sleep 0.1; done; sleep 1; echo hi', { name: 'a' }), script('echo ho', { name: 'b' })],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['hi'], b: ['ho'], 'sidecar-helper': ['first', 'second'] },
    // When Tekton ends it, by which signal and with which word of the local runner, is nobody's business.
    ownLines: true,
  },
  {
    name: 'sidecar',
    task: {
      params: [{ name: 'word', default: 'ready' }],
      workspaces: [{ name: 'ws' }],
      sidecars: [{ name: 'helper', script: 'echo $(params.word) > $(workspaces.ws.path)/note; while true; do sleep 1; done' }],
      steps: [
        script('for i in 1 2 3 4 5 6 7 8 9 10; do test -s $(workspaces.ws.path)/note && break; sleep 1; done; cat $(workspaces.ws.path)/note', { name: 'a' }),
      ],
    },
    run: { workspaces: [{ name: 'ws', emptyDir: {} }] },
    lines: { a: ['ready'] },
  },
];
