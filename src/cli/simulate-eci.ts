/** `imc simulate-eci`: plays the part of ECI that makes image caches, for clusters without ECI. */
import { loadConfig } from '../config/load.ts';
import { DURATION } from '../config/value-type.ts';
import { simulate } from '../runtime/simulator.ts';
import { requireSource, type Command } from './command.ts';
import { flagValue } from './flag-values.ts';

const DEFAULT_TIME = '10s';
/** A duration that is not 0. */
const NOT_AT_ONCE = { ...DURATION, parse: (value: unknown) => DURATION.parse(value) || undefined };
/** The width of the progress bar, in characters. */
const BAR = 20;

export const simulateEci: Command = {
  name: 'simulate-eci',
  summary: 'Play ECI: give ImageCaches IDs, make them Ready or have them fail, and let them expire.',
  usage: 'imc simulate-eci --source files:DIR|kubernetes [--creation-time 10s] [--fail TEXT]...',
  flags: [
    {
      name: 'creation-time',
      value: 'DURATION',
      help: `How long an ordinary cache takes; one with reuse half of it, an instant one a tenth. Default ${DEFAULT_TIME}.`,
    },
    {
      name: 'fail',
      value: 'TEXT',
      many: true,
      help: 'A cache with an image that holds this text fails. May be given more than once.',
    },
  ],
  settings: ['source', 'kubeconfig', 'kubeContext'],
  run: async (flags, io) => {
    const config = loadConfig(undefined, flags.settings);
    requireSource(config);
    const creationTime = flagValue(flags, 'creation-time', DEFAULT_TIME, NOT_AT_ONCE);
    io.out.write(
      `Playing ECI for the ImageCaches of ${config.source}: only status changes, no real cache.\n`,
    );
    await simulate(
      config,
      { creationTime, failing: flags.all('fail') },
      {
        onState: (name, phase, progress) => io.out.write(`${name}  ${phase.padEnd(9)}  ${bar(progress)}\n`),
        onProblem: (problem) => io.err.write(`imc simulate-eci: ${problem}\n`),
      },
      io.untilStopped(),
    );
    return 0;
  },
};

function bar(progress: string): string {
  if (progress === '') return '';
  const filled = Math.round((Number.parseInt(progress, 10) / 100) * BAR);
  return `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${progress}`;
}
