import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // They need a control plane: make e2e.
    exclude: ['test/e2e/**'],
    globalSetup: ['test/support/build.ts'],
    // Several times what the longest takes on the slowest machine so far: what this ends, hangs.
    testTimeout: 120_000,
    // By default one core is left free, which doubles the time on a machine with two.
    maxWorkers: '100%',
    // Each file in a process of its own: servers and signals are real.
    pool: 'forks',
    // The counts, for .ci/run to close with.
    reporters:
      process.env['CI'] === undefined
        ? ['default']
        : ['default', ['json', { outputFile: 'coverage/test-results.json' }]],
  },
});
