/**
 * Owns kinds that are followed together: until when, and what is said of them: how old the word on them is, their state,
 * what is wrong.
 */
import { setMaxListeners } from 'node:events';
import { oldestOf } from '../../core/staleness.ts';
import type { KindStatus } from '../source.ts';
import type { Store } from './list-all.ts';
import type { Reflector } from './reflector.ts';

export interface ReflectedKind {
  readonly reflector: Reflector;
  readonly store: Store;
}

/** Follows kinds from its start until it is stopped; what else listens to its signal ends with them. */
export class ReflectorGroup {
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor() {
    // Every request under way listens to it, and as many are under way as pods are being bound.
    setMaxListeners(0, this.signal);
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  start(all: readonly Pick<ReflectedKind, 'reflector'>[]): void {
    this.#running = Promise.all(all.map(({ reflector }) => reflector.run(this.signal)));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}

/** The oldest word on any of them, in milliseconds since 1970; undefined before the first of each. */
export function confirmedAtOf(all: readonly ReflectedKind[]): number | undefined {
  return oldestOf(all.map(({ reflector }) => reflector.confirmedAtMs));
}

export function problemsOf(all: readonly Pick<ReflectedKind, 'reflector'>[]): string[] {
  return all.flatMap(({ reflector }) => reflector.problem ?? []);
}

export function statusOf(all: readonly ReflectedKind[]): KindStatus[] {
  return all.map(({ reflector, store }) => ({
    kind: reflector.resource.kind,
    state: reflector.state,
    objects: store.size(),
    confirmedAtMs: reflector.confirmedAtMs,
  }));
}
