/** `imc wait`: waits until ImageCaches are Ready, and ends at once if one of them cannot become Ready. */
import { loadConfig } from '../config/load.ts';
import { DURATION } from '../config/value-type.ts';
import { cacheNamesIn, waitForCaches } from '../runtime/wait.ts';
import { CONFIG_FLAG, UsageError, withSource, type Command, type Flags, type Io } from './command.ts';
import { flagValue } from './flag-values.ts';
import { FILENAME_FLAG, readFiles } from './manifests.ts';

const DEFAULT_TIMEOUT = '15m';
/** As kubectl takes it: `imagecache web`, or `imagecache/web`. */
const KIND = /^imagecaches?(?:\.[\w.]+)?$/;
const PREFIX = /^imagecaches?(?:\.[\w.]+)?\//;

export const wait: Command = {
  name: 'wait',
  summary:
    'Wait until ImageCaches are Ready, for pipelines. Ends with 1 at once if one fails, or when the time is over.',
  usage: 'imc wait IMAGECACHE… | -f FILE [--timeout DURATION] [--source kubernetes|files:DIR]',
  takesNames: true,
  flags: [
    {
      ...FILENAME_FLAG,
      help: 'YAML or JSON that holds ImageCaches, which exist already; - is standard input.',
    },
    {
      name: 'timeout',
      value: 'DURATION',
      help: `How long to wait; 0 looks once. Default ${DEFAULT_TIMEOUT}.`,
    },
    CONFIG_FLAG,
  ],
  settings: ['source', 'kubeconfig', 'kubeContext'],
  run: async (flags, io) => {
    const timeoutMs = flagValue(flags, 'timeout', DEFAULT_TIMEOUT, DURATION);
    const config = withSource(loadConfig(flags.one('config'), flags.settings));
    const names = await namesGiven(flags, io);
    const onState = (name: string, state: string): unknown => io.out.write(`${name}: ${state}\n`);
    const { hopeless, late } = await waitForCaches(config, names, timeoutMs, { onState });
    for (const { name, why } of hopeless) io.err.write(`imc wait: ImageCache ${name}: ${why}\n`);
    if (hopeless.length === 0 && late.length > 0)
      io.err.write(
        `imc wait: not Ready within ${flags.one('timeout') ?? DEFAULT_TIMEOUT}: ${late.join(', ')}\n`,
      );
    return hopeless.length + late.length > 0 ? 1 : 0;
  },
};

/** @throws UsageError if there are none; Error if a file cannot be read */
async function namesGiven(flags: Flags, io: Io): Promise<string[]> {
  const hasFiles = flags.all('filename').length > 0;
  if (flags.names.length > 0 && hasFiles) throw new UsageError('give names, or files with -f, not both');
  // As kubectl names it.
  if (!hasFiles && flags.names.length > 0)
    return flags.names
      .filter((name, i) => i > 0 || flags.names.length === 1 || !KIND.test(name))
      .map((name) => name.replace(PREFIX, ''));
  if (!hasFiles) throw new UsageError('no ImageCache: give names, or -f FILE');
  const names: string[] = [];
  for (const { name: file, text } of await readFiles(flags, io)) {
    const read = cacheNamesIn(file, text);
    const [problem] = read.problems;
    if (problem !== undefined) throw new Error(problem);
    names.push(...read.names);
  }
  if (names.length === 0) throw new Error(`no ImageCache in ${flags.all('filename').join(', ')}`);
  return names;
}
