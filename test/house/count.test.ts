import { expect, test } from 'vitest';
import { countReport } from './count.ts';

const file = (status: string, ...tests: string[]) => ({
  name: 'a.test.ts',
  status,
  assertionResults: tests.map((result, index) => ({ fullName: `test ${index}`, status: result })),
});

test('what passed, failed and was skipped is counted, and what did not pass is named', () => {
  const count = countReport({ testResults: [file('passed', 'passed', 'passed'), file('failed', 'failed', 'pending', 'todo', 'skipped', 'passed')] });
  expect(count).toMatchObject({ passed: 3, failed: 1, skipped: 3 });
  expect(count.named).toHaveLength(4);
});

test('why a test failed stands beneath its name', () => {
  const failed = { fullName: 'adds', status: 'failed', failureMessages: ['\u001B[31mexpected 1\u001B[39m\n  to be 2', 'and again'] };
  const { named } = countReport({ testResults: [{ ...file('failed'), assertionResults: [failed] }] });
  expect(named).toEqual(['✗ failed: a.test.ts: adds', '    expected 1', '      to be 2', '    and again']);
});

test('a file that failed before its tests could run is a failure', () => {
  expect(countReport({ testResults: [file('failed')] })).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
  expect(countReport({ testResults: [file('failed', 'passed')] })).toMatchObject({ passed: 1, failed: 1 });
});

test('something else than a report is an error, and not a run without failures', () => {
  expect(() => countReport({})).toThrow();
});
