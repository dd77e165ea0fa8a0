/**
 * Records the use of the controller's ImageCaches in their annotations, for the controller, which deletes idle caches.
 * All replicas together write at most once in ten minutes to each cache: a replica that finds a newer record keeps its
 * hits in memory for later.
 */
import type { Clock } from '../clock.ts';
import { HITS, LAST_USED } from '../core/annotations.ts';
import { messageOf } from '../core/kubernetes/problem.ts';
import { parseTime } from '../core/kubernetes/time.ts';
import { isOwnName } from '../core/controller/desired-cache.ts';

/** The current annotations of an ImageCache. */
export interface RecordedUse {
  readonly annotations: ReadonlyMap<string, string>;
  readonly resourceVersion: string;
}

export interface UsageApi {
  /** @returns undefined if the ImageCache is gone */
  read(name: string): Promise<RecordedUse | undefined>;
  /** @returns false if the ImageCache has changed meanwhile; then nothing is written */
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
  /** Not written before this time, in milliseconds since 1970. */
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

  /** Counts a pod that got this cache; ignores caches of others. Called for every hit, so nothing is written here. */
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
      // The time may be a few minutes late, because the controller counts idle time in days.
      [LAST_USED, new Date(this.#clock.now()).toISOString()],
      [HITS, `${(Number(annotations.get(HITS)) || 0) + hits}`],
    ]);
    if (!(await this.#api.write(name, use, resourceVersion))) return;
    noted.hits -= hits;
    noted.dueAtMs = this.#clock.now() + writeEvery;
  }
}
