/** Owns what is said of kinds that are followed together: how old the word on them is, their state, what is wrong. */
import { oldestOf } from '../../core/oldest.ts';
import type { KindStatus } from '../source.ts';
import type { Reflector, Store } from './reflector.ts';

export interface Following {
  readonly reflector: Reflector;
  readonly store: Store;
}

/** Until the signal. */
export async function follow(all: readonly Following[], signal: AbortSignal): Promise<void> {
  await Promise.all(all.map(({ reflector }) => reflector.run(signal)));
}

/** The oldest word on any of them, in milliseconds since 1970; undefined before the first of each. */
export function confirmedAtOf(all: readonly Following[]): number | undefined {
  return oldestOf(all.map(({ reflector }) => reflector.confirmedAt));
}

export function problemsOf(all: readonly Following[]): string[] {
  return all.flatMap(({ reflector }) => reflector.problem ?? []);
}

export function statusOf(all: readonly Following[]): KindStatus[] {
  return all.map(({ reflector, store }) => ({
    kind: reflector.resource.kind,
    state: reflector.state,
    objects: store.size(),
    confirmedAt: reflector.confirmedAt,
  }));
}
