import { defineConfig } from 'vitest/config';

/** They look at no clock, so that two of them may share the machine. */
const TOGETHER = ['chart', 'cli', 'client-certificate', 'crd', 'image', 'monitoring', 'rbac'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/** The tests that need a control plane: `make e2e`. Each file has one of its own. */
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: { name: 'together', include: TOGETHER, maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/e2e/**/*.test.ts'],
          exclude: TOGETHER,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    reporters:
      process.env['CI'] === undefined
        ? ['default']
        : ['default', ['json', { outputFile: 'coverage/e2e-results.json' }]],
  },
});
