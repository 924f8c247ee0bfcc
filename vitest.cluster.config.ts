// The suites that need a cluster and its servers: `npm run test:cluster`. One file at a time, as they share the cluster.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/cluster/**/*.test.ts'],
    fileParallelism: false,
    // Of the tests of one file that are marked so. A TaskRun waits more than it works.
    maxConcurrency: 10,
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
