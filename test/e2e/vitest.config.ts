import { defineConfig } from 'vitest/config';
import { kubernetesMinor } from './support/programs.ts';
import { SkipsReporter } from './support/skips-reporter.ts';

/** They measure no duration and give this machine no addresses, so that two of them may share it. */
const TOGETHER = [
  'admission',
  'bind-time',
  'chart',
  'cli',
  'client-certificate',
  'cluster',
  'controller-lives',
  'crd',
  'image',
  'lives',
  'monitoring',
  'rbac',
  'source',
  'workloads',
].map((name) => `test/e2e/${name}.test.ts`);

const version = `1.${kubernetesMinor()}`;

/** The tests that need a control plane: `make e2e`. Each file has one of its own. */
export default defineConfig({
  test: {
    // Several times what the longest takes on the slowest machine so far: what this ends, hangs.
    testTimeout: 180_000,
    hookTimeout: 180_000,
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
    // The counts, for .ci/run to close with.
    reporters: [
      'default',
      new SkipsReporter(version),
      ...(process.env['CI'] === undefined
        ? []
        : [['json', { outputFile: `coverage/e2e-${version}.json` }] as ['json', object]]),
    ],
  },
});
