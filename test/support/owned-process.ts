/** Starts processes that never outlive this one, however it ends: by itself, by an exception, or by SIGKILL. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * A shell that reads the number of each process on its standard input. The pipe ends with this process, and the shell
 * then kills the processes that are left.
 */
const WATCHDOG = `
  pids=' '
  while read -r verb pid; do
    case $verb in
      started) pids="$pids$pid " ;;
      ended) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
    esac
  done
  [ "$pids" = ' ' ] || kill -KILL $pids 2>/dev/null
`;

let watchdog: ChildProcess | undefined;

function tellWatchdog(message: string): void {
  if (!watchdog) {
    // In a session of its own, because Ctrl-C in the terminal must not end the shell before its work is done.
    watchdog = spawn('sh', ['-c', WATCHDOG], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    watchdog.unref();
    (watchdog.stdin as Socket).unref();
  }
  watchdog.stdin!.write(`${message}\n`);
}

/**
 * As `spawn` of node:child_process, but Ctrl-C in the terminal does not reach the child: this process ends its children
 * in order.
 */
export function spawnOwned(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const child = spawn(command, [...args], { ...options, detached: true });
  const { pid } = child;
  // The pid is undefined if the program could not be started, and then the child emits `error`.
  if (pid !== undefined) {
    tellWatchdog(`started ${pid}`);
    child.once('exit', () => tellWatchdog(`ended ${pid}`));
  }
  return child;
}

export function hasEnded({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || pid === undefined;
}

/** Sends a signal, also to a process that is stopped, and waits until the process has ended. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  child.kill('SIGCONT');
  await ended;
}

/**
 * Runs a program to its end.
 * @returns its standard output
 * @throws Error with its command and its standard error, if it does not exit with 0
 */
export async function runOwned(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const child = spawnOwned(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  if (code !== 0) throw new Error(`${[command, ...args].join(' ')}\n${err}`);
  return out;
}
