// Counts a vitest JSON report. A file that failed before its tests ran counts as one failure.
import { z } from 'zod';

const report = z.looseObject({
  testResults: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      assertionResults: z.array(z.looseObject({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
  /** A line for each test that did not pass. */
  named: string[];
}

/** Throws where it is no such report. */
export function countReport(json: unknown): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0, named: [] };
  for (const file of report.parse(json).testResults) {
    const broken = file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
    if (broken) {
      count.failed += 1;
      count.named.push(`✗ ${file.name}: the file failed outside of its tests`);
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') count.passed += 1;
      else if (test.status === 'failed') count.failed += 1;
      else count.skipped += 1;
      if (test.status !== 'passed') count.named.push(`✗ ${test.status}: ${file.name}: ${test.fullName}`);
    }
  }
  return count;
}
