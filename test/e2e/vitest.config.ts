import { defineConfig } from 'vitest/config';
import { kubernetesMinor } from './support/programs.ts';
import { SkipsReporter } from './support/skips-reporter.ts';

/** These tests measure durations, so nothing else runs beside them. */
const ALONE = ['controller-faults', 'faults', 'scale'].map((name) => `test/e2e/${name}.test.ts`);

const version = `1.${kubernetesMinor()}`;

/** The tests that need a control plane: `make e2e`. Each file has one of its own. */
export default defineConfig({
  test: {
    // Several times what the longest test takes on the slowest machine, so that only a test that hangs is ended.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
    // In CI the results also go to a file, from which .ci/run prints the counts at its end.
    reporters: [
      'default',
      new SkipsReporter(version),
      ...(process.env['CI'] === undefined
        ? []
        : [['json', { outputFile: `coverage/e2e-${version}.json` }] as ['json', object]]),
    ],
  },
});
