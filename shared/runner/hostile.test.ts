// Steps that put links, pipes and folders where the runner reads and writes: it follows none, waits for none, and writes nothing outside.
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LocalRunnerUnderTest, openLocalRunner } from '../../test/contracts/runner/local.ts';
import { ended, newTaskRun } from '../../test/contracts/runner.ts';
import { succeeded } from '../objects/taskrun.ts';
import { NotAFile, openBelow, readRegular, writeFresh } from './engine/files.ts';

let under: LocalRunnerUnderTest;
let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'tidemill-hostile-'));
  await writeFile(join(scratch, 'secret'), 'host secret');
  under = await openLocalRunner({ isolation: 'none', builtins: { tell: async ({ result }) => (await result('r', 'from the runner'), 0) } });
});
afterEach(async () => {
  await under.close();
  await rm(scratch, { recursive: true, force: true });
});

const run = async (name: string, taskSpec: object, more: object = {}) => {
  await under.runner.start(newTaskRun(under, name, { taskSpec, ...more }));
  return ended(under, name);
};
const step = (script: string, more: object = {}) => ({ image: 'busybox', script, ...more });

test.each([
  ['a link', (path: string) => `ln -s ${path} $(results.r.path)`],
  ['a pipe that nobody writes to', () => 'mkfifo $(results.r.path)'],
  ['a folder', () => 'mkdir $(results.r.path)'],
  ['a folder that is a link', (path: string) => `d=$(dirname $(results.r.path)); rmdir "$d"; ln -s ${path}/.. "$d"; echo; test -L "$d"`],
])('a result that is %s fails the step and is not read', async (name, script) => {
  const taskRun = await run('link', { results: [{ name: 'r' }, { name: 'secret' }], steps: [step(script(join(scratch, 'secret')))] });
  expect(succeeded(taskRun.status)?.reason, name).toBe('StepFailed');
  expect(JSON.stringify(taskRun.status)).not.toContain('host secret');
});

test('exit codes, scripts and results of builtins are not written through links that a step left', async () => {
  const target = join(scratch, 'target');
  const taskRun = await run('plant', {
    results: [{ name: 'r' }],
    steps: [
      step(`ln -s ${target} $(steps.step-unnamed-0.exitCode.path); ln -s ${target} "$(dirname $0)/script-1"; ln -s ${target} $(results.r.path); true`, {
        onError: 'continue',
      }),
      step('rm $(results.r.path); ln -s /nowhere $(results.r.path); rm $(results.r.path); echo second'),
      { image: 'tidemill.dev/step:v1', args: ['tell'] },
    ],
  });
  expect(existsSync(target)).toBe(false);
  expect(taskRun.status?.results).toEqual([{ name: 'r', type: 'string', value: 'from the runner' }]);
  expect(succeeded(taskRun.status)?.message).toContain('step-unnamed-0');
});

test('output is copied into the folders of the run only', async () => {
  const workspace = { workspaces: [{ name: 'w', emptyDir: {} }] };
  const steps = (path: string) => [
    step(`ln -s ${scratch} $(workspaces.w.path)/out; ln -s ${scratch}/target $(workspaces.w.path)/file`),
    step('echo evil', { stdoutConfig: { path } }),
  ];
  for (const [name, path] of [
    ['folder', '$(workspaces.w.path)/out/target'],
    ['file', '$(workspaces.w.path)/file'],
    ['absolute', join(scratch, 'target')],
  ] as const) {
    const taskRun = await run(`copy-${name}`, { workspaces: [{ name: 'w' }], steps: steps(path) }, workspace);
    expect(succeeded(taskRun.status)?.reason).toBe('StepFailed');
  }
  expect(await readdir(scratch)).toEqual(['secret']);
  const good = await run(
    'copy',
    {
      workspaces: [{ name: 'w' }],
      steps: [step('echo fine; echo bad >&2', { stdoutConfig: { path: '$(workspaces.w.path)/deep/out.txt' } }), step('cat $(workspaces.w.path)/deep/out.txt')],
    },
    workspace,
  );
  expect(succeeded(good.status)?.reason).toBe('Succeeded');
});

test('subPaths and keys of secrets stay in their folder', async () => {
  await under.secrets.set('run.default.keys', JSON.stringify({ k: 'v' }));
  const spec = { workspaces: [{ name: 'w' }], steps: [step('true')] };
  for (const binding of [
    { emptyDir: {}, subPath: '../../x' },
    { emptyDir: {}, subPath: '/etc' },
    { secret: { secretName: 'keys', items: [{ key: 'k', path: '../../../x' }] } },
  ]) {
    const taskRun = await run(`path-${Math.random().toString(36).slice(2, 8)}`, spec, { workspaces: [{ name: 'w', ...binding }] });
    expect(succeeded(taskRun.status)).toMatchObject({ reason: 'TaskRunValidationFailed', message: expect.stringMatching(/relative and without/) });
  }
});

test('a claim whose subPath was made a link by an earlier run is refused', async () => {
  const claim = { name: 'w', persistentVolumeClaim: { claimName: 'shared' } };
  await run('one', { workspaces: [{ name: 'w' }], steps: [step(`ln -s ${scratch} $(workspaces.w.path)/sub`)] }, { workspaces: [claim] });
  const second = await run(
    'two',
    { workspaces: [{ name: 'w' }], steps: [step('cat $(workspaces.w.path)/secret')] },
    { workspaces: [{ ...claim, subPath: 'sub' }] },
  );
  expect(succeeded(second.status)).toMatchObject({ reason: 'TaskRunValidationFailed', message: expect.stringContaining('symbolic link') });
});

test('files are read and written where they are, and nowhere else', async () => {
  await writeFresh(scratch, 'a', 'text');
  expect(await readRegular(scratch, 'a', 3)).toBe('tex');
  expect(await readRegular(scratch, 'none', 10)).toBeUndefined();
  await expect(readRegular(join(scratch, 'secret'), 'x', 10)).rejects.toThrow(NotAFile);
  await expect(openBelow(scratch, tmpdir(), 'x')).rejects.toThrow(NotAFile);
  expect(readFileSync(join(scratch, 'a'), 'utf8')).toBe('text');
});
