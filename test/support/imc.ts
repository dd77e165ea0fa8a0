/** Runs the command line as a user has it, the built program as a process; or, faster, in the process of the test. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { runCli } from '../../src/cli/cli.ts';
import { spawnOwned } from './owned-process.ts';

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const running: ChildProcess[] = [];

export function killRunning(): void {
  for (const child of running.splice(0)) child.kill('SIGKILL');
}

export function start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const child = spawnOwned(process.execPath, ['dist/main.js', ...args], {
    env: { PATH: process.env['PATH'], ...environment },
  });
  running.push(child);
  return child;
}

export async function imc(
  args: readonly string[],
  input = '',
  environment: Record<string, string> = {},
): Promise<Result> {
  const child = start(args, environment);
  let out = '';
  let err = '';
  child.stdout!.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin!.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

/** The same in this process, which takes milliseconds; for what needs no environment of its own. */
export async function imcHere(args: readonly string[], input = ''): Promise<Result> {
  const written = { out: '', err: '' };
  const code = await runCli(args, {
    out: { write: (text) => (written.out += text) },
    err: { write: (text) => (written.err += text) },
    hasColours: false,
    readInput: () => Promise.resolve(input),
    untilStopped: () => new Promise(() => undefined),
  });
  return { code, ...written };
}
