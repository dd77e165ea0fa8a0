/** A bin of a packing: the union of some items, within limits. For ImageCaches, an item is what one pod needs. */

export interface Item {
  /** Numbers of images, distinct. */
  readonly images: readonly number[];
  /** Numbers of pull secrets, distinct. */
  readonly secrets: readonly number[];
  /** GiB: its pods can use no larger cache. */
  readonly capGib: number;
  /** How much it counts that the set is served. */
  readonly weight: number;
}

export interface Limits {
  readonly images: number;
  readonly secrets: number;
  /** GiB that an image needs, by its number. */
  readonly gibOf: (image: number) => number;
  /** GiB that a bin with this image has at least. */
  readonly leastGibWith: (image: number) => number;
}

/** A packing of items, by their numbers; each item is in one bin at most. */
export type Bins = readonly (readonly number[])[];

/** A cache in the making: the union of its items. */
export class Bin {
  readonly items: number[] = [];
  readonly images = new Set<number>();
  readonly secrets = new Set<number>();
  capGib = Infinity;
  readonly #limits: Limits;
  #gib = 0;
  #leastGib = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The whole GiB that its images need. */
  get sizeGib(): number {
    return Math.max(Math.ceil(this.#gib), this.#leastGib);
  }

  /** How many images the item would add; undefined if it does not fit. */
  cost({ images, secrets, capGib }: Item): number | undefined {
    const { images: mostImages, secrets: mostSecrets, gibOf, leastGibWith } = this.#limits;
    let [added, gib, least] = [0, this.#gib, this.#leastGib];
    for (const image of images) {
      if (this.images.has(image)) continue;
      added += 1;
      gib += gibOf(image);
      least = Math.max(least, leastGibWith(image));
    }
    if (this.images.size + added > mostImages) return undefined;
    if (Math.max(Math.ceil(gib), least) > Math.min(this.capGib, capGib)) return undefined;
    let addedSecrets = 0;
    for (const secret of secrets) if (!this.secrets.has(secret)) addedSecrets += 1;
    return this.secrets.size + addedSecrets > mostSecrets ? undefined : added;
  }

  add(i: number, { images, secrets, capGib }: Item): void {
    this.items.push(i);
    for (const image of images) {
      if (this.images.has(image)) continue;
      this.images.add(image);
      this.#gib += this.#limits.gibOf(image);
      this.#leastGib = Math.max(this.#leastGib, this.#limits.leastGibWith(image));
    }
    for (const secret of secrets) this.secrets.add(secret);
    this.capGib = Math.min(this.capGib, capGib);
  }
}

export function weightOf(bin: readonly number[], items: readonly Item[]): number {
  return bin.reduce((sum, i) => sum + items[i]!.weight, 0);
}

export function servedBy(bins: Bins, items: readonly Item[]): number {
  return bins.reduce((sum, bin) => sum + weightOf(bin, items), 0);
}
