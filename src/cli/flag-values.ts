/** What the values of flags stand for: a number, one of several formats, or a file. */
import { readFileSync } from 'node:fs';
import { messageOf } from '../core/kubernetes/problem.ts';
import type { ValueType } from '../config/value-type.ts';
import { UsageError, type Flags } from './command.ts';

/**
 * @param byDefault the text that counts if the flag is not given
 * @throws UsageError if the text means nothing
 */
export function flagValue<T>(
  flags: Flags,
  name: string,
  byDefault: string,
  { parse, allowed }: Pick<ValueType<T>, 'parse' | 'allowed'>,
): T {
  const text = flags.one(name) ?? byDefault;
  const value = parse(text);
  if (value === undefined)
    throw new UsageError(`--${name} is ${JSON.stringify(text)}; it must be ${allowed}`);
  return value;
}

/** The format that -o names; `table` if it is not given. @throws UsageError */
export function chosenFormat<T>(flags: Flags, formats: ReadonlyMap<string, T>): T {
  const format = formats.get(flags.one('output') ?? 'table');
  if (format === undefined) throw new UsageError(`-o must be one of ${[...formats.keys()].join(', ')}`);
  return format;
}

/** @throws Error that names the file */
export function readTextFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
