/** Writes a decision into the annotations of a pod: the cache ID, the switch for ECI's own matching and the marker. */
import type { Dialect } from './options.ts';
import type { StringMap } from '../kubernetes/json.ts';
import { AUTO, CREATE_ON_MISS, DECISION, PIN, type AnnotationPair } from '../annotations.ts';
import { isBoolean, type Request } from './request.ts';

export interface Writing {
  /** The ID to start from; `'none'` removes a pin that would fail the pod; undefined leaves pins alone. */
  readonly pin: { readonly id: string } | 'none' | undefined;
  /** The value for ECI's own automatic matching; undefined leaves the annotation alone. */
  readonly auto: boolean | undefined;
  /** The hash of the image set that a cache should be made for. */
  readonly createOnMiss: string | undefined;
}

/** The names that each dialect writes. */
const DIALECT_NAMES: Readonly<Record<Dialect, (pair: AnnotationPair) => readonly string[]>> = {
  modern: (pair) => [pair.modern],
  legacy: (pair) => [pair.legacy],
  both: (pair) => [pair.modern, pair.legacy],
};

/**
 * The names to write a value under: those of the dialect, and also the modern name if the pod has it. ECI prefers the
 * modern name, so an old value there would win over a new value under the legacy name.
 */
function namesFor(pair: AnnotationPair, dialect: Dialect, annotations: StringMap): ReadonlySet<string> {
  return new Set([...DIALECT_NAMES[dialect](pair), ...(annotations.has(pair.modern) ? [pair.modern] : [])]);
}

export function writeAnnotations(
  present: StringMap,
  request: Request,
  writing: Writing,
  dialect: Dialect,
): Map<string, string> {
  const annotations = new Map(present);
  // A pin that is removed or replaced is deleted under both names, because ECI would fail the pod for either name.
  const isReplaced =
    writing.pin && writing.pin !== 'none' && ![undefined, writing.pin.id].includes(request.pin);
  if (writing.pin === 'none' || isReplaced) {
    annotations.delete(PIN.modern);
    annotations.delete(PIN.legacy);
  }
  if (writing.pin && writing.pin !== 'none') {
    for (const name of namesFor(PIN, dialect, present)) annotations.set(name, writing.pin.id);
  }
  if (writing.auto !== undefined) writeAuto(annotations, request, writing.auto, dialect);
  if (writing.createOnMiss !== undefined) annotations.set(CREATE_ON_MISS, writing.createOnMiss);
  return annotations;
}

/** Whether all names that a decision would write already say that automatic matching is off. */
export function saysOff(annotations: StringMap, dialect: Dialect): boolean {
  return [...namesFor(AUTO, dialect, annotations)].every((name) => isBoolean(annotations.get(name), false));
}

/** Values that mean the same as absence, to overwrite annotations that a Binding cannot remove. */
const AS_IF_ABSENT: ReadonlyMap<string, string> = new Map([
  [PIN.modern, ''],
  [PIN.legacy, ''],
  [AUTO.modern, 'true'],
  [AUTO.legacy, 'true'],
  [CREATE_ON_MISS, ''],
]);

/**
 * The wanted annotations, and those present annotations that are not wanted, because a Binding cannot remove them; if
 * possible, they get a value that means absence. The caller overwrites the decision annotation afterwards.
 */
export function withoutRemovals(present: StringMap, wanted: StringMap): Map<string, string> {
  const annotations = new Map(wanted);
  for (const [key, value] of present)
    if (!wanted.has(key) && key !== DECISION) annotations.set(key, AS_IF_ABSENT.get(key) ?? value);
  return annotations;
}

/**
 * Writes the switch for ECI's own matching. If no annotation of the pod decides it and matching is on by default, the
 * modern name is left out: ECI's default is on for the modern name and off for the legacy name (docs/domain.md, "Pod
 * annotations").
 */
function writeAuto(
  annotations: Map<string, string>,
  request: Request,
  auto: boolean,
  dialect: Dialect,
): void {
  const impliedByDefault = auto && request.autoKey === undefined;
  for (const name of namesFor(AUTO, dialect, annotations)) {
    if (impliedByDefault && name === AUTO.modern) continue;
    if (!isBoolean(annotations.get(name), auto)) annotations.set(name, String(auto));
  }
}
