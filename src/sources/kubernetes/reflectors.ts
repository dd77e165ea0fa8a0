/** Runs several reflectors together, and reports their freshness, state and problems. */
import { setMaxListeners } from 'node:events';
import { oldestOf } from '../../core/staleness.ts';
import type { KindStatus } from '../source.ts';
import type { Store } from './list-all.ts';
import type { Reflector } from './reflector.ts';

export interface ReflectedKind {
  readonly reflector: Reflector;
  readonly store: Store;
}

/** Runs reflectors until `stop`, which also ends all requests that use the group's signal. */
export class ReflectorGroup {
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor() {
    // Every request under way adds a listener, and there are as many as pods being bound.
    setMaxListeners(0, this.signal);
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  start(all: readonly Pick<ReflectedKind, 'reflector'>[]): void {
    for (const kind of all) this.run(kind);
  }

  /** @param until ends this reflector before the others */
  run({ reflector }: Pick<ReflectedKind, 'reflector'>, until?: AbortSignal): void {
    const signal = until ? AbortSignal.any([this.signal, until]) : this.signal;
    const running = reflector.run(signal).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }
}

/** The time of the oldest of the kinds' last confirmations; undefined until every kind has been confirmed. */
export function confirmedAtOf(all: readonly ReflectedKind[]): number | undefined {
  return oldestOf(all.map(({ reflector }) => reflector.confirmedAtMs));
}

export function problemsOf(all: readonly Pick<ReflectedKind, 'reflector'>[]): string[] {
  return all.flatMap(({ reflector }) => reflector.problem ?? []);
}

export function kindStatuses(all: readonly ReflectedKind[]): KindStatus[] {
  return all.map(({ reflector, store }) => ({
    kind: reflector.resource.kind,
    state: reflector.state,
    objects: store.size(),
    confirmedAtMs: reflector.confirmedAtMs,
  }));
}
