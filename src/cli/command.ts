/** The types of a subcommand: its name, its flags, and the streams and signals that it may use. */
import type { Config } from '../config/config.ts';
import { environmentName, flagName, SETTINGS } from '../config/settings.ts';
import { CONFIG_FILE_VARIABLE } from '../config/load.ts';

/** The streams and signals of the process, as a command uses them. */
export interface Io {
  readonly out: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly err: { write(text: string): unknown };
  /** Whether what goes to `out` may have colours. */
  readonly hasColours: boolean;
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
  /** Set if the flag takes no value. */
  readonly isSwitch?: true;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** Whether names may follow, such as deploy/web. */
  readonly takesNames?: true;
  /** Paths of the settings that this command accepts as flags too. */
  readonly settings: readonly string[];
  /** @returns the exit code */
  readonly run: (flags: Flags, io: Io) => Promise<number>;
}

export interface Flags {
  readonly one: (name: string) => string | undefined;
  readonly all: (name: string) => readonly string[];
  /** Whether a switch is given. */
  readonly isOn: (name: string) => boolean;
  /** What follows the flags. */
  readonly names: readonly string[];
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

/** The configuration with the cluster of the kubeconfig as its source, as kubectl has it, unless another is configured. */
export function withSource(config: Config): Config {
  return config.source === '' ? { ...config, source: 'kubernetes' } : config;
}

/** The flags of a command's settings. */
export function settingFlags(command: Command): Flag[] {
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
