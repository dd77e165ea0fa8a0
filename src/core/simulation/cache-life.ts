/**
 * Simulates the life of an ImageCache for clusters without ECI: it gets an ID, is prepared, is made step by step, and
 * becomes Ready or fails, each with an event; later it expires. The next state follows from the object and the time
 * alone, so that the simulator may be stopped and started at any time (docs/domain.md, "Phases").
 */
import { FLASH, LEGACY_REUSE, RETENTION_DAYS, REUSE } from '../annotations.ts';
import { isObject, partOf, readText, textsIn, type JsonObject } from '../kubernetes/json.ts';
import { FAILED, HOPELESS, READY, UPDATING } from '../image-cache.ts';
import { sha256Hex } from '../image/sha256.ts';
import { DAY, formatTime, parseTime } from '../kubernetes/time.ts';

export interface LifeOptions {
  /** How long an ordinary cache takes from when it is first seen until it is Ready, in milliseconds. */
  readonly creationTime: number;
  /** A cache fails if one of its images contains one of these texts. */
  readonly failing: readonly string[];
}

export type NextState =
  /** The status that the cache should have now. */
  | {
      readonly kind: 'status';
      readonly status: JsonObject;
      readonly phase: string;
      readonly progress: string;
    }
  | { readonly kind: 'expired' };

/** The creation time of an instant cache, and of a cache with reuse, as shares of an ordinary cache's. */
const SHARE = { flash: 0.1, reuse: 0.5 };
/** When preparation ends, and when a failing cache fails, as shares of the cache's creation time. */
const PREPARED_AT = 0.1;
const FAILS_AT = 0.5;
/** Progress grows in steps of this many per cent, so that not every poll writes. */
const PROGRESS_STEP = 10;

/**
 * The change that is due; undefined if none is.
 * @param now milliseconds since 1970
 */
export function nextState(object: JsonObject, options: LifeOptions, now: number): NextState | undefined {
  const status = partOf(object, 'status');
  if ((parseTime(status['expireDateTime']) ?? Infinity) <= now) return { kind: 'expired' };
  const phase = readText(status['phase']) ?? '';
  if (phase === READY || HOPELESS.has(phase)) return undefined;

  const startTime = readText(status['startTime']) ?? formatTime(now);
  const elapsed = (now - Date.parse(startTime)) / creationTimeOf(object, options);
  const stage = stageAt(elapsed, failingImage(object, options.failing));
  const next = phase === UPDATING ? ofUpdate(stage) : stage;
  if (next.phase === phase && next.progress === readText(status['progress'])) return undefined;
  const isNew = next.phase !== phase;
  return {
    kind: 'status',
    ...next,
    status: {
      ...status,
      imageCacheId: readText(status['imageCacheId']) ?? idOf(object),
      phase: next.phase,
      progress: next.progress,
      startTime,
      ...(isNew && { lastUpdatedTime: formatTime(now), events: withEvent(status['events'], next, now) }),
      ...expiryOf(object, next.phase, now),
    },
  };
}

function ofUpdate(stage: Stage): Stage {
  if (stage.phase === READY) return stage;
  return { ...stage, phase: stage.phase === FAILED ? 'UpdateFailed' : UPDATING };
}

interface Stage {
  readonly phase: string;
  readonly progress: string;
  readonly message: string;
}

/** @param elapsed the share of this cache's creation time that has passed; at 1 the cache is done */
function stageAt(elapsed: number, failing: string | undefined): Stage {
  if (failing !== undefined && elapsed >= FAILS_AT)
    return { phase: FAILED, progress: '0%', message: `image ${failing} cannot be pulled` };
  if (elapsed >= 1) return { phase: READY, progress: '100%', message: 'the image cache can be used' };
  if (elapsed < PREPARED_AT)
    return { phase: 'Preparing', progress: '0%', message: 'a temporary instance is made' };
  const percent = Math.floor((elapsed * 100) / PROGRESS_STEP) * PROGRESS_STEP;
  return { phase: 'Creating', progress: `${percent}%`, message: 'the images are pulled' };
}

/** How long this cache takes to be made, in milliseconds. */
export function creationTimeOf(object: JsonObject, { creationTime }: LifeOptions): number {
  const annotations = partOf(partOf(object, 'metadata'), 'annotations');
  if (annotations[FLASH] === 'true') return creationTime * SHARE.flash;
  const reuses = annotations[REUSE] === 'true' || annotations[LEGACY_REUSE] === 'true';
  return reuses ? creationTime * SHARE.reuse : creationTime;
}

function failingImage(object: JsonObject, failing: readonly string[]): string | undefined {
  const images = textsIn(partOf(object, 'spec')['images']);
  return images.find((image) => failing.some((text) => image.includes(text)));
}

/** The status field that says when the cache expires: a day after it failed, or after its retention days. */
function expiryOf(object: JsonObject, phase: string, now: number): JsonObject {
  if (phase === FAILED) return { expireDateTime: formatTime(now + DAY) };
  const annotations = partOf(partOf(object, 'metadata'), 'annotations');
  const stated = [partOf(object, 'spec')['retentionDays'], annotations[RETENTION_DAYS]].map(Number);
  const days = Math.min(...stated.filter((each) => each > 0));
  return phase === READY && days < Infinity ? { expireDateTime: formatTime(now + days * DAY) } : {};
}

function idOf(object: JsonObject): string {
  const { name, uid } = partOf(object, 'metadata');
  return `imc-${sha256Hex(`${readText(name) ?? ''} ${readText(uid) ?? ''}`).slice(0, 20)}`;
}

/** Events in the form of Kubernetes' Events; the newest fifty are kept. */
function withEvent(events: unknown, { phase, message }: Stage, now: number): unknown[] {
  const former: readonly unknown[] = Array.isArray(events) ? events : [];
  const event = {
    type: phase === FAILED ? 'Warning' : 'Normal',
    reason: phase,
    message,
    firstTimestamp: formatTime(now),
    lastTimestamp: formatTime(now),
    count: 1,
  };
  // By time and not by place, because ECI may have written them in another order. A time that cannot be read is oldest.
  return [...former, event].toSorted((a, b) => timeOf(a) - timeOf(b)).slice(-50);
}

function timeOf(event: unknown): number {
  return isObject(event) ? (parseTime(event['lastTimestamp']) ?? 0) : 0;
}
