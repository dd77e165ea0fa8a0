/** Runs one of our own programs against a cluster as a process, with its log in a file. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, hasEnded, spawnOwned } from './owned-process.ts';

/** Milliseconds to wait for a text in the log of a program. */
const PATIENCE = 60_000;
/** Milliseconds that a program has after SIGTERM to end by itself. */
const KILLED_AFTER = 10_000;

export class OurProgram {
  readonly #name: string;
  readonly #logFile: string;
  readonly #child: ChildProcess;

  /**
   * @param name of the subcommand of imc
   * @param nodeFlags for Node itself
   */
  constructor(
    name: string,
    kubeconfig: string,
    flags: readonly string[],
    logFile: string,
    nodeFlags: readonly string[] = [],
  ) {
    this.#name = name;
    this.#logFile = logFile;
    const log = openSync(logFile, 'a');
    const ours = [name, '--source=kubernetes', `--kubeconfig=${kubeconfig}`, ...flags];
    const args = [...nodeFlags, 'dist/main.js', ...ours];
    this.#child = spawnOwned(process.execPath, args, { stdio: ['ignore', log, log] });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /**
   * Waits until the program's log matches a pattern.
   * @returns the first group of the pattern
   * @throws Error with the end of the log, if the program ends or takes too long
   */
  async logged(pattern: RegExp): Promise<string> {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const found = pattern.exec(readFileSync(this.#logFile, 'utf8'));
      if (found) return found[1] ?? '';
      if (hasEnded(this.#child)) throw this.#failure('has ended');
      if (Date.now() > until) throw this.#failure('does not get so far');
      await sleep(50);
    }
  }

  /** @throws Error with the end of the log, once the program has ended by itself */
  async untilEnded(): Promise<never> {
    if (!hasEnded(this.#child)) await once(this.#child, 'exit');
    throw this.#failure('has ended');
  }

  /** Ends the program by SIGTERM, and by SIGKILL if the program does not end in time. */
  async stop(): Promise<void> {
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), KILLED_AFTER);
    await end(this.#child, 'SIGTERM');
    clearTimeout(killing);
  }

  #failure(what: string): Error {
    const log = readFileSync(this.#logFile, 'utf8').slice(-2000);
    return new Error(`imc ${this.#name} ${what}. Its log ends with:\n${log}`);
  }
}
