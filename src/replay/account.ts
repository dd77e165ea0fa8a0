/** What a replay counts: how many pods started warm, what was made for it, and what it costs (docs/domain.md, "Money"). */
import { UNPACKED } from '../core/cache-size.ts';
import { GIB } from '../core/kubernetes/quantity.ts';
import { paidDiskGib, pricePerSecond, type Prices } from '../core/decision/break-even.ts';
import type { PodSize } from '../core/kubernetes/pod-requests.ts';
import type { Start } from './eci-region.ts';

export interface ReplayPrices extends Prices {
  /** A snapshot, for a GiB and month of 30 days. */
  readonly snapshotGibMonth: number;
}

/** The instance on which ECI makes a manual cache. */
const MAKER = { cpu: 2, memoryGib: 4 };
const HOUR = 3600;
const MONTH = 30 * 24 * HOUR;

export interface StartedPod {
  readonly start: Start;
  /** Compressed bytes by key, of all its images. */
  readonly images: ReadonlyMap<string, number>;
  readonly size: PodSize;
  /** Seconds. */
  readonly life: number;
}

export interface MadeCache {
  readonly sizeGib: number;
  /** Compressed. */
  readonly imageBytes: number;
  /** Seconds until it was gone, or the replay ended. */
  readonly alive: number;
}

export interface Outcome {
  readonly pods: number;
  /** Pods that started from a cache that holds all, some or none of their images, and pods that ECI refused to run. */
  readonly warm: number;
  readonly partly: number;
  readonly cold: number;
  readonly failed: number;
  /** Seconds of pulling that were saved, of all pods together. */
  readonly secondsSaved: number;
  /** ImageCaches that the controller made, and the most that there were at the same time. */
  readonly made: number;
  readonly mostKept: number;
  /** How many of them were packs. */
  readonly packs: number;
  /** Caches that ECI made by itself. */
  readonly automaticMade: number;
  /** Disks that pods paid for, in GiB and hours. */
  readonly diskGibHours: number;
  readonly cost: { readonly making: number; readonly keeping: number; readonly disks: number };
  /** What the pods would have cost for the seconds saved. */
  readonly worth: number;
}

export class Account {
  readonly #prices: ReplayPrices;
  /** Seconds. */
  readonly #creationTime: number;
  readonly #bytesPerSecond: number;
  readonly #counts = { pods: 0, warm: 0, partly: 0, cold: 0, failed: 0 };
  #secondsSaved = 0;
  #worth = 0;
  #diskGibHours = 0;
  #making = 0;
  #keeping = 0;
  #made = 0;

  constructor(prices: ReplayPrices, creationTime: number, bytesPerSecond: number) {
    this.#prices = prices;
    this.#creationTime = creationTime;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** @returns seconds that the pod pulls */
  pod({ start, images, size, life }: StartedPod): number {
    const seconds = (keys: Iterable<string>): number => {
      let bytes = 0;
      for (const key of keys) bytes += images.get(key) ?? 0;
      return bytes / this.#bytesPerSecond;
    };
    this.#counts.pods += 1;
    this.#counts[warmthOf(start, images.size)] += 1;
    const saved = seconds(start.held);
    const paidGib = paidDiskGib(start.sizeGib, start.from !== 'manual');
    this.#secondsSaved += saved;
    this.#worth += saved * pricePerSecond(size, this.#prices);
    this.#diskGibHours += (paidGib * life) / HOUR;
    return seconds(images.keys()) - saved;
  }

  cache({ sizeGib, imageBytes, alive }: MadeCache): void {
    const { diskGibHour, snapshotGibMonth } = this.#prices;
    const hours = this.#creationTime / HOUR;
    this.#made += 1;
    this.#making += this.#creationTime * pricePerSecond(MAKER, this.#prices) + sizeGib * hours * diskGibHour;
    this.#keeping += ((imageBytes * UNPACKED) / GIB) * (alive / MONTH) * snapshotGibMonth;
  }

  outcome(counted: Pick<Outcome, 'mostKept' | 'packs' | 'automaticMade'>): Outcome {
    return {
      ...this.#counts,
      ...counted,
      secondsSaved: this.#secondsSaved,
      made: this.#made,
      diskGibHours: this.#diskGibHours,
      cost: {
        making: this.#making,
        keeping: this.#keeping,
        disks: this.#diskGibHours * this.#prices.diskGibHour,
      },
      worth: this.#worth,
    };
  }
}

function warmthOf({ from, held }: Start, images: number): 'warm' | 'partly' | 'cold' | 'failed' {
  if (from === 'failed') return 'failed';
  if (held.size === images) return 'warm';
  return held.size === 0 ? 'cold' : 'partly';
}
