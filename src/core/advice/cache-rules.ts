/** The rules of advice about caches: the one that is pinned, those that could serve the pod, and what they cost. */
import { AUTO, EXTRA_STORAGE, PIN } from '../annotations.ts';
import { breakEvenSeconds } from '../decision/break-even.ts';
import type { Refusal } from '../decision/match/filters.ts';
import { templateOf } from '../decision/pod-life.ts';
import { containersThatPullAnyway, pullsAlways } from '../decision/pull-policy.ts';
import { DEFAULT_STORAGE_BYTES } from '../decision/request.ts';
import type { PodImages } from '../image/image-set.ts';
import { HOPELESS, MAX_CACHE_IMAGES, type ImageCache } from '../image-cache.ts';
import { GIB } from '../kubernetes/quantity.ts';
import { quote } from '../kubernetes/problem.ts';
import { formatSeconds } from '../kubernetes/time.ts';
import { PLACEHOLDER } from '../workload/argo.ts';
import type { PodContext } from './context.ts';
import type { Complaint } from './finding.ts';

/** Images that a message names; it counts the others. */
const MOST_NAMED = 2;
/** Characters of a name in a message. */
const LONGEST_NAME = 50;

/** Where the pin stands; the modern name if a profile adds it. */
function pinField({ fields, decision }: PodContext): string {
  return fields.annotation(decision.request?.pinKey ?? PIN.modern);
}

export function pinUnknown(context: PodContext): Complaint[] {
  const { reason, request } = context.decision;
  if (reason !== 'PinnedUnknown' && reason !== 'ImageCacheNotFound') return [];
  return [
    {
      field: pinField(context),
      why: `no ImageCache here has the ID ${quote(request?.pin ?? '')}; ECI fails the pod if it knows none either`,
      instead: `check the ID, or write ${AUTO.modern}: "true" in its place`,
      ...(reason === 'ImageCacheNotFound' && { severity: 'error' }),
    },
  ];
}

export function pinNotShared(context: PodContext): Complaint[] {
  if (context.decision.reason !== 'NotShared') return [];
  return [
    {
      field: pinField(context),
      why: 'the cache belongs to another namespace, so the pod is denied',
      instead: 'pin one of this namespace, or remove the pin',
    },
  ];
}

export function pinNotReady(context: PodContext): Complaint[] {
  const { decision, options } = context;
  const [refusal] = refusalsOf(context, ['NotReady', 'Expiring', 'BeingDeleted']);
  if (!refusal) return [];
  const isReplaced = options.pin.notReady === 'auto';
  const mayBecomeReady = refusal.code === 'NotReady' && !HOPELESS.has(decision.cache?.phase ?? '');
  return [
    {
      field: pinField(context),
      why: `the pinned cache ${refusal.message}, and ${isReplaced ? 'is replaced by automatic matching' : 'ECI fails such a pod'}`,
      instead: `${mayBecomeReady ? 'wait until it is Ready' : 'pin another'}, or write ${AUTO.modern}: "true" in its place`,
      ...(isReplaced && { severity: 'warning' }),
    },
  ];
}

export function pinElsewhere(context: PodContext): Complaint[] {
  const refusals = refusalsOf(context, [
    'OtherArchitecture',
    'OtherOperatingSystem',
    'OtherRegion',
    'OtherRegistry',
  ]);
  if (refusals.length === 0) return [];
  return [
    {
      field: pinField(context),
      why: `the pinned cache ${refusals.map(({ message }) => message).join(', and ')}`,
      instead: 'pin a cache that is made for such pods, or remove the pin',
    },
  ];
}

function refusalsOf({ decision }: PodContext, codes: readonly Refusal['code'][]): readonly Refusal[] {
  return (decision.pinRefusals ?? []).filter(({ code }) => codes.includes(code));
}

export function pullAlways({ pod, decision, images, fields, options }: PodContext): Complaint[] {
  const { cache, createOnMiss } = decision;
  if (!images || options.pullPolicy !== 'warn') return [];
  const pulling = pod.containers.filter((container) => pullsAlways(container, images));
  // A cache that is still to be made will hold all images.
  const wasted = cache ? containersThatPullAnyway(pulling, cache, images) : createOnMiss ? pulling : [];
  return wasted.map(({ pointer, image }) => {
    // The API server writes the default into a workload before it asks for advice.
    const isLatest = images.referenceOf(image)?.tag === 'latest';
    return {
      field: fields.pullPolicy(pointer),
      why: `Always${isLatest ? ', the default for the tag latest,' : ''} asks the registry at each start, and pulls what changed, though ${cache ? 'the cache holds' : 'a cache will hold'} the image`,
      instead: `write IfNotPresent${isLatest ? ', and a tag that does not move' : ''}`,
    };
  });
}

export function tooManyImages({ images, decision, fields }: PodContext): Complaint[] {
  const isTooLarge = decision.reason === 'TooManyImages';
  if (!isTooLarge && (images?.count ?? 0) <= MAX_CACHE_IMAGES) return [];
  return [
    {
      field: fields.containers,
      why: `the pod has ${isTooLarge ? 'far' : `${images?.count} distinct images,`} more than the ${MAX_CACHE_IMAGES} that an image cache can hold`,
      instead: 'some are pulled at each start: use fewer images, or several pods',
    },
  ];
}

export function invalidImages({ images, pod, fields }: PodContext): Complaint[] {
  const invalid = images?.invalid.filter((text) => !text.includes(PLACEHOLDER)) ?? [];
  return invalid.map((text) => {
    const container = pod.containers.find(({ image }) => image === text);
    return {
      field: container ? fields.image(container.pointer) : `${fields.spec}.volumes`,
      why: `${quote(text)} is no valid image reference, and no cache can hold it`,
      instead: 'write it as registry/repository:tag',
    };
  });
}

/** The images that neither the pinned cache nor any other holds, and that nobody is asked to make one for. */
export function imageInNoCache(context: PodContext): Complaint[] {
  const { decision, images } = context;
  // No cache can hold all of such a pod's images, and other rules say so.
  if (!images || images.invalid.length > 0 || images.count > MAX_CACHE_IMAGES) return [];
  return decision.outcome === 'pinned' ? lackingInPin(context, images) : lackingEverywhere(context, images);
}

function lackingInPin(context: PodContext, images: PodImages): Complaint[] {
  const { cache } = context.decision;
  const lacking = cache ? lackingIn(cache, images) : [];
  if (lacking.length === 0) return [];
  return [
    {
      field: pinField(context),
      why: `the pinned cache lacks ${nameSome(lacking)}, pulled at each start`,
      instead: 'add it to the cache, or remove the pin',
    },
  ];
}

function lackingEverywhere({ decision, fields }: PodContext, images: PodImages): Complaint[] {
  const { outcome, reason, createOnMiss, match, request } = decision;
  // ECI itself may find or make a complete one, if the choice is left to it.
  const isMissed = (outcome === 'miss' || reason === 'PartialMatch') && createOnMiss === undefined;
  const isImpossible = request?.requirement.kind === 'count' && request.requirement.count > images.count;
  const lacking = isMissed && !isImpossible ? lackingIn(match?.winner?.cache, images) : [];
  if (lacking.length === 0) return [];
  const who = match?.winner ? 'the best cache lacks' : 'no cache that qualifies holds';
  return [
    {
      field: fields.containers,
      why: `${who} ${nameSome(lacking)}, and nobody is asked to make one`,
      instead: 'make an ImageCache that holds all images',
    },
  ];
}

function lackingIn(cache: ImageCache | undefined, images: PodImages): string[] {
  const held = new Set(cache?.images.map(({ key }) => key));
  return images.references.map(({ key }) => key).filter((key) => !held.has(key));
}

function nameSome(keys: readonly string[]): string {
  const more = keys.length > MOST_NAMED ? ` and ${keys.length - MOST_NAMED} more` : '';
  return `${keys.slice(0, MOST_NAMED).map(shortened).join(', ')}${more}`;
}

/** The end of a reference says most. */
function shortened(text: string): string {
  return text.length <= LONGEST_NAME ? text : `...${text.slice(-LONGEST_NAME + 3)}`;
}

export function storageTooSmall(context: PodContext): Complaint[] {
  const { request } = context.decision;
  const cache = tooLargeCache(context);
  if (!request || !cache) return [];
  const extra = gibOf(cache.sizeBytes - DEFAULT_STORAGE_BYTES);
  return [
    {
      field: context.fields.annotation(EXTRA_STORAGE),
      why: `ImageCache ${shortened(cache.name)} is ${gibOf(cache.sizeBytes)}Gi, the pod's storage ${gibOf(request.storageBytes)}Gi`,
      instead: `write "${extra}Gi"`,
    },
  ];
}

/** Whole GiB, rounded up. */
function gibOf(bytes: number): number {
  return Math.ceil(bytes / GIB);
}

/** The pinned cache, or one that holds all images, if the pod has too little storage for it. */
function tooLargeCache({ decision, images }: PodContext): ImageCache | undefined {
  const { outcome, cache, match, pinRefusals = [] } = decision;
  if (pinRefusals.some(({ code }) => code === 'TooLarge')) return cache;
  if (outcome === 'hit') return undefined;
  return match?.verdicts.find(
    ({ refusal, degree }) => refusal?.code === 'TooLarge' && degree.exact === images?.count,
  )?.cache;
}

export function costsMoreThanItSaves(context: PodContext): Complaint[] {
  const { pod, decision, images, view, options, fields } = context;
  const life = view.podLife(templateOf(pod));
  // An automatic cache of ECI costs nothing, and has no object.
  const { cache: cacheObject } = decision;
  const isPaid = cacheObject !== undefined || decision.maker === 'controller';
  if (!life || !images || !isPaid) return [];
  const keys = images.references.map(({ key }) => key);
  const gib = cacheObject && Math.max(gibOf(cacheObject.sizeBytes), 1);
  const breakEven = breakEvenSeconds(life, keys, options, view, gib);
  if (life.seconds < breakEven) return [];
  const isPinned = decision.request?.pin !== undefined;
  return [
    {
      field: isPinned ? pinField(context) : fields.annotation(AUTO.modern),
      why: `such pods live ${formatSeconds(life.seconds)}; the disk of a cache costs more than it saves after ${formatSeconds(breakEven)}`,
      instead: isPinned
        ? 'remove the pin if a slower start is fine'
        : 'write "false" if a slower start is fine',
    },
  ];
}
