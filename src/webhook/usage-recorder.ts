/**
 * Owns the record of which caches of the controller are used: on the ImageCache itself, where whoever retires caches finds
 * it. The webhook notes each hit in memory; now and then what was noted is written, at most once in ten minutes for each
 * cache, whichever replica does it: one that finds a younger record than that keeps what it has for later.
 */
import type { Clock } from '../clock.ts';
import { HITS, LAST_USED } from '../core/annotations.ts';
import { messageOf } from '../core/kubernetes/json.ts';
import { parseTime } from '../core/kubernetes/time.ts';
import { isOwnName } from '../core/controller/desired-cache.ts';

/** An ImageCache's annotations as they are now. */
export interface RecordedUse {
  readonly annotations: ReadonlyMap<string, string>;
  readonly resourceVersion: string;
}

export interface UsageApi {
  /** @returns undefined where there is no such ImageCache any more */
  read(name: string): Promise<RecordedUse | undefined>;
  /** @returns false where it has changed meanwhile; it is left alone then */
  write(name: string, annotations: ReadonlyMap<string, string>, resourceVersion: string): Promise<boolean>;
}

/** Milliseconds. */
export interface UseTiming {
  readonly lookEvery: number;
  /** Between two writes to one cache. */
  readonly writeEvery: number;
}

const TIMING: UseTiming = { lookEvery: 10_000, writeEvery: 600_000 };

interface Noted {
  hits: number;
  /** Not to be written before, in milliseconds since 1970. */
  dueAtMs: number;
}

export class UsageRecorder {
  readonly #api: UsageApi;
  readonly #onProblem: (problem: string) => void;
  readonly #clock: Clock;
  readonly #timing: UseTiming;
  readonly #noted = new Map<string, Noted>();
  readonly #timer: NodeJS.Timeout;
  #writing: Promise<void> | undefined;
  #problem: string | undefined;
  #stopped = false;

  constructor(api: UsageApi, onProblem: (problem: string) => void, clock: Clock, timing = TIMING) {
    this.#api = api;
    this.#onProblem = onProblem;
    this.#clock = clock;
    this.#timing = timing;
    this.#timer = setInterval(() => {
      this.#writing ??= this.#writeWhatIsDue().finally(() => {
        this.#writing = undefined;
      });
    }, timing.lookEvery).unref();
  }

  /** A pod was given the cache of this name. Called for each: it only counts. */
  note(name: string): void {
    const noted = this.#noted.get(name);
    if (noted) noted.hits += 1;
    else if (isOwnName(name)) this.#noted.set(name, { hits: 1, dueAtMs: 0 });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#writing;
  }

  async #writeWhatIsDue(): Promise<void> {
    for (const [name, noted] of this.#noted) {
      if (noted.hits === 0 || this.#clock.now() < noted.dueAtMs) continue;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other, to be gentle with the API server
        await this.#write(name, noted);
        this.#problem = undefined;
      } catch (error) {
        if (this.#stopped) return;
        const problem = `the use of ImageCache ${name} could not be recorded: ${messageOf(error)}`;
        if (this.#problem === undefined) this.#onProblem(problem);
        this.#problem = problem;
        return;
      }
    }
  }

  async #write(name: string, noted: Noted): Promise<void> {
    const { writeEvery } = this.#timing;
    const recorded = await this.#api.read(name);
    if (!recorded) {
      this.#noted.delete(name);
      return;
    }
    const { annotations, resourceVersion } = recorded;
    const lastUsedAtMs = parseTime(annotations.get(LAST_USED)) ?? 0;
    if (this.#clock.now() < lastUsedAtMs + writeEvery) {
      noted.dueAtMs = lastUsedAtMs + writeEvery;
      return;
    }
    const { hits } = noted;
    const use = new Map([
      // A few minutes late, which is nothing where days count; and so it is also when it was last written.
      [LAST_USED, new Date(this.#clock.now()).toISOString()],
      [HITS, `${(Number(annotations.get(HITS)) || 0) + hits}`],
    ]);
    if (!(await this.#api.write(name, use, resourceVersion))) return;
    noted.hits -= hits;
    noted.dueAtMs = this.#clock.now() + writeEvery;
  }
}
