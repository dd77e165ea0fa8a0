/** Lists the tests that were skipped, so that nobody takes them for passed. */
import type { Reporter, TestModule } from 'vitest/node';

export class SkipsReporter implements Reporter {
  readonly #kubernetes: string;

  /** @param kubernetes its version, for the message */
  constructor(kubernetes: string) {
    this.#kubernetes = kubernetes;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => Array.from(module.children.allTests('skipped')));
    const names = skipped.map(({ fullName, module }) => `  ${module.relativeModuleId}: ${fullName}\n`);
    const count = skipped.length === 0 ? 'No test was' : `${skipped.length} tests were`;
    process.stdout.write(`\n${count} skipped on Kubernetes ${this.#kubernetes}.\n${names.join('')}`);
  }
}
