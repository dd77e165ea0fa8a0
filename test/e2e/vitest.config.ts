import { defineConfig } from 'vitest/config';

/** The tests that need a control plane: `make e2e`. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One after the other: each has a control plane of its own, and some of them look at the clock.
    fileParallelism: false,
    reporters:
      process.env['CI'] === undefined
        ? ['default']
        : ['default', ['json', { outputFile: 'coverage/e2e-results.json' }]],
  },
});
