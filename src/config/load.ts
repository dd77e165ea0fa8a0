/**
 * Loads the configuration from defaults, file, environment and flags; the later sources win. No other file of src reads
 * environment variables.
 */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { isObject } from '../core/kubernetes/json.ts';
import { messageOf, typeName } from '../core/kubernetes/problem.ts';
import type { Config } from './config.ts';
import { environmentName, flagName, SETTINGS } from './settings.ts';
import { DURATION } from './value-type.ts';
import { ConfigError, flatten, validateLayer, validateTogether, type Layer } from './validate.ts';

const PATHS = SETTINGS.map((setting) => setting.path);
const ENVIRONMENT_PREFIX = 'IMC_';
/** The environment variable that names the configuration file; it stands for no setting. */
export const CONFIG_FILE_VARIABLE = 'IMC_CONFIG';

/**
 * @param file the configuration file, YAML or JSON; undefined for none
 * @param flags values from the command line, by the path of their setting
 * @throws ConfigError with every fault
 */
export function loadConfig(
  file: string | undefined,
  flags: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const configFile = file ?? environment[CONFIG_FILE_VARIABLE];
  const faults: string[] = [];
  const values = new Map(SETTINGS.map((setting) => [setting.path, setting.type.parse(setting.default)]));
  const layers = [
    ...(configFile === undefined ? [] : [fileLayer(configFile)]),
    environmentLayer(environment),
    flagLayer(flags),
  ];
  for (const layer of layers)
    for (const [path, value] of validateLayer(layer, faults)) values.set(path, value);
  validateTogether(values, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return nest(values);
}

function fileLayer(file: string): Layer {
  const { values, unknown } = flatten(readConfigFile(file));
  return { nameOf: (path) => `${file}: ${path}`, values, unknown, known: PATHS };
}

function readConfigFile(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${file}: cannot be read: ${messageOf(error)}`]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const faults = document.errors.map(
    (error) => `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`,
  );
  if (faults.length > 0) throw new ConfigError(faults);
  const value: unknown = document.toJS() ?? {};
  if (!isObject(value))
    throw new ConfigError([`${file}: is ${typeName(value)}; it must be an object of keys`]);
  return value;
}

function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const pathOf = new Map(
    SETTINGS.flatMap(({ path, alias = path }) => [path, alias].map((name) => [environmentName(name), path])),
  );
  const values = new Map<string, unknown>();
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || name === CONFIG_FILE_VARIABLE || value === undefined)
      continue;
    const path = pathOf.get(name);
    if (path === undefined) unknown.push(name);
    else if (values.has(path) && values.get(path) !== value)
      throw new ConfigError([`${name} and ${environmentName(path)} are the same setting: give one`]);
    else values.set(path, value);
  }
  return {
    nameOf: (name) =>
      `environment variable ${name.startsWith(ENVIRONMENT_PREFIX) ? name : environmentName(name)}`,
    values,
    unknown,
    known: [...pathOf.keys()],
  };
}

function flagLayer(flags: ReadonlyMap<string, string>): Layer {
  return { nameOf: (path) => `flag --${flagName(path)}`, values: flags, unknown: [], known: [] };
}

/** @param values by the path of their setting */
function nest(values: ReadonlyMap<string, unknown>): Config {
  const config: Record<string, unknown> = {};
  for (const { path, type } of SETTINGS) {
    const keys = path.split('.');
    const last = keys.pop() ?? path;
    let parent = config;
    for (const key of keys) {
      const group = parent[key];
      const inner: Record<string, unknown> = isObject(group) ? group : {};
      parent[key] = inner;
      parent = inner;
    }
    parent[type === DURATION ? `${last}Ms` : last] = values.get(path);
  }
  // A test compares the type with the table: load.test.ts.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return config as unknown as Config;
}
