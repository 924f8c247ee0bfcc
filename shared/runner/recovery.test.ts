// Killed at any moment and started again: what was left running is ended, what did not end is begun anew, and what ended is told.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LocalRunnerUnderTest, openLocalRunner } from '../../test/contracts/runner/local.ts';
import { allLines, ended, newTaskRun } from '../../test/contracts/runner.ts';
import { succeeded } from '../objects/taskrun.ts';
import { processStartTime } from './engine/process.ts';
import { createProcessBook, endOrphans } from './orphans.ts';

const CHILD = fileURLToPath(new URL('../../test/contracts/runner/child.ts', import.meta.url));

let folder: string;
let child: ChildProcess | undefined;
const open: LocalRunnerUnderTest[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-recovery-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  child = undefined;
  for (const each of open.splice(0)) await each.close();
  await rm(folder, { recursive: true, force: true });
});

async function reopen(options: Partial<Parameters<typeof openLocalRunner>[0]> = {}): Promise<LocalRunnerUnderTest> {
  const under = await openLocalRunner({ isolation: 'none', folder, ...options });
  open.push(under);
  return under;
}

async function startInChild(taskRuns: Record<string, object>, isolation = 'none'): Promise<ChildProcess> {
  const file = join(folder, 'taskruns.json');
  await writeFile(file, JSON.stringify(taskRuns));
  child = spawn(process.execPath, [CHILD, folder, file, isolation], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child!.stdout!.once('data', resolve));
  return child;
}

const until = async (what: string, holds: () => boolean | Promise<boolean>) => {
  for (let waited = 0; waited < 10_000; waited += 20, await sleep(20)) if (await holds()) return;
  throw new Error(`waited in vain until ${what}`);
};

const killed = (process: ChildProcess) => new Promise<void>((resolve) => (process.once('exit', () => resolve()), process.kill('SIGKILL')));

const isAlive = (pid: number) => {
  const state = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return state !== '' && !/\) [ZX] /.test(state);
};

/** The first time it writes down who it is and hangs, with a child in its group and one that left it; the second time it ends. */
const hangsOnce = (dir: string) => ({
  taskSpec: {
    results: [{ name: 'time' }],
    steps: [
      {
        name: 'a',
        image: 'busybox',
        script: `if test -e ${dir}/hung; then printf second > $(results.time.path); exit 0; fi
echo hanging
sleep 300 &
echo $! > ${dir}/in-group
setsid sh -c 'echo $$ > ${dir}/left-group; exec sleep 300' &
echo $$ > ${dir}/step
while ! test -s ${dir}/left-group; do sleep 0.05; done
touch ${dir}/hung
wait`,
      },
    ],
  },
});

describe('after a SIGKILL in mid-step', () => {
  test('what was left running is ended, and the TaskRun is begun anew and ends', async () => {
    const process = await startInChild({ hangs: hangsOnce(folder), waits: { taskSpec: { steps: [{ name: 'a', image: 'busybox', script: 'echo ran' }] } } });
    await until('the step hangs', () => existsSync(join(folder, 'hung')));
    const pids = ['step', 'in-group', 'left-group'].map((name) => Number(readFileSync(join(folder, name), 'utf8')));
    await killed(process);
    expect(pids.map(isAlive)).toEqual([true, true, true]);

    const under = await reopen({ slots: 1 });
    await until('what was left has ended', () => !pids.some(isAlive));
    const taskRun = await ended(under, 'hangs');
    expect(succeeded(taskRun.status)?.reason).toBe('Succeeded');
    expect(taskRun.status?.results).toEqual([{ name: 'time', type: 'string', value: 'second' }]);
    await ended(under, 'waits');
    await until('both ends are told', () => under.events().filter((event) => event.type.endsWith('successful.v1')).length === 2);
    const lines = (await allLines(under, 'hangs')).map((line) => line.text);
    expect(lines).toContain('hanging');
    expect(lines.some((text) => text.includes('begins anew'))).toBe(true);
    await until('nothing of the runs is left', async () => (await readdir(join(under.directory, 'work'))).length === 0);
  });

  test('one that was asked to be cancelled stays cancelled', async () => {
    const process = await startInChild({ hangs: hangsOnce(folder) });
    await until('the step hangs', () => existsSync(join(folder, 'hung')));
    await killed(process);
    const { openStore } = await import('../store/store.ts');
    const store = openStore(join(folder, 'objects.db'));
    const taskRun = (await store.objects.get('TaskRun', { namespace: 'default', name: 'hangs' }))!;
    await store.objects.update({ ...taskRun, spec: { ...taskRun.spec, status: 'TaskRunCancelled', statusMessage: 'changed my mind' } });
    await store.close();
    const under = await reopen();
    expect(succeeded((await ended(under, 'hangs')).status)).toMatchObject({ reason: 'TaskRunCancelled', status: 'False' });
    await until('its end is told', () => under.events().some((event) => event.type.endsWith('failed.v1')));
  });
});

describe('an end that was not told', () => {
  test('is told at the next start, as the same event, and only once after that', async () => {
    let refuse = true;
    const first = await reopen({
      emit: async (event) => {
        if (refuse && event.type.endsWith('successful.v1')) throw new Error('the broker is down');
      },
    });
    await first.runner.start(newTaskRun(first, 'untold', { taskSpec: { steps: [{ name: 'a', image: 'busybox', script: 'echo once' }] } }));
    const { metadata } = await ended(first, 'untold');
    expect(metadata.labels).toHaveProperty(['tidemill.dev/active'], 'true');
    await first.runner.stop(100);
    refuse = false;
    await open.pop()!.close();

    const second = await reopen();
    await until('the end is told', () => second.events().length > 0);
    await until(
      'the label is gone',
      async () => !(await second.runner.get({ namespace: 'default', name: 'untold' }))?.metadata.labels?.['tidemill.dev/active'],
    );
    expect(second.events().map((event) => event.type)).toEqual(['dev.tekton.event.taskrun.successful.v1']);
    expect((await allLines(second, 'untold')).filter((line) => line.text === 'once')).toHaveLength(1);
    await open.pop()!.close();

    const third = await reopen();
    await sleep(100);
    expect(third.events()).toEqual([]);
  });
});

describe('stop', () => {
  test('ends what runs without an end of its own; the next start begins it anew', async () => {
    const first = await reopen();
    await first.runner.start(newTaskRun(first, 'hangs', hangsOnce(folder)));
    await until('the step hangs', () => existsSync(join(folder, 'hung')));
    const pids = ['step', 'in-group', 'left-group'].map((name) => Number(readFileSync(join(folder, name), 'utf8')));
    await first.runner.stop(200);
    expect(pids.some(isAlive)).toBe(false);
    expect(succeeded((await first.runner.get({ namespace: 'default', name: 'hangs' }))?.status)?.status).toBe('Unknown');
    await open.pop()!.close();
    const second = await reopen();
    expect(succeeded((await ended(second, 'hangs')).status)?.reason).toBe('Succeeded');
  });
});

describe('a process that is not ours', () => {
  test('is left alone, though it has the number of one that was', async () => {
    const bystander = spawn('sleep', ['60'], { detached: true });
    try {
      const book = createProcessBook(join(folder, 'processes'));
      book.record('uid', { pid: bystander.pid!, startTime: String(Number(processStartTime(bystander.pid!)) - 1) });
      await endOrphans(await book.all(), 'nobody/', async () => undefined);
      expect(isAlive(bystander.pid!)).toBe(true);
      book.record('uid', { pid: bystander.pid!, startTime: processStartTime(bystander.pid!)! });
      await endOrphans(await book.all(), 'nobody/', async () => undefined);
      await until('it ended', () => !isAlive(bystander.pid!));
    } finally {
      bystander.kill('SIGKILL');
    }
  });
});
