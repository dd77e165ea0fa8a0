/**
 * Which tags have moved: what the statuses of pods show of the digests behind their images. A registry is never asked, so that
 * no password is needed (docs/controller.md, "A tag that moved").
 */
import { MATCHED_CACHE } from '../annotations.ts';
import { parseImageReference } from '../image/reference.ts';
import { objectsIn, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { parseTime } from '../kubernetes/time.ts';
import type { OwnCache } from './own-cache.ts';

/** Images, and caches, that are remembered; of an image, the digests that were seen first the latest. */
const MOST = { images: 10_000, caches: 10_000, digests: 4 };

export class Digests {
  /** By image key, when a pod that shows each digest was first started, in milliseconds since 1970. */
  readonly #seen = new Map<string, Map<string, number>>();
  /** By cache ID and image key: the digest that the first pod showed that started from the cache. */
  readonly #held = new Map<string, string>();

  /** @param pod in any state; one that has not pulled its images yet shows nothing */
  note(pod: JsonObject): void {
    const status = partOf(pod, 'status');
    const startedAtMs = parseTime(status['startTime']);
    if (startedAtMs === undefined) return;
    const used = readText(partOf(partOf(pod, 'metadata'), 'annotations')[MATCHED_CACHE]);
    for (const { key, digest } of digestsOf(pod)) {
      const seen = this.#seen.get(key) ?? new Map<string, number>();
      if (!this.#seen.has(key) && this.#seen.size >= MOST.images) continue;
      this.#seen.set(key, seen);
      seen.set(digest, Math.min(seen.get(digest) ?? Infinity, startedAtMs));
      if (seen.size > MOST.digests) seen.delete(firstOf(seen, (a, b) => a < b));
      const place = `${used} ${key}`;
      if (used !== undefined && !this.#held.has(place) && this.#held.size < MOST.caches)
        this.#held.set(place, digest);
    }
  }

  /**
   * The images of a cache, as it pulled them, whose tag has moved: a pod that started later than every pod with the digest of
   * the cache shows another one. Empty if no pod that started from the cache has been seen.
   */
  moved({ id, contents }: OwnCache): string[] {
    return contents.images.flatMap(({ key, text }) => {
      const held = this.#held.get(`${id} ${key}`);
      const seen = this.#seen.get(key);
      if (held === undefined || !seen) return [];
      return firstOf(seen, (a, b) => a > b) === held ? [] : [text];
    });
  }
}

/** The digest whose time is before all others, in the order that is given. */
function firstOf(seen: ReadonlyMap<string, number>, isBefore: (a: number, b: number) => boolean): string {
  let [first = '', at = 0]: readonly [string?, number?] = [...seen][0] ?? [];
  for (const [digest, time] of seen) if (isBefore(time, at)) [first, at] = [digest, time];
  return first;
}

/** What a status shows of images with a tag; an image that is named by digest never moves. */
function digestsOf(pod: JsonObject): { readonly key: string; readonly digest: string }[] {
  const [spec, status] = [partOf(pod, 'spec'), partOf(pod, 'status')];
  const images = new Map<string, string>();
  for (const field of ['initContainers', 'containers'])
    for (const { name, image } of objectsIn(spec[field]))
      if (typeof name === 'string' && typeof image === 'string') images.set(name, image);
  const statuses = ['initContainerStatuses', 'containerStatuses'].flatMap((field) =>
    objectsIn(status[field]),
  );
  return statuses.flatMap(({ name, imageID }) => {
    const reference = parseImageReference(images.get(typeof name === 'string' ? name : '') ?? '');
    // A bare ID is that of the configuration, which is no digest of a registry.
    const [, digest] = /@(sha256:[0-9a-f]{64})$/.exec(readText(imageID) ?? '') ?? [];
    if (!reference || digest === undefined || reference.key.includes('@')) return [];
    return { key: reference.key, digest };
  });
}
