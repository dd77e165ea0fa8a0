/** The types of configuration values: how each is parsed, and which values are allowed. */
import { isIP, isIPv4 } from 'node:net';
import { parseDuration } from '../core/kubernetes/time.ts';

/** How a value is parsed. `allowed` completes the sentence "it must be …". */
export interface ValueType<T = unknown> {
  readonly allowed: string;
  /** The placeholder of the value in a flag's help. */
  readonly placeholder: string;
  /** @returns undefined if the value is not of this type; values from the environment and from flags are strings */
  readonly parse: (value: unknown) => T | undefined;
}

export function oneOf(...allowed: readonly string[]): ValueType<string> {
  return {
    allowed: `one of ${allowed.join(', ')}`,
    placeholder: allowed.join('|'),
    parse: (value) => (typeof value === 'string' && allowed.includes(value) ? value : undefined),
  };
}

export const TEXT: ValueType<string> = {
  allowed: 'a text',
  placeholder: 'TEXT',
  parse: (value) => (typeof value === 'string' ? value : undefined),
};

export const PORT: ValueType<number> = {
  allowed: 'a port, 0 to 65535 (0: any free one)',
  placeholder: 'PORT',
  parse: (value) => {
    const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    return typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535
      ? port
      : undefined;
  },
};

export const TEXTS: ValueType<readonly string[]> = {
  allowed: 'a list of texts',
  placeholder: 'TEXT,...',
  parse: (value) => {
    const texts: unknown = typeof value === 'string' ? value.split(',').map((text) => text.trim()) : value;
    return Array.isArray(texts) && texts.every((text) => typeof text === 'string' && text !== '')
      ? texts
      : undefined;
  },
};

export const COUNT: ValueType<number> = {
  allowed: 'a whole number, 0 or more',
  placeholder: 'N',
  parse: (value) => {
    const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
    return typeof count === 'number' && Number.isInteger(count) && count >= 0 && count < 1e9
      ? count
      : undefined;
  },
};

export const AMOUNT: ValueType<number> = {
  allowed: 'a number above 0',
  placeholder: 'NUMBER',
  parse: (value) => {
    const amount = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof amount === 'number' && amount > 0 && amount < Infinity ? amount : undefined;
  },
};

/** Parses into milliseconds. */
export const DURATION: ValueType<number> = {
  allowed: 'a duration such as "10m", "90s" or "1h30m"',
  placeholder: 'DURATION',
  parse: (value) => {
    if (value === 0 || value === '0') return 0;
    return typeof value === 'string' ? parseDuration(value) : undefined;
  },
};

function isName(name: unknown): name is string {
  return typeof name === 'string' && /^(?:\*\.)?[\w.:-]{1,253}$/.test(name);
}

export const NAMES: ValueType<readonly string[]> = {
  allowed: 'a list of DNS names or IP addresses',
  placeholder: 'NAME,...',
  parse: (value) => {
    const names: unknown = typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value;
    return Array.isArray(names) && names.length > 0 && names.every(isName) ? names : undefined;
  },
};

export const BOOLEAN: ValueType<boolean> = {
  allowed: 'true or false',
  placeholder: 'true|false',
  parse: (value) => {
    if (typeof value === 'boolean') return value;
    return value === 'true' ? true : value === 'false' ? false : undefined;
  },
};

export const OBJECT_NAME: ValueType<string> = {
  allowed: 'NAMESPACE/NAME',
  placeholder: 'NAMESPACE/NAME',
  parse: (value) =>
    typeof value === 'string' && (value === '' || /^[a-z\d][a-z\d-]*\/[a-z\d][a-z\d.-]*$/.test(value))
      ? value
      : undefined,
};

export const SOURCE: ValueType<string> = {
  allowed: 'kubernetes, or files:DIR, a folder of manifests',
  placeholder: 'kubernetes|files:DIR',
  parse: (value) =>
    value === '' || value === 'kubernetes' || (typeof value === 'string' && /^files:./.test(value))
      ? value
      : undefined,
};

function isAddressOrRange(text: string): boolean {
  const [address = '', length, ...rest] = text.split('/');
  if (isIP(address) === 0 || rest.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (isIPv4(address) ? 32 : 128));
}

export const ADDRESSES: ValueType<readonly string[]> = {
  allowed: 'a list of IP addresses or CIDR ranges',
  placeholder: 'ADDRESS,...',
  parse: (value) => {
    const texts = value === '' ? [] : TEXTS.parse(value);
    return texts?.every(isAddressOrRange) ? texts : undefined;
  },
};
