/** Builds the program once, before the tests: some run it as a process, and a build under way would be half a program. */
import { execFileSync } from 'node:child_process';

export default function build(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
