/**
 * What a decision writes into the pod: the cache ID, the request and the marker, under the names of the dialect.
 * Everything else is left as it was.
 */
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
 * The names to write a value under: those of the dialect, and the modern name if the pod has it, because ECI would
 * prefer its old value to the new one under a legacy name.
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
  if (writing.pin === 'none') {
    annotations.delete(PIN.modern);
    annotations.delete(PIN.legacy);
  } else if (writing.pin) {
    for (const name of namesFor(PIN, dialect, present)) annotations.set(name, writing.pin.id);
  }
  if (writing.auto !== undefined) writeAuto(annotations, request, writing.auto, dialect);
  if (writing.createOnMiss !== undefined) annotations.set(CREATE_ON_MISS, writing.createOnMiss);
  return annotations;
}

/** A Binding cannot remove annotations. These values mean the same as absence. */
const AS_IF_ABSENT: ReadonlyMap<string, string> = new Map([
  [PIN.modern, ''],
  [PIN.legacy, ''],
  [AUTO.modern, 'true'],
  [AUTO.legacy, 'true'],
  [CREATE_ON_MISS, ''],
]);

/**
 * The wanted annotations, with none of the present ones removed, because a Binding can only add and overwrite. The
 * decision annotation is written afterwards, over the present one.
 */
export function withoutRemovals(present: StringMap, wanted: StringMap): Map<string, string> {
  const annotations = new Map(wanted);
  for (const [key, value] of present)
    if (!wanted.has(key) && key !== DECISION) annotations.set(key, AS_IF_ABSENT.get(key) ?? value);
  return annotations;
}

/**
 * If nobody asked and matching is on by default, only the legacy name has to be written: ECI's default for it is off,
 * and for the modern name on (docs/domain.md, "Pod annotations").
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
