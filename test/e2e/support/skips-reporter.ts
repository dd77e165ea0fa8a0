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
    process.stdout.write(
      `\nTests skipped on Kubernetes ${this.#kubernetes}: ${skipped.length}\n${names.join('')}`,
    );
  }
}
