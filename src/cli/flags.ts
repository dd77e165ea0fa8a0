/** Reads the flags of a command line. */
import { parseArgs } from 'node:util';
import { flagName, SETTINGS } from '../config/settings.ts';
import { suggestName } from '../config/suggest.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { settingFlags, UsageError, type Command, type Flag, type Flags } from './command.ts';

/** @throws UsageError */
export function readFlags(command: Command, args: readonly string[]): Flags {
  const settings = SETTINGS.filter(({ path }) => command.settings.includes(path));
  const aliases = settings.flatMap(({ alias }) => (alias === undefined ? [] : [aliasFlag(alias)]));
  const known = [...command.flags, ...settingFlags(command), ...aliases];
  const options = Object.fromEntries(
    known.map((flag) => [
      flag.name,
      {
        type: flag.isSwitch === true ? ('boolean' as const) : ('string' as const),
        multiple: true,
        ...(flag.short !== undefined && { short: flag.short }),
      },
    ]),
  );
  const { values, positionals } = parseFlags(args, options, command.takesNames === true);
  const all = (name: string): readonly string[] => [values[name] ?? []].flat().map(String);
  for (const { name, many } of known) {
    if (all(name).length > 1 && many !== true) throw new UsageError(`--${name} is given more than once`);
  }
  const given = new Map<string, string>();
  for (const { path, alias = path } of settings) {
    const texts = new Set([path, alias].flatMap((name) => all(flagName(name))));
    if (texts.size > 1)
      throw new UsageError(`--${flagName(path)} and --${flagName(alias)} are the same: give one`);
    for (const value of texts) given.set(path, value);
  }
  return {
    one: (name) => all(name)[0],
    all,
    isOn: (name) => all(name).length > 0,
    names: positionals,
    settings: given,
  };
}

/** Accepted, and not shown in the help. */
function aliasFlag(alias: string): Flag {
  return { name: flagName(alias), value: '', help: '' };
}

interface Parsed {
  readonly values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
}

function parseFlags(
  args: readonly string[],
  options: Readonly<Record<string, { type: 'string' | 'boolean'; multiple: boolean }>>,
  takesNames: boolean,
): Parsed {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: takesNames });
  } catch (error) {
    const unknown = args.find((arg) => arg.startsWith('--') && !Object.hasOwn(options, flagOf(arg)));
    const close = unknown === undefined ? undefined : suggestName(flagOf(unknown), Object.keys(options));
    const hint = close === undefined ? '' : `; did you mean --${close}?`;
    const message = messageOf(error).split('. ')[0] ?? '';
    throw new UsageError(`${message.replace(/\.$/, '')}${hint}`);
  }
}

function flagOf(arg: string): string {
  return arg.slice(2).split('=')[0] ?? '';
}
