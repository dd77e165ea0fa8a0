/**
 * Which tags have moved: what the statuses of pods show of the digests behind their images. A registry is never asked, so that
 * no password is needed (docs/controller.md, "A tag that moved").
 */
import { MATCHED_CACHE } from '../annotations.ts';
import { parseImageReference } from '../image/reference.ts';
import { objectsIn, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { parseTime } from '../kubernetes/time.ts';
import { Memory } from '../memoize.ts';
import type { OwnCache } from './own-cache.ts';

/** Images, and images of caches, that are remembered at least: the latest; at most twice as many. */
const MOST = 10_000;

interface Shown {
  readonly key: string;
  readonly digest: string;
  /** Whether the kubelet asks the registry each time the container starts. */
  readonly isPulled: boolean;
}

export class Digests {
  /** By image key: the digest that the registry last gave to a pod, and when that pod was started. */
  readonly #current = new Memory<{ readonly digest: string; readonly atMs: number }>(MOST);
  /** By cache ID and image key: the digest that the cache holds. */
  readonly #held = new Memory<string>(MOST);

  /** @param pod in any state; one that has not pulled its images yet shows nothing */
  note(pod: JsonObject): void {
    const atMs = parseTime(partOf(pod, 'status')['startTime']);
    if (atMs === undefined) return;
    const used = readText(partOf(partOf(pod, 'metadata'), 'annotations')[MATCHED_CACHE]);
    for (const { key, digest, isPulled } of digestsOf(pod)) {
      // What a pod took from a cache says what the cache holds, and nothing about the registry.
      if (used !== undefined && !isPulled) this.#held.set(`${used} ${key}`, digest);
      else if ((this.#current.get(key)?.atMs ?? 0) <= atMs) this.#current.set(key, { digest, atMs });
    }
  }

  /**
   * The images of a cache, as it pulled them, whose tag has moved: since the cache was made, the registry gave another digest
   * than pods took from the cache. Empty if no pod has shown both.
   */
  moved({ id, contents, createdAtMs }: OwnCache): string[] {
    return contents.images.flatMap(({ key, text }) => {
      const held = this.#held.get(`${id} ${key}`);
      const current = this.#current.get(key);
      const hasMoved = held !== undefined && current && current.atMs > createdAtMs && current.digest !== held;
      return hasMoved ? [text] : [];
    });
  }
}

/** What a status shows of images with a tag; an image that is named by digest never moves. */
function digestsOf(pod: JsonObject): Shown[] {
  const [spec, status] = [partOf(pod, 'spec'), partOf(pod, 'status')];
  const containers = new Map<string, JsonObject>();
  for (const field of ['initContainers', 'containers'])
    for (const container of objectsIn(spec[field])) containers.set(String(container['name']), container);
  const statuses = ['initContainerStatuses', 'containerStatuses'].flatMap((field) =>
    objectsIn(status[field]),
  );
  return statuses.flatMap(({ name, imageID }) => {
    const { image, imagePullPolicy } = containers.get(String(name)) ?? {};
    const reference = parseImageReference(readText(image) ?? '');
    // A bare ID is that of the configuration, which is no digest of a registry.
    const [, digest] = /@(sha256:[0-9a-f]{64})$/.exec(readText(imageID) ?? '') ?? [];
    if (!reference || digest === undefined || reference.key.includes('@')) return [];
    return { key: reference.key, digest, isPulled: imagePullPolicy === 'Always' };
  });
}
