// Processes of steps: a clean environment, ends that leave nothing behind, queues, builtins, and what it all costs.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LocalRunnerUnderTest, openLocalRunner } from '../../test/contracts/runner/local.ts';
import { allLines, ended, newTaskRun } from '../../test/contracts/runner.ts';
import { succeeded } from '../objects/taskrun.ts';

let under: LocalRunnerUnderTest;
let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tidemill-processes-'));
});
afterEach(async () => {
  await under.close();
  await rm(scratch, { recursive: true, force: true });
});

const open = async (options: Partial<Parameters<typeof openLocalRunner>[0]> = {}) => (under = await openLocalRunner({ isolation: 'none', ...options }));
const script = (text: string, more: object = {}) => ({ taskSpec: { steps: [{ name: 'a', image: 'busybox', script: text, ...more }] } });
const run = async (name: string, spec: object) => {
  await under.runner.start(newTaskRun(under, name, spec));
  return ended(under, name);
};
const textOf = async (name: string, step = 'a') => (await allLines(under, name)).filter((line) => line.step === step).map((line) => line.text);
const isAlive = (pid: number) => existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
const until = async (what: string, holds: () => boolean) => {
  for (let waited = 0; waited < 5000; waited += 20, await sleep(20)) if (holds()) return;
  throw new Error(`waited in vain until ${what}`);
};

describe('the environment of a step', () => {
  test("has nothing of the server's own, and no secret of it", async () => {
    await open({
      env: {
        PATH: process.env['PATH'],
        HOME: '/nowhere',
        TIDEMILL_WEBHOOK_SECRET: 'hush',
        GITHUB_TOKEN: 'hush',
        NODE_OPTIONS: '--no-warnings',
        HTTPS_PROXY: 'http://proxy.example:3128',
      },
    });
    await run('env', script('env'));
    const names = (await textOf('env')).map((line) => line.split('=')[0]!);
    expect(names.filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name)).toSorted()).toEqual([
      'HOME',
      'HTTPS_PROXY',
      'LOCAL_RUNNER_PROCESS',
      'PATH',
      'TMPDIR',
    ]);
  });

  test('says once in a run what does not isolate it, and that images are not used', async () => {
    await open();
    await run('note', { taskSpec: { steps: [1, 2].map((n) => ({ image: 'busybox', script: `echo ${n}` })) } });
    const notes = (await textOf('note', 'runner')).filter((text) => text.includes('plain processes'));
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain('Images are not used');
    expect(await under.runner.isolation()).toContain('plain processes');
  });
});

describe('secrets of a run', () => {
  test('are masked in the log, whichever way they came, also on several lines', async () => {
    await open();
    await under.secrets.set('run.default.deploy', JSON.stringify({ token: 'tok-12345', key: 'first line\nsecond line' }));
    await run('masked', {
      taskSpec: {
        workspaces: [{ name: 'w' }],
        steps: [
          {
            name: 'a',
            image: 'busybox',
            script: 'echo "env: $T"; cat $(workspaces.w.path)/key; echo; printf "tok-"; sleep 0.1; printf "12345\\n"; echo "err $T" >&2',
            env: [{ name: 'T', valueFrom: { secretKeyRef: { name: 'deploy', key: 'token' } } }],
          },
        ],
      },
      workspaces: [{ name: 'w', secret: { secretName: 'deploy' } }],
    });
    expect((await textOf('masked')).toSorted()).toEqual(['***', '***', '***', 'env: ***', 'err ***'].toSorted());
    const file = readFileSync(join(under.directory, 'logs', 'default', 'masked.jsonl'), 'utf8');
    expect(file).not.toMatch(/tok-12345|first line|second line/);
  });

  test("a Task cannot name a secret of tidemill's own", async () => {
    await open();
    await under.secrets.set('webhook', 'hush');
    const taskRun = await run('thief', script('echo "$X"', { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'webhook', key: 'value' } } }] }));
    expect(succeeded(taskRun.status)?.reason).toBe('CreateContainerConfigError');
  });
});

describe('ends', () => {
  test('cancel ends children and what left the process group, also one that does not listen', async () => {
    await open({ grace_ms: 300 });
    await under.runner.start(
      newTaskRun(
        under,
        'stubborn',
        script(
          `trap '' TERM; setsid sh -c 'echo $$ > ${scratch}/away; exec sleep 300' & sleep 300 & echo $! > ${scratch}/child; echo up; while true; do sleep 0.1; done`,
        ),
      ),
    );
    await until(
      'it is up',
      () => existsSync(join(scratch, 'away')) && existsSync(join(scratch, 'child')) && readFileSync(join(scratch, 'away'), 'utf8') !== '',
    );
    await under.runner.cancel({ namespace: 'default', name: 'stubborn' }, 'enough');
    for (const name of ['away', 'child']) expect(isAlive(Number(readFileSync(join(scratch, name), 'utf8')))).toBe(false);
    expect(await readdir(join(under.directory, 'work'))).toEqual([]);
  });

  test('what a step left in the background is gone when the TaskRun has ended', async () => {
    await open();
    await run(
      'background',
      script(
        `sleep 300 & echo $! > ${scratch}/child; setsid sh -c 'echo $$ > ${scratch}/away; exec sleep 300' & while ! test -s ${scratch}/away; do sleep 0.02; done`,
      ),
    );
    await until('the child ended', () => !isAlive(Number(readFileSync(join(scratch, 'child'), 'utf8'))));
    await until('the one away ended', () => !isAlive(Number(readFileSync(join(scratch, 'away'), 'utf8'))));
  });

  test('one that waits for a slot is cancelled at once', async () => {
    await open({ slots: 1 });
    await under.runner.start(newTaskRun(under, 'first', script('sleep 60')));
    await under.runner.start(newTaskRun(under, 'second', script('echo never')));
    const began = performance.now();
    await under.runner.cancel({ namespace: 'default', name: 'second' }, 'not needed');
    expect(performance.now() - began).toBeLessThan(1000);
    expect(succeeded((await ended(under, 'second')).status)?.reason).toBe('TaskRunCancelled');
    await until('its end is told', () => under.events().some((event) => event.subject === 'second' && event.type.endsWith('failed.v1')));
    await under.runner.cancel({ namespace: 'default', name: 'first' }, 'done');
  });

  test('as many run at once as there are slots, the others in their order', async () => {
    await open({ slots: 2 });
    const names = ['q1', 'q2', 'q3', 'q4'];
    for (const name of names) await under.runner.start(newTaskRun(under, name, script('sleep 0.3')));
    const runs = await Promise.all(names.map((name) => ended(under, name)));
    const spans = runs.map(({ status }) => [Date.parse(status!.startTime!), Date.parse(status!.completionTime!)] as const);
    const atOnce = Math.max(...spans.map(([start]) => spans.filter(([from, to]) => from <= start && start < to).length));
    expect(atOnce).toBe(2);
    const begun = spans.map(([start]) => start);
    expect(Math.max(...begun.slice(0, 2))).toBeLessThan(Math.min(...begun.slice(2)));
  });
});

describe("tidemill's own steps", () => {
  const step = (...args: string[]) => ({
    taskSpec: { results: [{ name: 'r' }], workspaces: [{ name: 'w' }], steps: [{ name: 'a', image: 'tidemill.dev/step:v1', args }] },
    workspaces: [{ name: 'w', emptyDir: {} }],
  });

  test('run in this process, with their workspaces, results and log', async () => {
    await open({
      builtins: {
        greet: async ({ args, workspaces, workingDir, result, log }) => {
          log(`${args.join(' ')} ${existsSync(workspaces['w']!)} ${existsSync(workingDir)}`);
          await result('r', 'written');
          return 0;
        },
      },
    });
    const taskRun = await run('builtin', step('greet', '{"a":1}'));
    expect(taskRun.status?.results).toEqual([{ name: 'r', type: 'string', value: 'written' }]);
    expect(await textOf('builtin')).toEqual(['{"a":1} true true']);
  });

  test('fail by what they throw, are unknown by name, and end when cancelled', async () => {
    await open({
      builtins: {
        breaks: async () => {
          throw new Error('no such commit; push it');
        },
        hangs: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0))),
      },
    });
    expect((await run('breaks', step('breaks'))).status?.steps).toMatchObject([{ terminated: { exitCode: 1 } }]);
    expect(await textOf('breaks')).toEqual(['no such commit; push it']);
    expect(succeeded((await run('unknown', step('toString'))).status)?.reason).toBe('StepFailed');
    await under.runner.start(newTaskRun(under, 'hangs', step('hangs')));
    await sleep(100);
    await under.runner.cancel({ namespace: 'default', name: 'hangs' }, 'enough');
    expect(succeeded((await ended(under, 'hangs')).status)?.reason).toBe('TaskRunCancelled');
  });
});

describe('what it costs', () => {
  test('a TaskRun of three steps takes less than 60 ms over three bare processes', async () => {
    await open();
    const steps = [1, 2, 3].map(() => ({ image: 'busybox', command: ['/bin/true'] }));
    const ours: number[] = [];
    const bare: number[] = [];
    for (let n = 0; n < 10; n++) {
      bare.push(
        await timed(async () => {
          for (let step = 0; step < 3; step++) await promisify(execFile)('/bin/true');
        }),
      );
      ours.push(
        await timed(async () => {
          await under.runner.start(newTaskRun(under, `cost-${n}`, { taskSpec: { steps } }));
          for await (const _ of under.runner.logs({ namespace: 'default', name: `cost-${n}` }, { follow: true }));
        }),
      );
    }
    // On a machine that is busy everything takes longer, bare processes as well.
    expect(Math.min(...ours) - Math.min(...bare)).toBeLessThan(Math.max(60, 2 * Math.min(...bare)));
  });
});

async function timed(act: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}
