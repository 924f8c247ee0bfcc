import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStatus, type SpecOf, type StatusOf } from '../objects/kinds.ts';
import type { Stage } from '../objects/pipeline.ts';
import { autoRelease, closed, defined, failureOf, isTerminal, next, runningTaskRuns, siteOf, type StepEnd, stageStarted, stepEnded } from './execution.ts';

type Status = StatusOf<'Execution'>;

const taskSpec = { steps: [{ image: 'busybox', script: 'true' }] };
const stagesOf = (sizes: number[]): Stage[] =>
  sizes.map((size, s) => ({ name: `stage${s}`, steps: Array.from({ length: size }, (_, n) => ({ name: `step${n}`, taskSpec })) }));
const runs = (stage: number, size: number) => Array.from({ length: size }, (_, n) => `run-${stage}-${n}`);
const minute = (n: number) => new Date(Date.UTC(2026, 10, 3, 10, n)).toISOString();
const fresh = (sizes: number[]) => defined({ phase: 'Pending' }, { stages: stagesOf(sizes), definedBy: 'a test' });

const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const outcome = fc.constantFrom<StepEnd['phase']>('Succeeded', 'Succeeded', 'Succeeded', 'Failed', 'Cancelled');

/** Runs stage by stage: each stage's ends in the order that `shuffle` gives, each told as often as `times` says. */
function run(
  of: number[],
  endOf: (stage: number, step: number) => StepEnd,
  arrange: (ends: StepEnd[], stage: number) => StepEnd[],
): { status: Status; started: number[] } {
  let status = fresh(of);
  const started: number[] = [];
  for (let turns = 0; turns < 20; turns++) {
    const what = next(status);
    if (what === 'wait') throw new Error('it waits, though everything was told');
    if ('close' in what) return { status: closed(status, what.close, minute(59), failureOf(status)), started };
    started.push(what.start);
    const names = runs(what.start, of[what.start]!);
    status = stageStarted(status, what.start, names, minute(what.start));
    for (const end of arrange(
      names.map((_, step) => endOf(what.start, step)),
      what.start,
    ))
      status = stepEnded(status, end);
  }
  throw new Error('it never ends');
}

describe('an execution', () => {
  it('begins with everything waiting, and starts its first stage', () => {
    const status = fresh([2, 1]);
    expect(status).toMatchObject({
      phase: 'Queued',
      definedBy: 'a test',
      stages: [{ phase: 'Waiting', steps: [{ phase: 'Waiting' }, { phase: 'Waiting' }] }, { phase: 'Waiting' }],
    });
    expect(next(status)).toEqual({ start: 0 });
  });

  it('runs the steps of a stage side by side, and waits for all of them before the next stage', () => {
    let status = stageStarted(fresh([2, 1]), 0, ['a', 'b'], minute(0));
    expect(runningTaskRuns(status)).toEqual(['a', 'b']);
    expect(next(status)).toBe('wait');
    status = stepEnded(status, { taskRun: 'b', phase: 'Succeeded', ended: minute(1) });
    expect(next(status)).toBe('wait');
    status = stepEnded(status, { taskRun: 'a', phase: 'Succeeded', ended: minute(2) });
    expect(next(status)).toEqual({ start: 1 });
    expect(status.stages![0]).toMatchObject({ phase: 'Succeeded', started: minute(0), ended: minute(2) });
  });

  it('starts its stages in order, each once, and ends as the first stage that did not succeed', () => {
    const seeds = fc.array(fc.array(outcome, { minLength: 4, maxLength: 4 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(sizes, seeds, (of, phases) => {
        const { status, started } = run(
          of,
          (stage, step) => ({ taskRun: `run-${stage}-${step}`, phase: phases[stage]![step]!, ended: minute(10 + step) }),
          (ends) => ends,
        );
        const bad = of.findIndex((size, stage) => phases[stage]!.slice(0, size).some((phase) => phase !== 'Succeeded'));
        expect(started).toEqual(of.map((_, n) => n).slice(0, bad < 0 ? of.length : bad + 1));
        const inBad = bad < 0 ? [] : phases[bad]!.slice(0, of[bad]);
        expect(status.phase).toBe(bad < 0 ? 'Succeeded' : inBad.includes('Failed') ? 'Failed' : 'Cancelled');
        expect(status.stages!.slice(started.length).every((stage) => stage.phase === 'Skipped' && stage.steps.every((step) => step.phase === 'Skipped'))).toBe(
          true,
        );
        expect(isTerminal(status)).toBe(true);
        expect(parseStatus('Execution', status)).toEqual(status);
      }),
    );
  });

  it('comes to the same end in any order of its steps, each told any number of times', () => {
    const ends = fc.array(fc.record({ phase: outcome, at: fc.integer({ min: 1, max: 50 }), artifact: fc.boolean() }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(sizes, ends, fc.infiniteStream(fc.nat()), (of, kinds, random) => {
        const endOf = (stage: number, step: number): StepEnd => {
          const { phase, at, artifact } = kinds[step]!;
          return {
            taskRun: `run-${stage}-${step}`,
            phase,
            ended: minute(at),
            ...(artifact && { artifact: `site-${stage}-${step}` }),
            ...(phase === 'Failed' && { message: 'no' }),
          };
        };
        const inOrder = run(of, endOf, (all) => all);
        const any = run(of, endOf, (all) => {
          const twice = [...all, ...all, ...all].map((end) => ({ end, rank: random.next().value as number }));
          return twice.sort((a, b) => a.rank - b.rank).map(({ end }) => end);
        });
        expect(any).toEqual(inOrder);
      }),
    );
  });

  it('once closed is changed by nothing that is told later', () => {
    fc.assert(
      fc.property(sizes, outcome, fc.integer({ min: 0, max: 3 }), (of, phase, told) => {
        let status = stageStarted(fresh(of), 0, runs(0, of[0]!), minute(0));
        for (let n = 0; n < Math.min(told, of[0]! - 1); n++) status = stepEnded(status, { taskRun: `run-0-${n}`, phase: 'Succeeded', ended: minute(1) });
        const cancelled = closed(status, 'Cancelled', minute(2), 'enough');
        expect(runningTaskRuns(cancelled)).toEqual([]);
        for (const taskRun of [...runs(0, of[0]!), 'stranger']) expect(stepEnded(cancelled, { taskRun, phase, ended: minute(9) })).toEqual(cancelled);
        expect(isTerminal(cancelled)).toBe(true);
      }),
    );
  });

  it('keeps what succeeded when it is closed in mid-run', () => {
    let status = stageStarted(fresh([2, 1]), 0, ['a', 'b'], minute(0));
    status = stepEnded(status, { taskRun: 'a', phase: 'Succeeded', ended: minute(1) });
    expect(closed(status, 'Cancelled', minute(2), 'enough').stages).toMatchObject([
      { phase: 'Cancelled', ended: minute(2), steps: [{ phase: 'Succeeded' }, { phase: 'Cancelled', ended: minute(2) }] },
      { phase: 'Skipped', steps: [{ phase: 'Skipped' }] },
    ]);
  });

  it('is closed by a message of any length', () => {
    expect(parseStatus('Execution', closed({ phase: 'Pending' }, 'Failed', minute(0), 'x'.repeat(100_000))).message).toHaveLength(4096);
  });

  it('names the first step that failed', () => {
    let status = stageStarted(fresh([3]), 0, ['a', 'b', 'c'], minute(0));
    status = stepEnded(status, { taskRun: 'a', phase: 'Succeeded', ended: minute(1) });
    status = stepEnded(status, { taskRun: 'c', phase: 'Cancelled', ended: minute(1) });
    expect(failureOf(status)).toBe('Step stage0/step2 was cancelled');
    status = stepEnded(status, { taskRun: 'b', phase: 'Failed', message: 'exit code 1', ended: minute(1) });
    expect(failureOf(status)).toBe('Step stage0/step1 failed: exit code 1');
    expect(next(status)).toEqual({ close: 'Failed' });
  });

  it('leaves the site of its last step that made one', () => {
    let status = stageStarted(fresh([1, 2]), 0, ['a'], minute(0));
    expect(siteOf(status)).toBeUndefined();
    status = stepEnded(status, { taskRun: 'a', phase: 'Succeeded', artifact: 'first', ended: minute(1) });
    status = stageStarted(status, 1, ['b', 'c'], minute(2));
    expect(siteOf(status)).toBe('first');
    status = stepEnded(status, { taskRun: 'b', phase: 'Succeeded', artifact: 'second', ended: minute(3) });
    status = stepEnded(status, { taskRun: 'c', phase: 'Succeeded', ended: minute(3) });
    expect(siteOf(status)).toBe('second');
  });
});

describe('autoRelease', () => {
  const project = (release?: SpecOf<'Project'>['release']): SpecOf<'Project'> => ({ source: { url: '/r' }, ...(release && { release }) });
  it.each([
    [project(), 'refs/heads/main', 'production', true, undefined],
    [project(), 'refs/heads/x', 'preview-x', true, undefined],
    [project(), 'refs/tags/v1', 'production', false, /only branches/],
    [project(), 'a'.repeat(40), 'production', false, /only branches/],
    [project({ auto: false }), 'refs/heads/main', 'production', false, /release\.auto/],
    [project({ previews: false }), 'refs/heads/x', 'preview-x', false, /release\.previews/],
    [project({ previews: false }), 'refs/heads/main', 'production', true, undefined],
  ])('%j of %s to %s: %s', (spec, ref, environment, release, why) => {
    const decided = autoRelease(spec, ref, environment);
    expect(decided.release).toBe(release);
    if (why) expect(decided.reason).toMatch(why);
  });
});
