// The contract of the Runner port: the same TaskRun in, the same status, results, logs and events out.
// Every expectation of the cases was checked once against a real Tekton 1.15.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { TidemillEvent } from '../../shared/events/event.ts';
import type { NewObj, Obj } from '../../shared/objects/kinds.ts';
import { isDone, succeeded } from '../../shared/objects/taskrun.ts';
import { InvalidTaskRun, type LogLine, type Runner } from '../../shared/ports/runner.ts';
import type { RunnerCase } from './runner/case.ts';
import { type Outcome, caseFor, differences, specOf, unlike } from './runner/compare.ts';
import { mountCases } from './runner/mounts.ts';
import { paramCases } from './runner/params.ts';
import { placeCases } from './runner/places.ts';
import { refusedCases } from './runner/refused.ts';
import { resultCases } from './runner/results.ts';
import { stepCases } from './runner/steps.ts';

export interface RunnerUnderTest {
  runner: Runner;
  /** Namespace that TaskRuns go to. */
  namespace: string;
  /** Image with a POSIX shell, awk, sed and find. */
  image: string;
  /** Between two looks at a TaskRun. Milliseconds. */
  poll_ms: number;
  /** A time that is enough to start a TaskRun, and not for much more. */
  short: string;
  /** Puts in place what a case refers to. */
  provide(needs: NonNullable<RunnerCase['needs']>): Promise<void>;
  /** Every event that was told so far. */
  events(): TidemillEvent[];
  close(): Promise<void>;
}

/** What a runner can do that not every one can. */
export interface Abilities {
  /** Steps see /workspace and /tekton. */
  ownPaths: boolean;
  /** A step that a signal killed can be told from one that ended with 128 and the signal's number. */
  signals: boolean;
}

/** Milliseconds until a TaskRun must have ended. */
const PATIENCE = 120_000;

/** `beside`: another runner, which is given the same cases in a namespace of the same name, and has to come to the same. */
export function runnerContract(
  name: string,
  can: Abilities,
  open: () => Promise<RunnerUnderTest>,
  beside?: { can: Abilities; open: (namespace: string) => Promise<RunnerUnderTest> },
): void {
  describe(`Runner contract: ${name}`, { timeout: PATIENCE }, () => {
    let under: RunnerUnderTest;
    let other: RunnerUnderTest | undefined;
    beforeAll(async () => {
      under = await open();
      other = await beside?.open(under.namespace);
    }, PATIENCE);
    afterAll(async () => {
      await under.close();
      await other?.close();
    }, PATIENCE);

    const run = async (taskRun: string, spec: object) => {
      await under.runner.start(newTaskRun(under, taskRun, spec));
      return ended(under, taskRun);
    };

    describe('what a Task comes to', () => {
      for (const each of [...paramCases, ...placeCases, ...resultCases, ...stepCases, ...mountCases].filter((one) => isAble(one, can))) {
        test.concurrent(`${each.name}`, async ({ expect }) => {
          const [here, there] = await Promise.all([outcomeOf(under, each), other && isAble(each, beside!.can) ? outcomeOf(other, each) : undefined]);
          expect(differences(caseFor(each, under), here)).toEqual([]);
          if (there) expect(unlike(each, here, there)).toEqual([]);
        });
      }
    });

    describe('what is refused by name', () => {
      for (const { name: taskRun, spec, field } of refusedCases) {
        test(`${taskRun}`, async ({ expect }) => {
          const refused = await under.runner.start(newTaskRun(under, `refused-${taskRun}`, spec)).then(
            () => undefined,
            (error: unknown) => error,
          );
          expect(refused).toBeInstanceOf(InvalidTaskRun);
          expect((refused as Error).message).toContain(field);
          expect(await under.runner.get({ namespace: under.namespace, name: `refused-${taskRun}` })).toBeUndefined();
        });
      }
    });

    lifecycle(() => under, run);
  });
}

function isAble(each: RunnerCase, can: Abilities): boolean {
  return (can.ownPaths || !each.ownPaths) && (can.signals || !each.signals);
}

async function outcomeOf(under: RunnerUnderTest, each: RunnerCase): Promise<Outcome> {
  const { needs = {}, name } = each;
  await under.provide(needs);
  await under.runner.start(newTaskRun(under, name, specOf(caseFor(each, under), under.image)));
  const { status } = await ended(under, name);
  return { status, lines: linesByStep(await allLines(under, name)) };
}

function lifecycle(current: () => RunnerUnderTest, run: (name: string, spec: object) => Promise<Obj<'TaskRun'>>): void {
  const taskOf = (script: string) => ({ taskSpec: { steps: [{ name: 'a', image: current().image, script }] } });
  const ref = (name: string) => ({ namespace: current().namespace, name });

  describe('from start to end', () => {
    test('starting again what is there already is success, and runs it once', async ({ expect }) => {
      await run('once', taskOf('echo hi'));
      await current().runner.start(newTaskRun(current(), 'once', taskOf('echo hi')));
      expect((await allLines(current(), 'once')).filter((line) => line.text === 'hi')).toHaveLength(1);
    });

    test('a running TaskRun is cancelled, with all that it started', async ({ expect }) => {
      const { runner } = current();
      await runner.start(newTaskRun(current(), 'cancelled', taskOf('(while true; do echo alive; sleep 0.2; done) &\nwhile true; do sleep 0.1; done')));
      for await (const line of runner.logs(ref('cancelled'), { follow: true })) if (line.text === 'alive') break;
      await runner.cancel(ref('cancelled'), 'no longer wanted');
      const { status } = await ended(current(), 'cancelled');
      expect(succeeded(status)).toMatchObject({ status: 'False', reason: 'TaskRunCancelled', message: expect.stringContaining('no longer wanted') });
      expect(status?.steps).toMatchObject([{ terminated: { exitCode: 1, reason: 'TaskRunCancelled' }, terminationReason: 'TaskRunCancelled' }]);
    });

    test('cancelling what ended, or was never there, is success', async ({ expect }) => {
      await run('ended-before', taskOf('true'));
      await current().runner.cancel(ref('ended-before'), 'late');
      await current().runner.cancel(ref('never-there'), 'late');
      expect(succeeded((await current().runner.get(ref('ended-before')))?.status)?.reason).toBe('Succeeded');
    });

    test('logs come in order, from any line on, by step, and live', async ({ expect }) => {
      const { runner, image } = current();
      const steps = [
        { name: 'one', image, script: 'for i in 1 2 3; do echo "one $i"; sleep 0.1; done' },
        { name: 'two', image, script: 'echo "two 1"; printf "no end"' },
      ];
      await runner.start(newTaskRun(current(), 'logged', { taskSpec: { steps } }));
      const live: string[] = [];
      for await (const line of runner.logs(ref('logged'), { follow: true })) if (line.step === 'one' || line.step === 'two') live.push(line.text);
      expect(live).toEqual(['one 1', 'one 2', 'one 3', 'two 1', 'no end']);
      await ended(current(), 'logged');
      const lines = await allLines(current(), 'logged');
      expect(lines.map((line) => line.seq)).toEqual(lines.map((_, index) => lines[0]!.seq + index));
      const third = lines.find((line) => line.text === 'one 2')!;
      const after: string[] = [];
      for await (const line of runner.logs(ref('logged'), { after: third.seq, step: 'one' })) after.push(line.text);
      expect(after).toEqual(['one 3']);
    });

    test('no logs where there is no TaskRun', async ({ expect }) => {
      const lines: LogLine[] = [];
      for await (const line of current().runner.logs(ref('not-there'), { follow: true })) lines.push(line);
      expect(lines).toEqual([]);
    });

    test("its end is told in Tekton's own form", async ({ expect }) => {
      const good = await run('told-good', taskOf('true'));
      await run('told-bad', taskOf('exit 1'));
      const told = async (name: string) => {
        for (let waited = 0; waited < PATIENCE; waited += 20, await sleep(20)) {
          const found = current()
            .events()
            .find((event) => event.subject === name && /successful|failed/.test(event.type));
          if (found) return found;
        }
        throw new Error(`the end of ${name} was not told`);
      };
      const event = await told('told-good');
      expect(event).toMatchObject({ type: 'dev.tekton.event.taskrun.successful.v1', source: `/apis///namespaces/${current().namespace}//told-good` });
      expect(event.data).toMatchObject({ taskRun: { metadata: { uid: good.metadata.uid }, status: { conditions: [{ type: 'Succeeded', status: 'True' }] } } });
      expect((await told('told-bad')).type).toBe('dev.tekton.event.taskrun.failed.v1');
    });
  });
}

export function newTaskRun(under: Pick<RunnerUnderTest, 'namespace'>, name: string, spec: object): NewObj<'TaskRun'> {
  return { kind: 'TaskRun', metadata: { name, namespace: under.namespace }, spec: spec as NewObj<'TaskRun'>['spec'] };
}

export async function ended({ runner, namespace, poll_ms }: Pick<RunnerUnderTest, 'runner' | 'namespace' | 'poll_ms'>, name: string): Promise<Obj<'TaskRun'>> {
  for (const began = Date.now(); Date.now() - began < PATIENCE;) {
    const taskRun = await runner.get({ namespace, name });
    if (taskRun && isDone(taskRun.status)) return taskRun;
    await sleep(poll_ms);
  }
  throw new Error(`TaskRun ${name} did not end`);
}

export async function allLines({ runner, namespace }: Pick<RunnerUnderTest, 'runner' | 'namespace'>, name: string): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of runner.logs({ namespace, name }, { follow: true })) lines.push(line);
  return lines;
}

function linesByStep(lines: readonly LogLine[]): Record<string, string[]> {
  const byStep: Record<string, string[]> = {};
  for (const { step, text } of lines) (byStep[step] ??= []).push(text);
  return byStep;
}
