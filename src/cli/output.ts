/** The formats of -o that are the same for all commands: JSON, one object a line, and YAML, one document an object. */
import { stringify } from 'yaml';

export type Format<T> = (value: T) => string;

/** @param toObjects what a program reads of a value */
export function objectFormats<T>(toObjects: (value: T) => readonly unknown[]): [string, Format<T>][] {
  return [
    [
      'json',
      (value) =>
        toObjects(value)
          .map((each) => `${JSON.stringify(each)}\n`)
          .join(''),
    ],
    [
      'yaml',
      (value) =>
        toObjects(value)
          .map((each) => `---\n${stringify(each)}`)
          .join(''),
    ],
  ];
}
