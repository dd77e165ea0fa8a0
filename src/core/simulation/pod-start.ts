/**
 * What ECI reads from a pod that it starts, and what it writes on it afterwards (docs/region.md, "Ground truth"). Reads the
 * annotations by itself, without the webhook's request, so that a mistake there shows.
 */
import {
  AUTO,
  ECI_INSTANCE,
  EXTRA_STORAGE,
  MATCH_COUNT,
  MATCHED_CACHE,
  PERFECT_MATCH,
  PIN,
} from '../annotations.ts';
import { partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { ephemeralStorageRequest } from '../kubernetes/pod-requests.ts';
import { GIB, parseBytes } from '../kubernetes/quantity.ts';
import { readPod } from '../pod.ts';
import { instanceIdOf, type Start, type Started } from './region.ts';

/** GiB of temporary storage that every ECI instance has. */
const STORAGE_GIB = 30;
/** Go's spellings of false. */
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'False', 'FALSE']);
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'True', 'TRUE']);

/** @throws Unreadable */
export function startOf(object: JsonObject): Start {
  const { name, annotations, containers, nodeSelector, operatingSystem } = readPod(object, undefined);
  const auto = annotations.get(AUTO.modern) ?? annotations.get(AUTO.legacy) ?? '';
  const count = annotations.get(MATCH_COUNT) ?? '';
  const extraGiB = (parseBytes(annotations.get(EXTRA_STORAGE) ?? '0') ?? 0) / GIB;
  const requestedGiB = ephemeralStorageRequest(partOf(object, 'spec')) / GIB;
  return {
    name,
    uid: readText(partOf(object, 'metadata')['uid']) ?? '',
    images: containers.map(({ image }) => image),
    pin: readText(annotations.get(PIN.modern)) ?? readText(annotations.get(PIN.legacy)),
    auto: !FALSE.has(auto),
    perfect: TRUE.has(annotations.get(PERFECT_MATCH) ?? ''),
    count: /^[1-9]\d{0,3}$/.test(count) ? Number(count) : null,
    storageGiB: Math.max(STORAGE_GIB + extraGiB, requestedGiB),
    extraGiB: Math.max(extraGiB, requestedGiB - STORAGE_GIB, 0),
    architecture: nodeSelector.get('kubernetes.io/arch') ?? 'amd64',
    system: operatingSystem ?? nodeSelector.get('kubernetes.io/os') ?? 'linux',
  };
}

/** The annotations that ECI writes on a pod that it runs; none if it cannot run it. */
export function groundTruth(asked: Start, { cache, runs }: Started): Readonly<Record<string, string>> {
  if (!runs) return {};
  return {
    [ECI_INSTANCE]: instanceIdOf(asked),
    ...(cache && { [MATCHED_CACHE]: cache.id }),
  };
}

export interface PodEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** How long an image of unknown size takes to pull, and how fast one of a known size comes. */
const PULL = { seconds: 10, bytesPerSecond: 7_700_000 };

/**
 * The Events on the pod: ECI's own, and the kubelet's for each container.
 * @param bytesOf the size of an image, if it is known
 */
export function eventsOf(
  asked: Start,
  { events, runs, present }: Started,
  bytesOf: (image: string) => number | undefined,
): PodEvent[] {
  const ofEci = events.map((event): PodEvent => ({ type: runs ? 'Normal' : 'Warning', ...event }));
  if (!runs) return ofEci;
  const pulled = [...new Set(asked.images)].map((image): PodEvent => {
    const bytes = bytesOf(image);
    const seconds = bytes === undefined ? PULL.seconds : bytes / PULL.bytesPerSecond;
    const took = `${seconds.toFixed(3)}s`;
    const message = present.has(image)
      ? `Container image "${image}" already present on machine`
      : `Successfully pulled image "${image}" in ${took} (${took} including waiting)`;
    return { type: 'Normal', reason: 'Pulled', message };
  });
  return [...ofEci, ...pulled];
}
