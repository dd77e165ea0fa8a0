/** What every subcommand has: its flags and their parsing, and its help. */
import { parseArgs } from 'node:util';
import { messageOf } from '../core/kubernetes/json.ts';
import type { Config } from '../config/config.ts';
import { environmentName, flagName, SETTINGS } from '../config/settings.ts';
import { CONFIG_FILE_VARIABLE } from '../config/load.ts';
import { suggestName } from '../config/suggest.ts';

/** The outside world that a command may use. */
export interface Io {
  readonly out: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly err: { write(text: string): unknown };
  /** Reads standard input to its end. */
  readonly readInput: () => Promise<string>;
  /** Resolves at the first SIGTERM or SIGINT. */
  readonly untilStopped: () => Promise<void>;
}

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** The placeholder of the value in the help. */
  readonly value: string;
  readonly help: string;
  readonly many?: boolean;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** Paths of the settings that this command accepts as flags too. */
  readonly settings: readonly string[];
  /** @returns the exit code */
  readonly run: (flags: Flags, io: Io) => Promise<number>;
}

export interface Flags {
  readonly one: (name: string) => string | undefined;
  readonly all: (name: string) => readonly string[];
  /** The settings that were given as flags, by path. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Thrown for an invalid command line; the process prints it with a pointer to the help and exits with 2. */
export class UsageError extends Error {}

export const CONFIG_FLAG: Flag = {
  name: 'config',
  value: 'FILE',
  help: `Configuration file, YAML or JSON (also ${CONFIG_FILE_VARIABLE}).`,
};

/** @throws UsageError if no source is configured */
export function requireSource({ source }: Config): void {
  if (source === '') {
    throw new UsageError(
      'no source: give --source kubernetes, or --source files:DIR, a folder that holds the ImageCaches',
    );
  }
}

/** @throws UsageError */
export function readFlags(command: Command, args: readonly string[]): Flags {
  const known = [...command.flags, ...settingFlags(command)];
  const options = Object.fromEntries(
    known.map((flag) => [
      flag.name,
      { type: 'string' as const, multiple: true, ...(flag.short !== undefined && { short: flag.short }) },
    ]),
  );
  const values = parseFlags(args, options);
  const all = (name: string): readonly string[] => [values[name] ?? []].flat();
  for (const { name, many } of known) {
    if (all(name).length > 1 && many !== true) throw new UsageError(`--${name} is given more than once`);
  }
  const settings = command.settings.flatMap((path) =>
    all(flagName(path)).map((value) => [path, value] as const),
  );
  return { one: (name) => all(name)[0], all, settings: new Map(settings) };
}

function parseFlags(
  args: readonly string[],
  options: Readonly<Record<string, { type: 'string'; multiple: boolean }>>,
): Readonly<Record<string, string | readonly string[] | undefined>> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
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

function settingFlags(command: Command): Flag[] {
  return SETTINGS.filter(({ path }) => command.settings.includes(path)).map((setting) => ({
    name: flagName(setting.path),
    value: setting.type.placeholder,
    help: `${setting.help} Default ${describeDefault(setting.default)}. ${environmentName(setting.path)}`,
  }));
}

function describeDefault(value: unknown): string {
  if (value === '') return 'none';
  return Array.isArray(value) ? value.join(',') : String(value);
}

export function formatHelp(command: Command): string {
  const sections = [
    {
      title: 'Flags',
      flags: [...command.flags, { name: 'help', short: 'h', value: '', help: 'Show this.' }],
    },
    { title: 'Configuration (also in the file, and in the environment)', flags: settingFlags(command) },
  ];
  const body = sections
    .filter(({ flags }) => flags.length > 0)
    .map(({ title, flags }) => `${title}:\n${flags.map(formatFlag).join('\n')}`);
  return `${command.summary}\n\nUsage: ${command.usage}\n\n${body.join('\n\n')}\n`;
}

function formatFlag({ name, short, value, help }: Flag): string {
  const left = `  ${short === undefined ? '    ' : `-${short}, `}--${name} ${value}`.trimEnd();
  return `${left}\n${wrap(help, 96, '          ')}`;
}

function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > width && line !== indent) {
      lines.push(line);
      line = indent;
    }
    line += line === indent ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}
