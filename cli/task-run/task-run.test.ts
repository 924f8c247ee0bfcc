// tidemill task run: files as they stand, what they may hold, how it ends, and that nothing is left behind.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runProgram } from '../program.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-words-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  return runWith('', ...words);
}

async function runWith(input: string, ...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const env = { PATH: process.env['PATH'], HOME: folder, TIDEMILL_ISOLATION: 'none' };
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    stdin: Readable.from([input]),
    env,
    cwd: folder,
  };
  const code = await runProgram(['task', 'run', ...words], io);
  return { code, out, err };
}

const file = async (text: string, name = 'task.yaml') => {
  await writeFile(join(folder, name), text);
  return name;
};

const TASK = `apiVersion: tekton.dev/v1
kind: Task
metadata: { name: hello }
spec:
  params:
    - { name: who, default: world }
    - { name: list, type: array, default: [a] }
    - { name: map, type: object, properties: { k: { type: string } }, default: { k: v } }
    - { name: number, default: 7 }
  workspaces: [{ name: src, optional: true }]
  results: [{ name: said }]
  steps:
    - name: say
      image: busybox
      args: ["$(params.list[*])"]
      script: |
        echo "hello $(params.who) $(params.map.k) $(params.number) $*"
        printf '%s' "$(params.who)" > $(results.said.path)
        ls $(workspaces.src.path)
`;

describe('a Task', () => {
  test('runs with the defaults of its params, its lines prefixed by the step', async () => {
    const { code, out, err } = await run(await file(TASK));
    expect(code).toBe(0);
    expect(out).toContain('[say] hello world v 7 a\n');
    expect(err).toMatch(/said = world\nSucceeded in /);
  });

  test('takes params of every type, and folders for workspaces', async () => {
    await mkdir(join(folder, 'src'));
    await writeFile(join(folder, 'src', 'a file'), '');
    const { code, out } = await run(await file(TASK), '-p', 'who=a=b', '-p', 'list=x, y', '-p', 'map={"k":"w"}', '-p', 'number=8', '-w', 'src=src');
    expect(code).toBe(0);
    expect(out).toBe('[say] hello a=b w 8 x y\n[say] a file\n');
  });

  test('comes from stdin as well', async () => {
    expect((await runWith(TASK, '-')).out).toContain('[say] hello world');
  });

  test('with -o json, stdout holds the TaskRun with its status and nothing else', async () => {
    const { code, out, err } = await run(await file(TASK), '-o', 'json');
    expect(code).toBe(0);
    expect(err).toContain('[say] hello world');
    expect(JSON.parse(out)).toMatchObject({
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      spec: { taskRef: { kind: 'Task', name: 'hello' } },
      status: {
        conditions: [{ type: 'Succeeded', status: 'True', reason: 'Succeeded' }],
        results: [{ name: 'said', type: 'string', value: 'world' }],
        steps: [{ name: 'say', container: 'step-say', terminated: { exitCode: 0, reason: 'Completed' }, terminationReason: 'Completed' }],
      },
    });
  });
});

describe('a TaskRun', () => {
  test('finds what it refers to in the same file', async () => {
    const text = `apiVersion: tekton.dev/v1
kind: TaskRun
metadata: { generateName: all- }
spec:
  taskRef: { name: all }
  params: [{ name: times, value: 2 }]
  workspaces:
    - { name: keep, persistentVolumeClaim: { claimName: disk } }
    - { name: conf, configMap: { name: settings } }
---
apiVersion: tekton.dev/v1
kind: Task
metadata: { name: all }
spec:
  params: [{ name: times }]
  workspaces: [{ name: keep }, { name: conf }]
  sidecars:
    - { name: helper, image: busybox, script: 'echo up > $(workspaces.keep.path)/up; sleep 60' }
  steps:
    - name: greet
      ref: { name: greeting }
      params: [{ name: word, value: "hi $(params.times)" }]
    - name: read
      image: busybox
      env: [{ name: S, valueFrom: { secretKeyRef: { name: safe, key: word } } }]
      script: |
        while ! test -s $(workspaces.keep.path)/up; do sleep 0.05; done
        cat $(workspaces.conf.path)/colour $(workspaces.keep.path)/up
        echo "secret: $S"
---
apiVersion: tekton.dev/v1beta1
kind: StepAction
metadata: { name: greeting }
spec: { params: [{ name: word }], image: busybox, env: [{ name: W, value: $(params.word) }], script: 'echo "$W"' }
---
{ apiVersion: v1, kind: ConfigMap, metadata: { name: settings }, data: { colour: "blue\\n" } }
---
{ apiVersion: v1, kind: Secret, metadata: { name: safe }, data: { word: aHVzaC1odXNo } }
---
{ apiVersion: v1, kind: PersistentVolumeClaim, metadata: { name: disk }, spec: {} }
`;
    const { code, out, err } = await run(await file(text));
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(out).toBe('[greet] hi 2\n[read] blue\n[read] up\n[read] secret: ***\n');
  });
});

describe('what fails', () => {
  test('ends with 1, and shows the step with its exit code and its last lines', async () => {
    const steps =
      '[{ name: ok, image: b, script: "true" }, { name: bad, image: b, script: "for i in $(seq 20); do echo line $i; done; exit 3" }, { name: after, image: b, script: "true" }]';
    const { code, err } = await run(await file(`{ apiVersion: tekton.dev/v1, kind: Task, metadata: { name: x }, spec: { steps: ${steps} } }`));
    expect(code).toBe(1);
    expect(err).toMatch(/Step bad ended with exit code 3 \(Error\); its last lines:\n {2}line 11\n/);
    expect(err).toContain('  line 20\n');
    expect(err).not.toContain('Step after');
    expect(err).toMatch(/StepFailed after .*: "step-bad" exited with code 3/);
  });

  test.each([
    ['no YAML', 'a: [1,\nb: 2\n', /^error {2}task\.yaml:2:1: /],
    [
      'a field that is not there',
      TASK.replace('image: busybox', 'image: busybox\n      imagePolicy: Never'),
      /^error {2}task\.yaml:15:20: spec\.steps\[0\]\.imagePolicy: is not supported/,
    ],
    [
      'a variable that is not there',
      TASK.replace('$(params.who)', '$(params.whom)'),
      /^error {2}task\.yaml:13:\d+: spec\.steps\[0\]: \$\(params\.whom\) names a param that is not declared/,
    ],
    ['no Task', 'apiVersion: v1\nkind: Pod\nmetadata: { name: x }\n', /there is no Task or TaskRun of tekton\.dev\/v1 in it, only Pod \(v1\)/],
    [
      'a Task that is not in the file',
      'apiVersion: tekton.dev/v1\nkind: TaskRun\nmetadata: { name: x }\nspec:\n  taskRef: { name: gone }\n',
      /^error {2}task\.yaml:5:12: .*no Task named "gone"/,
    ],
    ['no file at all', undefined, /^error {2}There is no file task\.yaml/],
  ])('%s is 2, and says where', async (_name, text, message) => {
    if (text !== undefined) await file(text);
    const { code, err, out } = await run('task.yaml');
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(out).toBe('');
  });

  test.each([
    [['-p', 'nobody=x'], 'there is no param "nobody"; there are who, list, map, number'],
    [['-p', 'who'], '-p takes name=value'],
    [['-p', 'map=x'], 'param map is an object'],
    [['-w', 'nowhere=.'], 'there is no workspace "nowhere"; there are src'],
    [['-w', 'src=gone'], 'there is no folder gone'],
    [['-o', 'yaml'], '-o knows json'],
    [['--name', 'other'], 'has no Task or TaskRun named "other"'],
    [['--isolation', 'jail'], 'must be one of'],
    [['--runner', 'jenkins'], '--runner knows local and tekton'],
    [['--namespace', 'x'], 'are for --runner tekton'],
    [['--runner', 'tekton', '--isolation', 'none'], '--isolation is for runs on this machine'],
    [['--runner', 'tekton', '-w', 'src=.'], 'the cluster cannot see a folder of this machine'],
  ])('%s is 2', async (words, message) => {
    const { code, err } = await run(await file(TASK), ...words);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  test('of several Tasks one is to be named', async () => {
    await file(`${TASK}---\n${TASK.replace('name: hello', 'name: other')}`);
    expect((await run('task.yaml')).err).toContain('Task hello, Task other. Choose one with --name');
    expect((await run('task.yaml', '--name', 'other')).code).toBe(0);
  });
});

test('on a cluster that is not there it is 3, and says what to do', async () => {
  const config = {
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }],
    users: [{ name: 'c', user: {} }],
    'current-context': 'c',
  };
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify(config));
  vi.stubEnv('KUBECONFIG', join(folder, 'kubeconfig'));
  try {
    const { code, err, out } = await run(await file(TASK), '--runner', 'tekton');
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(/There is no cluster to run on: .*127\.0\.0\.1:1 cannot be reached/);
    expect(err).toContain('Set KUBECONFIG');
  } finally {
    vi.unstubAllEnvs();
  }
});

/** Processes of this group that are not only waiting to be buried (proc(5)). */
function alive(group: number): string[] {
  const stats = readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [readFileSync(`/proc/${name}/stat`, 'utf8')] : [];
    } catch {
      return []; // ended while we looked
    }
  });
  return stats.filter((stat) => {
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(pgrp) === group && state !== 'Z' && state !== 'X';
  });
}

test('help begins with examples', async () => {
  const { code, out } = await run('--help');
  expect(code).toBe(0);
  expect(out).toMatch(/^Examples:\n {2}tidemill task run task\.yaml/);
  expect(out).toContain('Exit codes:');
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends what runs and leaves nothing behind', async (signal) => {
  const name = await file(
    `{ apiVersion: tekton.dev/v1, kind: Task, metadata: { name: x }, spec: { steps: [{ name: a, image: b, script: "echo $$; sleep 300 & wait" }] } }`,
  );
  const main = fileURLToPath(new URL('../main.mjs', import.meta.url));
  const child = spawn(process.execPath, [main, 'task', 'run', name, '--isolation', 'none'], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
  const pid = Number(/\d+/.exec(line)?.[0]);
  child.kill(signal);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  expect(code).toBe(130);
  await vi.waitFor(() => expect(alive(pid)).toEqual([]));
  expect(readdirSync(folder).filter((entry) => entry.startsWith('tidemill-task-'))).toEqual([]);
});
