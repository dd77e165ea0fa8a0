/**
 * Completes a command line: `imc __complete WORD…` prints what may stand in place of the last word, one a line, in the
 * protocol of the cobra library, which kubectl speaks with the completions of its plugins (`kubectl_complete-imc`).
 */
import { loadConfig } from '../config/load.ts';
import { flagName, SETTINGS } from '../config/settings.ts';
import { objectName } from '../core/kubernetes/object.ts';
import { kindNamed, WORKLOAD_KINDS } from '../core/workload/kinds.ts';
import { connectWorkloads } from '../runtime/workload-pods.ts';
import { withSource, settingFlags, type Command, type Flag } from './command.ts';
import { SHELLS } from './completion.ts';

/** What the shell does beside: nothing, complete files, or add no space after the word. */
const DIRECTIVES = { nothing: 4, files: 0, noSpace: 2 + 4 } as const;

interface Completion {
  /** With a tab and an explanation, if there is one. */
  readonly words: readonly string[];
  readonly directive: (typeof DIRECTIVES)[keyof typeof DIRECTIVES];
}

/** Names of one kind that are offered at most. */
const MOST_NAMES = 200;
/** Milliseconds: a shell that hangs is worse than one that completes nothing. */
const PATIENCE = 2000;

/** @param words the command line after the program's name; the last one is being written, and may be empty */
export async function complete(commands: readonly Command[], words: readonly string[]): Promise<string> {
  const { words: found, directive } = await completionOf(commands, words);
  const current = words.at(-1) ?? '';
  return [...found.filter((word) => word.startsWith(current)), `:${directive}`, ''].join('\n');
}

async function completionOf(commands: readonly Command[], words: readonly string[]): Promise<Completion> {
  const [name, ...rest] = words;
  if (name === undefined || rest.length === 0)
    return only(commands.map((each) => `${each.name}\t${each.summary}`));
  const command = commands.find((each) => each.name === name);
  if (!command) return only([]);
  const current = rest.at(-1) ?? '';
  const flags = [...command.flags, ...settingFlags(command)];
  const before = rest.at(-2);
  const flag = before === undefined ? undefined : flagOf(flags, before);
  if (flag && flag.isSwitch !== true) return valuesOf(flag);
  const assigned = /^(--[\w-]+)=/.exec(current);
  if (assigned?.[1] !== undefined) {
    const { words: values, directive } = valuesOf(flagOf(flags, assigned[1]));
    return { words: values.map((value) => `${assigned[0]}${value}`), directive };
  }
  if (current.startsWith('-'))
    return only(flags.map(({ name: each, help }) => `--${each}\t${firstSentence(help)}`));
  if (command.name === 'completion') return only(SHELLS);
  return command.name === 'explain' ? namesOf(current, rest) : only([]);
}

function only(words: readonly string[]): Completion {
  return { words, directive: DIRECTIVES.nothing };
}

function flagOf(flags: readonly Flag[], word: string): Flag | undefined {
  return flags.find(
    ({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`),
  );
}

/** The placeholder of a flag says what its value is: `table|json`, or FILE. */
function valuesOf(flag: Flag | undefined): Completion {
  if (!flag) return only([]);
  if (/^(?:FILE|DIR)$/.test(flag.value) || ['kubeconfig', 'tls-cert', 'tls-key'].includes(flag.name))
    return { words: [], directive: DIRECTIVES.files };
  return only(flag.value.includes('|') ? flag.value.split('|') : []);
}

/** `deploy/`, and then the names that the cluster has. */
async function namesOf(current: string, words: readonly string[]): Promise<Completion> {
  const [type = '', name] = current.split('/');
  if (name === undefined) {
    const kinds = WORKLOAD_KINDS.map(
      ({ kind, shortNames }) => `${shortNames?.[0] ?? kind.toLowerCase()}/\t${kind}`,
    );
    return { words: kinds, directive: DIRECTIVES.noSpace };
  }
  const kind = kindNamed(type);
  if (!kind) return only([]);
  try {
    const flags = new Map(
      SETTINGS.flatMap(({ path, alias }) => {
        const value = [path, alias ?? path].map((each) => valueAfter(words, `--${flagName(each)}`));
        return value.flatMap((each) => (each === undefined ? [] : [[path, each] as const]));
      }),
    );
    const reader = await connectWorkloads(withSource(loadConfig(undefined, flags)));
    const namespace =
      valueAfter(words, '-n') ?? valueAfter(words, '--namespace') ?? reader.namespace ?? 'default';
    const tooLate = new Promise<[]>((resolve) => setTimeout(() => resolve([]), PATIENCE));
    const objects = await Promise.race([reader.list(kind, namespace, []), tooLate]);
    const names = new Set(objects.map(objectName));
    return only([...names].slice(0, MOST_NAMES).map((each) => `${type}/${each}`));
  } catch {
    // A shell has no place for a message.
    return only([]);
  }
}

function valueAfter(words: readonly string[], flag: string): string | undefined {
  const i = words.indexOf(flag);
  return i < 0 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[i + 1];
}

function firstSentence(help: string): string {
  return help.split(/(?<=\.) /)[0] ?? '';
}
