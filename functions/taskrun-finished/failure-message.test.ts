import { expect, it } from 'vitest';
import type { TaskRunStatus } from '../../shared/objects/taskrun.ts';
import { failureMessage } from './failure-message.ts';

const failed = (message: string, steps: TaskRunStatus['steps'] = [], reason = 'StepFailed'): TaskRunStatus => ({
  conditions: [{ type: 'Succeeded', status: 'False', reason, message }],
  steps,
});
const step = (exitCode: number, terminationReason?: string) => ({ terminated: { exitCode, reason: 'Error' }, ...(terminationReason && { terminationReason }) });

it('says what Tekton says of a step that failed', () => {
  const message = '"step-a" exited with code 255: Error';
  expect(failureMessage(failed(message, [step(255, 'Error'), step(1, 'Skipped')]))).toBe(message);
  expect(failureMessage(failed(message, [step(255, 'Error')]))).toBe(message);
  expect(failureMessage(failed(`"a" ${'x'.repeat(9000)}`))).toHaveLength(4096);
});

it('says that the pod was ended, where steps ended that had not begun, or nothing is told at all', () => {
  const evicted = failed('"step-a" exited with code 255: Error', [step(0, 'Completed'), step(255, 'Error'), step(2)]);
  expect(failureMessage(evicted)).toMatch(/^"step-a" exited with code 255: Error: its pod was ended from outside/);
  expect(failureMessage(failed('build failed for unspecified reasons.', [], 'Failed'))).toMatch(/^build failed for unspecified reasons: its pod was ended/);
});

it('says nothing else of one that was cancelled or was too slow, and nothing of one that did not fail', () => {
  expect(failureMessage(failed('it took longer than 1h', [step(2)], 'TaskRunTimeout'))).toBe('it took longer than 1h');
  expect(failureMessage({ conditions: [{ type: 'Succeeded', status: 'True', message: 'fine' }] })).toBeUndefined();
  expect(failureMessage(undefined)).toBeUndefined();
});
