/**
 * Reads the pod's request from its annotations, in this order of precedence (docs/domain.md, "Pod annotations"):
 *
 *   pin      eci-imc-id         >  eci-image-snapshot-id
 *   auto     eci-auto-imc       >  eci-image-cache          >  the default: true for ECI pods
 *   degree   imc-perfect-match: "true"  >  imc-match-count-request: N
 *
 * A pin counts even if `auto` is "false". A malformed value counts as absent. A pod that asks for a
 * degree is matched although nothing says that it goes to ECI, because the vendor's default is true.
 */
import type { Requirement } from './match/filters.ts';
import { GIB, parseBytes } from '../kubernetes/quantity.ts';
import { isObject, type StringMap } from '../kubernetes/json.ts';
import { quote } from '../kubernetes/problem.ts';
import { parseDuration } from '../kubernetes/time.ts';
import {
  AUTO,
  EXTRA_STORAGE,
  MATCH_COUNT,
  PERFECT_MATCH,
  PIN,
  REQUEST_KEYS,
  STORAGE_OPTIONS,
  WAIT_FOR_CACHE,
  type AnnotationPair,
} from '../annotations.ts';

/** The storage that every ECI instance has (docs/domain.md, "Storage"). */
export const DEFAULT_STORAGE_BYTES = 30 * GIB;

/** Milliseconds that a pod may wait for its cache. */
export const LONGEST_WAIT = 600_000;

export interface Request {
  readonly pin: string | undefined;
  /** The annotation that names the pin; undefined if there is none. */
  readonly pinKey: string | undefined;
  /** Whether to match a cache automatically if there is no pin. */
  readonly auto: boolean;
  /** The annotation that decides `auto`; undefined if the default does. */
  readonly autoKey: string | undefined;
  readonly requirement: Requirement;
  /**
   * The storage of the pod's ECI instance: 30 GiB plus the annotation's extra storage, or the ephemeral storage that
   * the containers request if that is more (docs/domain.md, "Storage").
   */
  readonly storageBytes: number;
  /** Whether the pod asks for encrypted temporary storage. */
  readonly encrypted: boolean;
  /** How many milliseconds the pod waits for its cache at most; undefined if it does not ask to wait. */
  readonly waitMs: number | undefined;
}

/** An annotation whose value is ignored, because it is none of those that are allowed. */
export interface MalformedAnnotation {
  readonly key: string;
  readonly text: string;
  /** What is allowed, in words: `"true" or "false"`. */
  readonly allowed: string;
}

export interface RequestReading {
  readonly request: Request;
  readonly malformed: readonly MalformedAnnotation[];
  /** Sentences about annotations that contradict each other. */
  readonly conflicts: readonly string[];
}

/** The spellings of Go's strconv.ParseBool (docs/domain.md, "Pod annotations"). */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
]);

interface AnnotationType<T> {
  readonly parse: (text: string) => T | undefined;
  readonly allowed: string;
}

const BOOLEAN_TEXT: AnnotationType<boolean> = {
  parse: (text) => BOOLEANS.get(text),
  allowed: '"true" or "false"',
};
const CACHE_ID: AnnotationType<string> = {
  parse: (text) => (/^[\x21-\x7e]{1,253}$/.test(text) ? text : undefined),
  allowed: 'the ID of an ImageCache (imc-...), without spaces',
};
const COUNT_TEXT: AnnotationType<number> = {
  parse: (text) => {
    const count = /^\d{1,15}$/.test(text) ? Number(text) : 0;
    return count > 0 ? count : undefined;
  },
  allowed: 'a positive integer, such as "2"',
};
const BYTES: AnnotationType<number> = {
  parse: parseBytes,
  allowed: 'a Kubernetes quantity, such as "50Gi"',
};

const WAIT_TEXT: AnnotationType<number> = {
  parse: (text) => {
    const wait = parseDuration(text) ?? 0;
    return wait > 0 && wait <= LONGEST_WAIT ? wait : undefined;
  },
  allowed: `a duration such as "5m", at most "${LONGEST_WAIT / 60_000}m"`,
};

/** Characters. */
const MAX_STORAGE_OPTIONS = 1000;

/** Reads `{"encrypted":"true"}`: whether the pod asks for encrypted storage. */
const STORAGE_OPTIONS_TEXT: AnnotationType<boolean> = {
  parse: (text) => {
    // A longer text is no options, and would take long to parse.
    if (text.length > MAX_STORAGE_OPTIONS) return undefined;
    try {
      const options: unknown = JSON.parse(text);
      if (!isObject(options)) return undefined;
      const { encrypted = false } = options;
      return typeof encrypted === 'string' || typeof encrypted === 'boolean'
        ? BOOLEANS.get(`${encrypted}`)
        : undefined;
    } catch {
      return undefined;
    }
  },
  allowed: 'a JSON object, such as {"encrypted":"true"}',
};

/** How many milliseconds a pod with our gate may wait: at most LONGEST_WAIT, also if its annotation was changed. */
export function waitOf(annotations: StringMap): number {
  return WAIT_TEXT.parse(annotations.get(WAIT_FOR_CACHE) ?? '') ?? LONGEST_WAIT;
}

/** Whether a text is a spelling of this boolean. */
export function isBoolean(text: string | undefined, value: boolean): boolean {
  return text !== undefined && BOOLEANS.get(text) === value;
}

/** Whether the annotations hold any of the six image-cache annotations. */
export function asksForImageCache(annotations: StringMap): boolean {
  return REQUEST_KEYS.some((key) => annotations.has(key));
}

/**
 * @param boundForEci whether the pod goes to ECI; then automatic matching is on by default
 * @param storageRequestBytes the ephemeral storage that the pod's containers request
 */
export function readRequest(
  annotations: StringMap,
  boundForEci: boolean,
  storageRequestBytes: number,
): RequestReading {
  const malformed: MalformedAnnotation[] = [];
  const conflicts: string[] = [];

  const read = <T>(key: string, type: AnnotationType<T>): T | undefined => {
    const text = annotations.get(key);
    if (text === undefined) return undefined;
    const value = type.parse(text);
    if (value === undefined) malformed.push({ key, text, allowed: type.allowed });
    return value;
  };
  const readPair = <T>(
    pair: AnnotationPair,
    type: AnnotationType<T>,
  ): { value: T | undefined; key: string | undefined } => {
    const modern = read(pair.modern, type);
    const legacy = read(pair.legacy, type);
    if (modern !== undefined && legacy !== undefined && modern !== legacy) {
      conflicts.push(
        `annotations ${pair.modern}: ${quote(String(modern))} and ${pair.legacy}: ${quote(String(legacy))} disagree; ` +
          'the first one wins',
      );
    }
    if (modern !== undefined) return { value: modern, key: pair.modern };
    return { value: legacy, key: legacy === undefined ? undefined : pair.legacy };
  };

  const pin = readPair(PIN, CACHE_ID);
  const auto = readPair(AUTO, BOOLEAN_TEXT);
  const perfect = read(PERFECT_MATCH, BOOLEAN_TEXT);
  const count = read(MATCH_COUNT, COUNT_TEXT);
  const extraBytes = read(EXTRA_STORAGE, BYTES) ?? 0;
  const encrypted = read(STORAGE_OPTIONS, STORAGE_OPTIONS_TEXT) ?? false;
  const requirement = requirementOf(perfect, count);

  return {
    request: {
      pin: pin.value,
      pinKey: pin.key,
      auto: auto.value ?? (boundForEci || requirement.kind !== 'minimum'),
      autoKey: auto.key,
      requirement,
      storageBytes: Math.max(DEFAULT_STORAGE_BYTES + extraBytes, storageRequestBytes),
      encrypted,
      waitMs: read(WAIT_FOR_CACHE, WAIT_TEXT),
    },
    malformed,
    conflicts,
  };
}

export function describeMalformed({ key, text, allowed }: MalformedAnnotation): string {
  return `annotation ${key}: ${quote(text)} is ignored; it must be ${allowed}`;
}

function requirementOf(perfect: boolean | undefined, count: number | undefined): Requirement {
  if (perfect === true) return { kind: 'perfect' };
  return count === undefined ? { kind: 'minimum' } : { kind: 'count', count };
}
