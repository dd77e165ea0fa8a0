/** The rules of advice about annotations: those that nobody reads, that mean nothing, or that contradict each other. */
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
import { isBoolean } from '../decision/request.ts';
import { MAX_CACHE_IMAGES } from '../image-cache.ts';
import { quote } from '../kubernetes/problem.ts';
import { annotationField } from '../workload/pod-fields.ts';
import type { PodContext, WorkloadContext } from './context.ts';
import type { Complaint } from './finding.ts';

/** The annotations of a pod that have to do with image caches. */
export const POD_KEYS: readonly string[] = [...REQUEST_KEYS, EXTRA_STORAGE, STORAGE_OPTIONS, WAIT_FOR_CACHE];

export function onWorkload({ kind, ownAnnotations, pods, templates }: WorkloadContext): Complaint[] {
  // Nothing is of use to pods that the webhook leaves alone.
  if (pods.length === 0 && templates > 0) return [];
  return ownAnnotations.flatMap(({ path, annotations }) =>
    POD_KEYS.filter((key) => annotations.has(key)).map((key): Complaint => {
      const isOnPods =
        pods.length > 0 && pods.every(({ pod }) => pod.annotations.get(key) === annotations.get(key));
      return {
        field: annotationField(path, key),
        why: `does nothing on a ${kind.called ?? kind.kind}, only on its pods`,
        instead: isOnPods ? 'remove it here' : `write it to ${podMetadata(pods, path)}`,
        ...(isOnPods && { severity: 'note' }),
      };
    }),
  );
}

/** Where the annotations of the pods stand: of those that are next to the metadata with this path. */
function podMetadata(pods: readonly PodContext[], path: string): string {
  const beside = path.replace(/metadata\.annotations$/, '');
  const places = pods.map(({ fields }) => fields.annotations);
  const [place, ...others] = new Set(
    beside === '' ? places : places.filter((each) => each.startsWith(beside)),
  );
  if (place === undefined) return 'the metadata of its pods';
  return others.length === 0 ? place : `the metadata of its pods, such as ${place}`;
}

export function malformed({ malformed: all, fields, options }: PodContext): Complaint[] {
  const isDenied = options.onInvalidAnnotation === 'deny';
  return all.map(({ key, text, allowed }) => ({
    field: fields.annotation(key),
    why: `${quote(text)} ${isDenied ? 'is invalid, and the pod is denied' : 'is ignored'}`,
    instead: `write ${allowed}`,
  }));
}

export function unreadable({ decision: { why }, fields, unreadable: path }: PodContext): Complaint[] {
  // Whatever else is wrong with a pod is not ours to say.
  if (path === undefined || !POD_KEYS.some((key) => path.includes(key))) return [];
  return [{ field: fields.annotations, why, instead: 'until then the webhook leaves such a pod alone' }];
}

export function encryptedBesideCache({ decision, fields }: PodContext): Complaint[] {
  const { request, reason } = decision;
  const wantsCache = request?.pin !== undefined || (reason === 'Encrypted' && request?.autoKey !== undefined);
  if (request?.encrypted !== true || !wantsCache || (request.pin === undefined && !request.auto)) return [];
  return [
    {
      field: fields.annotation(STORAGE_OPTIONS),
      why: 'a pod that starts from an ImageCache is not encrypted',
      instead: 'remove this, or what asks for a cache',
    },
  ];
}

export function legacyNames(context: PodContext): Complaint[] {
  const { pod, fields, kind, options } = context;
  if (options.dialect !== 'modern' || kind.recommendsLegacyNames === true) return [];
  return [PIN, AUTO]
    .filter(({ legacy }) => pod.annotations.has(legacy))
    .map(({ modern, legacy }) => {
      const isDouble = isGiven(context, modern);
      return {
        field: fields.annotation(legacy),
        why: 'is an older name',
        instead: isDouble ? `remove it, as ${modern} is there` : `write ${modern}`,
      };
    });
}

/** The names of a pair that are on the pod with a valid value, the one that wins first. */
function given(context: PodContext, { modern, legacy }: AnnotationPair): string[] {
  return [modern, legacy].filter((key) => isGiven(context, key));
}

function isGiven({ pod, malformed: invalid }: PodContext, key: string): boolean {
  return pod.annotations.has(key) && !invalid.some((each) => each.key === key);
}

export function pinBesideMatching(context: PodContext): Complaint[] {
  const { pod, fields, decision } = context;
  const pin = decision.request?.pinKey;
  if (pin === undefined) return [];
  const isOn = (key: string): boolean => isBoolean(pod.annotations.get(key), true);
  const beside = [
    ...given(context, AUTO).filter(isOn),
    ...[PERFECT_MATCH].filter(isOn),
    ...[MATCH_COUNT].filter((key) => pod.annotations.has(key)),
  ];
  return beside.map((key) => ({
    field: fields.annotation(key),
    why: `asks for automatic matching, but the pin ${pin} wins`,
    instead: 'remove one of the two',
  }));
}

export function perfectBesideCount({ pod, fields }: PodContext): Complaint[] {
  if (!isBoolean(pod.annotations.get(PERFECT_MATCH), true) || !pod.annotations.has(MATCH_COUNT)) return [];
  return [
    {
      field: fields.annotation(MATCH_COUNT),
      why: `does nothing beside ${PERFECT_MATCH}, which asks for all images`,
      instead: 'remove one of the two',
    },
  ];
}

export function namesDisagree(context: PodContext): Complaint[] {
  const { pod, fields } = context;
  return [PIN, AUTO].flatMap((pair): Complaint[] => {
    const { modern, legacy } = pair;
    if (given(context, pair).length < 2) return [];
    const [now, before] = [pod.annotations.get(modern), pod.annotations.get(legacy)];
    const isSame =
      now === before || [true, false].some((value) => isBoolean(now, value) && isBoolean(before, value));
    if (isSame) return [];
    const field = fields.annotation(legacy);
    return [{ field, why: `disagrees with ${modern}, which wins`, instead: 'remove this one' }];
  });
}

export function countAboveImages({ decision, images, fields, kind }: PodContext): Complaint[] {
  const requirement = decision.request?.requirement;
  if (requirement?.kind !== 'count' || !images || decision.request?.pin !== undefined) return [];
  const { addedImages = 0 } = kind;
  const has = images.count + addedImages;
  const most = Math.min(has, MAX_CACHE_IMAGES);
  if (requirement.count <= most) return [];
  const added = addedImages > 0 ? `, ${addedImages} of them its controller's` : '';
  const room = has > most ? `, as a cache holds at most ${MAX_CACHE_IMAGES}` : '';
  return [
    {
      field: fields.annotation(MATCH_COUNT),
      why: `no cache can hold ${requirement.count} of the pod's ${has} images${added}${room}`,
      instead: `write at most "${most}"`,
    },
  ];
}
