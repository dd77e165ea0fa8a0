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
import { isBoolean, readRequest } from '../decision/request.ts';
import { quote } from '../kubernetes/problem.ts';
import { annotationField } from '../workload/pod-fields.ts';
import type { PodContext, WorkloadContext } from './context.ts';
import type { Complaint } from './finding.ts';

/** The annotations of a pod that have to do with image caches. */
export const POD_KEYS: readonly string[] = [...REQUEST_KEYS, EXTRA_STORAGE, STORAGE_OPTIONS, WAIT_FOR_CACHE];

export function onWorkload({ kind, ownAnnotations, pods }: WorkloadContext): Complaint[] {
  const [first] = pods;
  if (!first) return [];
  return ownAnnotations.flatMap(({ path, annotations }) =>
    POD_KEYS.filter((key) => annotations.has(key)).map((key): Complaint => {
      const isOnPods = pods.every(({ pod }) => pod.annotations.get(key) === annotations.get(key));
      return {
        field: annotationField(path, key),
        why: `does nothing on a ${kind.called ?? kind.kind}, only on its pods`,
        instead: isOnPods ? 'remove it here' : `write it to ${first.fields.annotations}`,
        ...(isOnPods && { severity: 'note' }),
      };
    }),
  );
}

export function malformed({ pod, fields }: PodContext): Complaint[] {
  return readRequest(pod.annotations, true, 0).malformed.map(({ key, text, allowed }) => ({
    field: fields.annotation(key),
    why: `${quote(text)} is ignored`,
    instead: `write ${allowed}`,
  }));
}

export function legacyNames({ pod, fields, kind, options }: PodContext): Complaint[] {
  if (options.dialect !== 'modern' || kind.recommendsLegacyNames === true) return [];
  return [PIN, AUTO]
    .filter(({ legacy }) => pod.annotations.has(legacy))
    .map(({ modern, legacy }) => ({
      field: fields.annotation(legacy),
      why: 'is an older name',
      instead: pod.annotations.has(modern) ? `remove it, as ${modern} is there` : `write ${modern}`,
    }));
}

/** The names of a pair that are on the pod, the one that wins first. */
function given({ pod }: PodContext, { modern, legacy }: AnnotationPair): string[] {
  return [modern, legacy].filter((key) => pod.annotations.has(key));
}

export function pinBesideMatching(context: PodContext): Complaint[] {
  const { pod, fields, decision } = context;
  const [pin] = given(context, PIN);
  // A malformed pin counts as absent.
  if (pin === undefined || decision.request?.pin === undefined) return [];
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
  return [PIN, AUTO].flatMap(({ modern, legacy }): Complaint[] => {
    const [now, before] = [pod.annotations.get(modern), pod.annotations.get(legacy)];
    if (now === undefined || before === undefined || now === before) return [];
    const isSame = [true, false].some((value) => isBoolean(now, value) && isBoolean(before, value));
    if (isSame) return [];
    const field = fields.annotation(legacy);
    return [{ field, why: `disagrees with ${modern}, which wins`, instead: 'remove this one' }];
  });
}

export function countAboveImages({ decision, images, fields, kind }: PodContext): Complaint[] {
  const requirement = decision.request?.requirement;
  if (requirement?.kind !== 'count' || !images || decision.request?.pin !== undefined) return [];
  const { addedImages = 0 } = kind;
  const most = images.count + addedImages;
  if (requirement.count <= most) return [];
  const added = addedImages > 0 ? `, ${addedImages} of them its controller's` : '';
  return [
    {
      field: fields.annotation(MATCH_COUNT),
      why: `no cache can hold ${requirement.count} of the pod's ${most} images${added}`,
      instead: `write at most "${most}"`,
    },
  ];
}
