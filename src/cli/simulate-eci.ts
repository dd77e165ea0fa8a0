/** `imc simulate-eci`: plays the part of ECI that makes and uses image caches, for clusters without ECI. */
import { loadConfig } from '../config/load.ts';
import { COUNT, DURATION, PORT } from '../config/value-type.ts';
import { DEFAULT_QUOTAS } from '../core/simulation/region.ts';
import { simulate, type ApiOptions } from '../runtime/simulator.ts';
import { requireSource, UsageError, type Command, type Flags } from './command.ts';
import { flagValue } from './flag-values.ts';

const DEFAULT_TIME = '10s';
const DEFAULT_KEY = 'stand-in:stand-in';
const DEFAULT_CALLS = 1000;
/** A duration that is not 0. */
const NOT_AT_ONCE = { ...DURATION, parse: (value: unknown) => DURATION.parse(value) || undefined };
/** The width of the progress bar, in characters. */
const BAR = 20;

export const simulateEci: Command = {
  name: 'simulate-eci',
  summary:
    'Play ECI: give ImageCaches IDs, make them Ready or have them fail, let them expire; and answer as its API.',
  usage: 'imc simulate-eci --source files:DIR|kubernetes [--creation-time 10s] [--fail TEXT]... [--api PORT]',
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
    {
      name: 'api',
      value: 'PORT',
      help: "Answer as ECI's API on this port of the loopback interface (0: any free port), for `region.endpoint`; and start the pods of virtual nodes as ECI does: make automatic caches, and write on pods what they started from.",
    },
    {
      name: 'access-key',
      value: 'ID:SECRET',
      help: `The access key that the API accepts. Default ${DEFAULT_KEY}.`,
    },
    {
      name: 'calls-per-minute',
      value: 'N',
      help: `Further calls of the API in the same minute are throttled. Default ${DEFAULT_CALLS}.`,
    },
    {
      name: 'quota',
      value: 'N',
      help: `How many manual caches the region may have. Default ${DEFAULT_QUOTAS.manual}.`,
    },
    {
      name: 'automatic-quota',
      value: 'N',
      help: `How many caches ECI keeps that it made by itself. Default ${DEFAULT_QUOTAS.automatic}.`,
    },
  ],
  settings: ['source', 'kubeconfig', 'kubeContext'],
  run: async (flags, io) => {
    const config = loadConfig(undefined, flags.settings);
    requireSource(config);
    const api = apiOptions(flags);
    const creationTime = flagValue(flags, 'creation-time', DEFAULT_TIME, NOT_AT_ONCE);
    io.out.write(
      `Playing ECI for the ImageCaches of ${config.source}: only status changes, no real cache.\n`,
    );
    await simulate(
      config,
      { creationTime, failing: flags.all('fail') },
      api,
      {
        onServing: (endpoint) =>
          io.out.write(
            `The API of ECI answers at http://${endpoint}, for the access key ${api?.accessKey.id}. Pods on virtual nodes are started.\n`,
          ),
        onStart: (pod, how, cacheId) => io.out.write(`${pod}  starts  ${cacheId ?? 'cold'}  ${how}\n`),
        onState: (name, phase, progress) => io.out.write(`${name}  ${phase.padEnd(9)}  ${bar(progress)}\n`),
        onProblem: (problem) => io.err.write(`imc simulate-eci: ${problem}\n`),
      },
      io.untilStopped(),
    );
    return 0;
  },
};

/** @throws UsageError; undefined if the API is not asked for */
function apiOptions(flags: Flags): ApiOptions | undefined {
  const others = ['access-key', 'calls-per-minute', 'quota', 'automatic-quota'];
  if (flags.one('api') === undefined) {
    const alone = others.find((name) => flags.one(name) !== undefined);
    if (alone !== undefined) throw new UsageError(`--${alone} needs --api`);
    return undefined;
  }
  const [id = '', secret = ''] = (flags.one('access-key') ?? DEFAULT_KEY).split(':');
  if (id === '' || secret === '') throw new UsageError('--access-key must be ID:SECRET');
  return {
    port: flagValue(flags, 'api', '0', PORT),
    accessKey: { id, secret },
    callsPerMinute: flagValue(flags, 'calls-per-minute', `${DEFAULT_CALLS}`, COUNT),
    quotas: {
      manual: flagValue(flags, 'quota', `${DEFAULT_QUOTAS.manual}`, COUNT),
      automatic: flagValue(flags, 'automatic-quota', `${DEFAULT_QUOTAS.automatic}`, COUNT),
    },
  };
}

function bar(progress: string): string {
  if (progress === '') return '';
  const filled = Math.round((Number.parseInt(progress, 10) / 100) * BAR);
  return `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${progress}`;
}
