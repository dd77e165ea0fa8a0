/** Messages about faulty input: where the fault is, what is wrong, and what is allowed. */

/** Thrown if a value cannot be read. The message says where the value is, what is wrong, and what is allowed. */
export class Unreadable extends Error {
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path} ${problem}`);
    this.path = path;
  }
}

/** The type of a JSON value, for an error message. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

/** A value as a warning shows it: quoted, and shortened, so that the warning can also say what is allowed. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** `ENOENT: no such file or directory, open 'x.yaml'`. The caller names the file, so people need only the middle part. */
const FILE_ERROR = /^E[A-Z]+: ([^,]+), \w+ '[^]*'$/;

/** The message of something that was caught; in JavaScript anything may be thrown. */
export function messageOf(error: unknown): string {
  return Error.isError(error) ? error.message.replace(FILE_ERROR, '$1') : String(error);
}
