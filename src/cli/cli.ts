/** The command line: finds the subcommand, and turns an error into a message and an exit code. */
import { messageOf } from '../core/kubernetes/problem.ts';
import { suggestName } from '../config/suggest.ts';
import { ConfigError } from '../config/validate.ts';
import { adviseCommand } from './advise.ts';
import { certs } from './certs.ts';
import { UsageError, type Command, type Io } from './command.ts';
import { readFlags } from './flags.ts';
import { formatHelp } from './help.ts';
import { check } from './check.ts';
import { complete } from './complete.ts';
import { completion } from './completion.ts';
import { controller } from './controller.ts';
import { explain } from './explain.ts';
import { verify } from './verify.ts';
import { liftGatesCommand } from './lift-gates.ts';
import { plan } from './plan.ts';
import { replay } from './replay.ts';
import { report } from './report.ts';
import { serve } from './serve.ts';
import { simulateEci } from './simulate-eci.ts';
import { status } from './status.ts';
import { wait } from './wait.ts';

export const COMMANDS: readonly Command[] = [
  serve,
  controller,
  explain,
  adviseCommand,
  verify,
  status,
  wait,
  check,
  certs,
  report,
  plan,
  replay,
  liftGatesCommand,
  simulateEci,
  completion,
];

/** Asks for the completions of the words that follow; not shown in the help, as only scripts use it. */
export const COMPLETE = '__complete';

/** Exit codes: 0 done, 1 failed, 2 the command line or the configuration is invalid. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === COMPLETE) {
    io.out.write(await complete(COMMANDS, rest));
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const command = COMMANDS.find((each) => each.name === rest[0]);
    io.out.write(command ? formatHelp(command) : overview());
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (!command) {
    const close = suggestName(
      name,
      COMMANDS.map((each) => each.name),
    );
    const hint = close === undefined ? 'see imc --help' : `did you mean ${close}?`;
    io.err.write(`imc: no command ${JSON.stringify(name)}; ${hint}\n`);
    return 2;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out.write(formatHelp(command));
    return 0;
  }
  try {
    return await command.run(readFlags(command, rest), io);
  } catch (error) {
    return reportError(command, error, io);
  }
}

function reportError({ name }: Command, error: unknown, io: Io): number {
  const faults = error instanceof ConfigError ? error.faults : [messageOf(error)];
  for (const fault of faults) io.err.write(`imc ${name}: ${fault}\n`);
  if (error instanceof UsageError) io.err.write(`See imc ${name} --help\n`);
  return error instanceof ConfigError || error instanceof UsageError ? 2 : 1;
}

function overview(): string {
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(13)} ${summary}`);
  return `imc: starts every ECI pod from the best ImageCache, and says why\n\nCommands:\n${lines.join('\n')}\n\nimc COMMAND --help shows the flags of each.\n`;
}
