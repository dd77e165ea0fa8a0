#!/usr/bin/env node
/** Starts the program: passes its arguments to the CLI, and exits with the CLI's exit code. No other file exits. */
import { text } from 'node:stream/consumers';
import { basename } from 'node:path';
import { COMPLETE, runCli } from './cli/cli.ts';

const OLDEST_NODE = [22, 19] as const;
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  process.stderr.write(
    `imc: needs Node ${OLDEST_NODE.join('.')} or later, and this is ${process.versions.node}\n`,
  );
  process.exit(1);
}

// Ends the program quietly if the reader of our output has closed the pipe, as in `imc explain … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const stopped = new Promise<void>((resolve) => {
  let asked = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second Ctrl-C ends the process at once.
      if (asked) process.exit(130);
      asked = true;
      resolve();
    });
  }
});

// kubectl asks a program of this name for the completions of its plugin kubectl-imc.
const isCompleter = basename(process.argv[1] ?? '') === 'kubectl_complete-imc';

const code = await runCli([...(isCompleter ? [COMPLETE] : []), ...process.argv.slice(2)], {
  out: process.stdout,
  err: process.stderr,
  // False also if NO_COLOR is set, or the terminal has none.
  hasColours: process.stdout.isTTY && process.stdout.hasColors(),
  readInput: () => text(process.stdin),
  untilStopped: () => stopped,
});
// A pipe may not have taken all of the output yet, and exit drops what is left.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise<unknown>((done) => stream.write('', done))),
);
process.exit(code);
