/** How warm the pods that are there started, by any name that they can be told apart by: what was decided, and what ECI did. */
import { objectsIn, partOf, type JsonObject } from '../kubernetes/json.ts';
import { parseImageReference } from '../image/reference.ts';
import { isCounted, isDecidedWarm, recordOf } from '../truth/pod-record.ts';

/** Pods that a webhook decided, or that ECI runs. */
export interface WarmShare {
  /** The namespace, or the image. */
  readonly name: string;
  readonly pods: number;
  /** How many were given a cache with all their images, or pin one. */
  readonly decidedWarm: number;
  /** How many ECI has placed, and how many of these it started from a cache. */
  readonly placed: number;
  readonly startedWarm: number;
}

/** Names that are told apart; pods of further ones are not counted. */
const MOST_NAMES = 10_000;

/** The names with the most pods that were not decided warm first. */
export function sharesBy(
  pods: Iterable<JsonObject>,
  namesOf: (pod: JsonObject) => readonly string[],
): WarmShare[] {
  const byName = new Map<string, Counted>();
  for (const pod of pods) {
    const record = recordOf(pod);
    if (!isCounted(record)) continue;
    for (const name of namesOf(pod)) {
      const counted = byName.get(name) ?? { pods: 0, decidedWarm: 0, placed: 0, startedWarm: 0 };
      if (byName.has(name) || byName.size < MOST_NAMES) byName.set(name, counted);
      counted.pods += 1;
      if (isDecidedWarm(record)) counted.decidedWarm += 1;
      if (record.isPlaced) counted.placed += 1;
      if (record.isPlaced && record.used !== null) counted.startedWarm += 1;
    }
  }
  return Array.from(byName, ([name, counted]) => ({ name, ...counted })).toSorted(
    (a, b) =>
      b.pods - b.decidedWarm - (a.pods - a.decidedWarm) || b.pods - a.pods || (a.name < b.name ? -1 : 1),
  );
}

type Counted = { -readonly [K in keyof Omit<WarmShare, 'name'>]: WarmShare[K] };

/** The distinct images of a pod, normalised. */
export function imagesOf(pod: JsonObject): readonly string[] {
  const spec = partOf(pod, 'spec');
  const images = ['initContainers', 'containers']
    .flatMap((field) => objectsIn(spec[field]))
    .flatMap(({ image }) => (typeof image === 'string' ? (parseImageReference(image)?.key ?? image) : []));
  return [...new Set(images)];
}
