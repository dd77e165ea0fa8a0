/** Validates a configuration: finds all faults at once, and says where each fault is and what is allowed. */
import { isObject } from '../core/kubernetes/json.ts';
import type { Setting } from './setting.ts';
import { SETTINGS, settingOf } from './settings.ts';
import { suggestName } from './suggest.ts';

/** Thrown if a configuration is invalid. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** The values from one place (file, environment or flags), by the path of their setting. */
export interface Layer {
  /** How to name a key of this layer in an error: `imc.yaml: pin.notReady`, `IMC_PIN_NOT_READY`. */
  readonly nameOf: (path: string) => string;
  readonly values: ReadonlyMap<string, unknown>;
  /** Names that are no setting, as they were written. */
  readonly unknown: readonly string[];
  /** All names that are allowed, to suggest one of them. */
  readonly known: readonly string[];
}

/**
 * @param faults receives a sentence for each fault
 * @returns the parsed values of the layer
 */
export function validateLayer(layer: Layer, faults: string[]): Map<string, unknown> {
  for (const name of layer.unknown) {
    const close = suggestName(name, layer.known);
    const hint = close === undefined ? '' : `did you mean ${close}? `;
    faults.push(
      `${layer.nameOf(name)} is not a key; ${hint}allowed are ${siblings(name, layer.known).join(', ')}`,
    );
  }
  const parsed = new Map<string, unknown>();
  for (const [path, value] of layer.values) {
    const setting = SETTINGS.find((each) => each.path === path);
    const result = setting?.type.parse(value);
    if (setting && result === undefined) {
      faults.push(`${layer.nameOf(path)} is ${JSON.stringify(value)}; it must be ${setting.type.allowed}`);
    }
    parsed.set(path, result);
  }
  return parsed;
}

/** The known names of the same group; all known names if the group has none. */
function siblings(name: string, known: readonly string[]): readonly string[] {
  const group = name.slice(0, name.lastIndexOf('.') + 1);
  const inGroup = known.filter((each) => each.startsWith(group));
  return inGroup.length > 0 ? inGroup : known;
}

/** The shortest lifetime of a managed CA, in milliseconds. */
const SHORTEST_LIFETIME = 30_000;

const LOOPBACK = /^http:\/\/(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d{1,5})?$/;

/** Milliseconds between two lists of the region's caches: the vendor throttles an account that asks more often. */
const SHORTEST_POLL = 1000;

/** Finds invalid combinations of values, and well-formed values that make no sense. */
export function validateTogether(values: ReadonlyMap<string, unknown>, faults: string[]): void {
  const isSet = (path: string): boolean => values.get(path) !== '';
  const maxStaleness = values.get('maxStaleness');
  if (values.get('source') === 'kubernetes' && typeof maxStaleness === 'number' && maxStaleness < 3000) {
    faults.push(
      `maxStaleness is ${maxStaleness} ms; with source kubernetes it must be at least 3s, because a watch cannot be shorter than a second`,
    );
  }
  if (isSet('tls.cert') !== isSet('tls.key'))
    faults.push('tls.cert and tls.key go together: give both, or neither');
  const given = ['tls.cert', 'tls.selfSigned', 'tls.managed.secret'].filter(isSet);
  if (given.length > 1) faults.push(`${given.join(' and ')} cannot be combined: give one of them`);
  if (!isSet('tls.clientCa') && values.get('tls.clientNames')?.toString() !== '')
    faults.push('tls.clientNames needs tls.clientCa: without a CA any client could claim any name');
  validateRegion(values, faults);
  const leaseDuration = values.get('controller.leaseDuration');
  if (typeof leaseDuration === 'number' && (leaseDuration < 1000 || leaseDuration % 1000 !== 0))
    faults.push(`controller.leaseDuration is ${leaseDuration} ms; it must be whole seconds, at least one`);
  const lifetime = values.get('tls.managed.lifetime');
  if (typeof lifetime === 'number' && lifetime < SHORTEST_LIFETIME)
    faults.push(
      `tls.managed.lifetime is ${lifetime} ms; it must be at least 30s, because certificates count in seconds`,
    );
}

function validateRegion(values: ReadonlyMap<string, unknown>, faults: string[]): void {
  if (values.get('region.api') === true && values.get('region.name') === '')
    faults.push("region.api needs region.name: ECI's API has an address for each region");
  if (values.get('controller.snapshotCopies') === true && values.get('region.api') !== true)
    faults.push("controller.snapshotCopies needs region.api: only ECI's API can make them");
  const endpoint = values.get('region.endpoint');
  if (typeof endpoint === 'string' && endpoint.startsWith('http://') && !LOOPBACK.test(endpoint))
    faults.push(
      `region.endpoint is ${endpoint}; http:// is for a stand-in on the loopback interface alone, because calls carry credentials`,
    );
  const pollInterval = values.get('region.pollInterval');
  const regionStaleness = values.get('region.maxStaleness');
  if (typeof pollInterval === 'number' && pollInterval < SHORTEST_POLL)
    faults.push(`region.pollInterval is ${pollInterval} ms; it must be at least 1s`);
  if (Number(regionStaleness) < 2 * Number(pollInterval))
    faults.push(
      'region.maxStaleness must be at least twice region.pollInterval, or one late answer makes the list stale',
    );
}

/** Flattens the nested object of a file into paths. */
export function flatten(value: unknown, prefix = ''): { values: Map<string, unknown>; unknown: string[] } {
  const values = new Map<string, unknown>();
  const unknown: string[] = [];
  for (const [key, item] of isObject(value) ? Object.entries(value) : []) {
    const path = prefix + key;
    const setting = settingOf(path);
    if (isGroup(path) && isObject(item)) {
      const inner = flatten(item, `${path}.`);
      for (const [innerPath, innerItem] of inner.values) values.set(innerPath, innerItem);
      unknown.push(...inner.unknown);
    } else if (setting) values.set(setting.path, item);
    else unknown.push(path);
  }
  return { values, unknown };
}

function isGroup(path: string): boolean {
  return SETTINGS.some((setting: Setting) => setting.path.startsWith(`${path}.`));
}
