// Counts a vitest JSON report. A file that failed before its tests ran counts as one failure.
import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';

const report = z.looseObject({
  testResults: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      message: z.string().default(''),
      assertionResults: z.array(z.looseObject({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() })),
    }),
  ),
});

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
  /** For each test that did not pass its name, and beneath it, indented, the first lines of why. */
  named: string[];
}

const WHY_LINES = 12;

/** Not indented are names alone. Of a stack what is ours. */
function because(messages: readonly string[]): string[] {
  const lines = messages.flatMap((message) => stripVTControlCharacters(message).split('\n'));
  return lines
    .filter((line) => !/^\s+at .*(node_modules|<anonymous>)/.test(line))
    .slice(0, WHY_LINES)
    .map((line) => `    ${line}`);
}

/** Throws where it is no such report. */
export function countReport(json: unknown): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0, named: [] };
  for (const file of report.parse(json).testResults) {
    const broken = file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
    if (broken) {
      count.failed += 1;
      count.named.push(`✗ ${file.name}: the file failed outside of its tests`, ...because([file.message]));
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') count.passed += 1;
      else if (test.status === 'failed') count.failed += 1;
      else count.skipped += 1;
      if (test.status !== 'passed') count.named.push(`✗ ${test.status}: ${file.name}: ${test.fullName}`, ...because(test.failureMessages ?? []));
    }
  }
  return count;
}
